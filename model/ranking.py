"""From scores to ranks and lists. Scores are the logits before the tanh, which has the same order and no ties (7.2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled, inlined

_SHORT = 256  # places that one pass over the scores keeps in order as fast as it goes; numpy is faster for more
_STRIDE = 64  # of that pass: rows are in order of first use, and late ones are often the best, each of which would come in
Scores = NDArray[np.floating]


def rank_of(scores_I: Scores, item: int, excluded: Sequence[int]) -> int:
    """Rank of `item`, from 1, among all items that are not excluded; among equals it comes last."""
    taken_out = list({*excluded} - {item})
    above = np.count_nonzero(scores_I >= scores_I[item])
    return int(above - np.count_nonzero(scores_I[taken_out] >= scores_I[item])) if taken_out else int(above)


def top_k(scores_I: Scores, k: int, excluded: Sequence[int]) -> list[int]:
    """The best k items that are not excluded; equals in order of their rows."""
    k = min(k, len(scores_I) - len({*excluded}))
    if excluded:
        scores_I = scores_I.copy()
        scores_I[list(excluded)] = -np.inf
    best: list[int] = best_rows(scores_I, max(0, k)).tolist()
    return best


def best_rows(scores_I: Scores, k: int) -> NDArray[np.int64]:
    """Rows of the best k <= I scores, best first, equals in order of their rows."""
    if 0 < k <= _SHORT:
        best_k = np.empty(k, np.int64)
        _put_best(scores_I, best_k, np.empty(k, scores_I.dtype))
        return best_k
    # Everything equal to the k-th stays in, so that equals are cut by row and not by chance.
    lost_I = -scores_I
    rows = np.flatnonzero(lost_I <= np.partition(lost_I, k - 1)[k - 1]) if k else np.empty(0, np.int64)
    return rows[np.argsort(lost_I[rows], kind="stable")[:k]]


@inlined
def _before(score: float, row: int, other: float, other_row: int) -> bool:
    """Whether it is the better one; what is no number is worse than all."""
    return score > other or (score == other and row < other_row) or (other != other and score == score)  # NaN equals nothing


@compiled
def _put_best(scores_I: Scores, best_k: NDArray[np.int64], kept_k: Scores) -> None:
    """Write the rows of the best scores, best first, and these."""
    filled, k = 0, len(best_k)
    for first in range(_STRIDE):
        for row in range(first, len(scores_I), _STRIDE):
            score = scores_I[row]
            if filled == k and not _before(score, row, kept_k[k - 1], best_k[k - 1]):
                continue
            place = min(filled, k - 1)
            while place > 0 and _before(score, row, kept_k[place - 1], best_k[place - 1]):
                kept_k[place], best_k[place] = kept_k[place - 1], best_k[place - 1]
                place -= 1
            kept_k[place], best_k[place] = score, row
            filled = min(filled + 1, k)

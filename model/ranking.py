"""From scores to ranks and lists. Scores are the logits before the tanh, which has the same order and no ties (7.2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


def rank_of(scores_I: Scores, item: int, excluded: Sequence[int]) -> int:
    """Rank of `item`, from 1, among all items that are not excluded; among equals it comes last."""
    taken_out = list({*excluded} - {item})
    above = np.count_nonzero(scores_I >= scores_I[item])
    return int(above - np.count_nonzero(scores_I[taken_out] >= scores_I[item])) if taken_out else int(above)


def top_k(scores_I: Scores, k: int, excluded: Sequence[int]) -> list[int]:
    """The best k items that are not excluded; equals in order of their rows."""
    left = len(scores_I) - len({*excluded})
    k = min(k, left)
    if k <= 0:
        return []
    lost_I = -scores_I
    lost_I[list(excluded)] = np.inf
    # Everything equal to the k-th stays in, so that equals are cut by row and not by chance.
    rows = np.flatnonzero(lost_I <= np.partition(lost_I, k - 1)[k - 1])
    best: list[int] = rows[np.argsort(lost_I[rows], kind="stable")[:k]].tolist()
    return best

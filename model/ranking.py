"""From scores to ranks and lists. Scores are the logits before the tanh, which has the same order and no ties (7.2)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]


def rank_of(scores_I: Scores, item: int, excluded: Sequence[int]) -> int:
    """Rank of `item`, from 1, among all items that are not excluded; among equals it comes last."""
    above = int(np.count_nonzero(scores_I >= scores_I[item]))
    taken_out = np.unique(np.asarray(excluded, np.intp))
    taken_out = taken_out[taken_out != item]
    return above - int(np.count_nonzero(scores_I[taken_out] >= scores_I[item]))


def top_k(scores_I: Scores, k: int, excluded: Sequence[int]) -> list[int]:
    """The best k items that are not excluded; equals in order of their rows."""
    allowed = np.ones(len(scores_I), bool)
    allowed[np.asarray(excluded, np.intp)] = False
    rows = np.flatnonzero(allowed)
    if k <= 0:
        return []
    if len(rows) > k:
        # Everything equal to the k-th stays in, so that equals are cut by row and not by chance.
        border = np.partition(scores_I[rows], len(rows) - k)[len(rows) - k]
        rows = rows[scores_I[rows] >= border]
    order = np.argsort(-scores_I[rows], kind="stable")[:k]
    return [int(row) for row in rows[order]]

"""Popularity bias of a list."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def popularity_rank(lists_TK: NDArray[np.int32], counts_I: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean popularity rank of each list's items, (T,): 1 = most interactions in training, equals share their mean; -1 = no item."""
    rank_I = rankdata(-counts_I)
    shown_TK = lists_TK >= 0
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(shown_TK, rank_I[lists_TK], 0.0).sum(axis=1) / shown_TK.sum(axis=1))

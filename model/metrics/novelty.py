"""Novelty of a list, in two readings (ALGORITHMS 6).

Legend: T lists, K length of a list, I items, U users.
"""

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray


def novelty(lists_TK: NDArray[np.int32], users_I: NDArray[np.int64], users: int) -> NDArray[np.float64]:
    """Mean self-information of each list in bits, (T,): -log2 of (training users of the item + 1) / (training users + 1)."""
    bits_I = -np.log2((users_I + 1) / (users + 1))
    shown_TK = lists_TK >= 0
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(shown_TK, bits_I[lists_TK], 0.0).sum(axis=1) / shown_TK.sum(axis=1))


def novelty_authors(lists_TK: NDArray[np.int32], before: Sequence[Set[int]], after: Sequence[Set[int]]) -> NDArray[np.float64]:
    """Recall on the user's test items less recall on his history, of each list, (T,): what the authors' later code calls novelty."""
    found = [
        _recall(shown, later) - _recall(shown, earlier)
        for shown, earlier, later in zip((set(one.tolist()) for one in lists_TK), before, after, strict=True)
    ]
    return np.array(found, np.float64)


def _recall(shown: Set[int], wanted: Set[int]) -> float:
    return len(shown & wanted) / len(wanted) if wanted else 0.0

"""Diversity of a list: mean pairwise dissimilarity, 1 - cosine (ALGORITHMS 6, after Smyth & McClave).

Legend: T lists, K length of a list, I items, D length of an item's vector.
"""

import numpy as np
from numpy.typing import NDArray


def diversity(lists_TK: NDArray[np.int32], vectors_ID: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of each list, (T,); vectors are unit or zero rows, -1 = no item; NaN for lists of fewer than two items.

    The sum of all pairs' cosines is (|sum of x|^2 - sum of |x|^2) / 2, so the cost is K D, not K^2 D.
    """
    found_T = np.empty(len(lists_TK))
    squares_I = (vectors_ID**2).sum(axis=1)
    for row, list_K in enumerate(lists_TK):
        items = list_K[list_K >= 0]
        pairs = len(items) * (len(items) - 1) / 2
        sum_D = vectors_ID[items].sum(axis=0, dtype=np.float64)
        alike = (float(sum_D @ sum_D) - float(squares_I[items].sum(dtype=np.float64))) / 2
        found_T[row] = 1 - alike / pairs if pairs else np.nan
    return found_T

"""The end of a list, where things are less alike: of the items around its last places those most like the rest give way.

Of a list of K the first 8 K / 10 items stay as they are. Of the items at the next 3 K / 10 places, the last tenth of them beyond the
list, K / 10 leave: those that were taken by the same users as the items that stay, most of all,

    l_i = sum_j c_ij / sqrt(c_i c_j)      j: the items that stay;   c_ij, c_i: how often, as item-kNN counts it (neighbours.py)

They score just below those that come in, so that ranks and lists agree, and nothing that is listed has another score than before.

Legend: I items, n items after those that stay.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.ranking import Scores, top_k

_CHANGED = 2  # tenths of the list


def varied(scores_I: Scores, excluded: Sequence[int], size: int, leaving: Callable[[Sequence[int]], Sequence[int]]) -> Scores:
    """Scores by which a list of that size is made and ranks are counted; what is excluded has -inf where anything is changed.

    `leaving`: places, of the best items, of those that leave.
    """
    found_I = scores_I.copy()
    found_I[list(excluded)] = -np.inf
    best = top_k(found_I, size + size // 10, ())
    best = best[: np.count_nonzero(found_I[best] > -np.inf)]
    places = leaving(best)
    if not places:
        return scores_I
    gone = [best[place] for place in places]
    least = found_I[sorted({*best} - {*gone})].min()
    found_I[gone] = np.minimum(found_I[gone], np.nextafter(least, -np.inf, dtype=scores_I.dtype))
    return found_I


def stays(size: int) -> int:
    """How many items at the head of a list stay as they are."""
    return size - _CHANGED * (size // 10)


def giving_way(alike_n: NDArray[np.floating], staying: int, leaving: int) -> list[int]:
    """Places, from 0, of as many items as are to leave. `alike_n`: of those after the head, in order; of equals the last leave."""
    order = np.lexsort((-np.arange(len(alike_n)), -alike_n))
    return sorted((staying + order[:leaving]).tolist())

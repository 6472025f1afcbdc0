"""Loops over sparse statistics, compiled: numpy would make arrays of every pair on the way to a sum.

Strict IEEE arithmetic in the order written, so results do not depend on the machine. Compiled at the first call, cached on disk.

Legend: I items, U users, n past items of a user, N and T kept of a row, D decays, P peers.
"""

import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

_P = ParamSpec("_P")
_R = TypeVar("_R")
Rows = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]


def _compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    return cast(Callable[_P, _R], njit(cache=True)(function))


@_compiled
def add_links(from_n: Longs, item_IN: Rows, weight_IDN: Floats, weight_Dn: Floats, out_DI: Floats) -> None:
    """Add the links of some items, each times its weight; links to row -1 are none."""
    for place in range(len(from_n)):
        row = from_n[place]
        for link in range(item_IN.shape[1]):
            item = item_IN[row, link]
            if item >= 0:
                for decay in range(out_DI.shape[0]):
                    out_DI[decay, item] += weight_IDN[row, decay, link] * weight_Dn[decay, place]


@_compiled
def count_takers(from_n: Longs, user_IT: Rows, shared_U: Longs) -> None:
    """Count how many of some items each user has taken."""
    for row in from_n:
        for user in user_IT[row]:
            if user >= 0:
                shared_U[user] += 1


@_compiled
def add_taken(peer_P: Longs, like_P: Floats, item_UN: Rows, at_UN: Longs, at: int, decay_a_ms: float, out_2I: Floats) -> None:
    """Add what peers took, each weighed by likeness: at any time, and halved with age."""
    for place in range(len(peer_P)):
        peer, like = peer_P[place], like_P[place]
        for taken in range(item_UN.shape[1]):
            item = item_UN[peer, taken]
            if item >= 0:
                age = max(0, at - at_UN[peer, taken])
                out_2I[0, item] += like
                out_2I[1, item] += like * np.float32(math.exp(-age * decay_a_ms))

"""Numba with the types kept: a compiled function keeps its signature for the type checker."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile on first call, cached on disk beside the source; arithmetic in the order written; other threads go on meanwhile."""
    # Divisions are numpy's: a test for zero before each would keep loops from being made of vector instructions. A product and a sum
    # may be one instruction ("contract"), as in matrix products, where a processor has one.
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function))


def summed(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same for sums in any order: several at once, as a processor adds them, so their last bits are those of its kind."""
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function))


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same for what compiled functions of the same file call in their loops."""
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", inline="always", fastmath={"contract"})(function))

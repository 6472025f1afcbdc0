"""Numba with the types kept: a compiled function keeps its signature for the type checker."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile on first call, cached on disk beside the source; strict IEEE arithmetic; other threads go on meanwhile."""
    # Divisions are numpy's: a test for zero before each would keep loops from being made of vector instructions.
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function))


def summed(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same for sums in any order: several at once, as a processor adds them, so their last bits are those of its kind."""
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function))


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same for what compiled functions of the same file call in their loops."""
    return cast(Callable[_P, _R], njit(cache=True, nogil=True, error_model="numpy", inline="always", fastmath={"contract"})(function))

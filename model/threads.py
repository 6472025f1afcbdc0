"""Threads in which torch has one thread.

What torch does in several threads of its own depends, to the last bits, on how many they are, and they wait busily: beside another
program they cost a small operation many times what it takes alone.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Barrier, Lock
from typing import TypeVar

import torch

FEW = 4  # events that are done with as soon in one thread as in two, most of it in reading weights
_R = TypeVar("_R")
_OUTSIDE = ContextVar("threads that torch has when it is not alone", default=1)


@contextmanager
def alone() -> Iterator[None]:
    """Torch has one thread in this one meanwhile."""
    own = torch.get_num_threads()
    if own == 1:
        yield
        return
    before = _OUTSIDE.set(own)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(own)
        _OUTSIDE.reset(before)


def all_of(tasks: Sequence[Callable[[], object]], *, worth: bool = True) -> None:
    """Do them all, the longest first, here and in one more such thread where torch had two before it was `alone`.

    No task may need another's result. `worth`: whether they take so long that waking a thread up, a tenth of a millisecond, pays.
    """
    left, grad = deque(tasks), torch.is_grad_enabled()  # which is a thread's own

    def work() -> None:
        with torch.set_grad_enabled(grad):
            while (task := _next(left)) is not None:
                task()

    if len(tasks) < 2 or not worth or _OUTSIDE.get() < 2:
        work()
        return
    other = _other().submit(work)
    try:
        work()
    finally:
        left.clear()
        other.result()


def _next(left: deque[Callable[[], object]]) -> Callable[[], object] | None:
    try:
        return left.popleft()  # at once, so that no two threads get the same
    except IndexError:
        return None


def once(make: Callable[[], _R]) -> Callable[[], _R]:
    """What gives a thing that is made when it is first asked for; a second thread that asks meanwhile waits for it."""
    made: list[_R] = []
    lock = Lock()

    def get() -> _R:
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return get


def halves(count: int) -> list[slice]:
    """So many things, for two of them; one half where there is but one thing."""
    middle = count // 2
    return [one for one in (slice(0, middle), slice(middle, count)) if one.start < one.stop]


@cache
def _other() -> ThreadPoolExecutor:
    return _pool_of(1)


def pool_of(count: int) -> ThreadPoolExecutor | None:
    """So many such threads; None for one."""
    return _pool_of(count) if count > 1 else None


def _pool_of(count: int) -> ThreadPoolExecutor:
    everybody, own = Barrier(count), torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "torch", _begin)
    wait([pool.submit(everybody.wait) for _ in range(count)])
    torch.set_num_threads(own)  # what threads begin with that are yet to come
    return pool


def _begin() -> None:
    torch.get_num_threads()  # a thread takes the common number when it first asks, and would do so after it has one of its own
    torch.set_num_threads(1)

"""Threads in which torch has one thread.

What torch does in several threads of its own depends, to the last bits, on how many they are, and they wait busily: beside another
program they cost a small operation many times what it takes alone.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier

import torch


@contextmanager
def alone() -> Iterator[None]:
    """Torch has one thread in this one meanwhile."""
    own = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(own)


def pool_of(count: int) -> ThreadPoolExecutor | None:
    """So many such threads; None for one."""
    if count < 2:
        return None
    everybody, own = Barrier(count), torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "torch", _begin)
    wait([pool.submit(everybody.wait) for _ in range(count)])
    torch.set_num_threads(own)  # what threads begin with that are yet to come
    return pool


def _begin() -> None:
    torch.get_num_threads()  # a thread takes the common number when it first asks, and would do so after it has one of its own
    torch.set_num_threads(1)

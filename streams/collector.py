"""Python's garbage collector, while objects are made that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Make objects that stay, without the collector looking through them again and again, now or later."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()

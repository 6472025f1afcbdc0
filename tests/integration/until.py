"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], what: str, seconds: float = 120.0, every: float = 0.1) -> None:
    """Return when `condition()` is true; fail with `what` when it is not within the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)

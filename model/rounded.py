"""Matrix products of float32 in which the factors may be rounded to bfloat16, with sums in float32.

A processor with a matrix unit for them takes a fraction of the time; any other one computes as always.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch

from model.threads import FEW

_ONE = RLock()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nobody else rounds meanwhile: torch has one switch for all threads of the process."""
    with _ONE:
        yield


@contextmanager
def rounded(events: int) -> Iterator[None]:
    """Products of more than a few events are rounded meanwhile, where whoever asks is `undisturbed`."""
    if events <= FEW:
        yield
        return
    products: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch says nothing of it
    own, products.fp32_precision = products.fp32_precision, "bf16"
    try:
        yield
    finally:
        products.fp32_precision = own

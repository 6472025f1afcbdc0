"""Tensors and arrays that grow by rows, in strides, so that n arrivals cost O(n) copies."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_FIRST_CAPACITY = 64


def with_rows(rows: Tensor, count: int) -> Tensor:
    """The tensor with `count` rows, in its own storage where that has room; rows that come in are zero.

    Rows beyond the current ones are never written, so they are zero in a storage made here.
    """
    width = rows[0].numel() if len(rows) else int(torch.tensor(rows.shape[1:]).prod())
    capacity = rows.untyped_storage().nbytes() // max(1, width * rows.element_size())
    if count > capacity or len(rows) == 0:
        grown = torch.zeros(max(count, 2 * capacity, _FIRST_CAPACITY), *rows.shape[1:], dtype=rows.dtype)
        grown[: len(rows)] = rows
        return grown[:count]
    return rows.as_strided((count, *rows.shape[1:]), rows.stride(), 0)


def with_room(rows: NDArray[Any], count: int, fill: int = 0) -> NDArray[Any]:
    """The array with `count` rows or more; those that come in hold `fill`, and are a quarter of what was there at least."""
    more = count - len(rows)
    if more <= 0:
        return rows
    return np.pad(rows, [(0, max(more, len(rows) // 4)), *[(0, 0)] * (rows.ndim - 1)], constant_values=fill)

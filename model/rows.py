"""Tensors that grow by rows: the storage doubles, so that n arrivals cost O(n) copies."""

import torch
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

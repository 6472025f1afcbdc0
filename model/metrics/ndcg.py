"""Normalised discounted cumulative gain of one relevant item (ALGORITHMS 6; the ideal gain is 1)."""

import math


def gain(rank: int | None, k: int) -> float:
    """1 / log2(rank + 1) when the item taken stood in the first k, else 0; None = not on the list at all."""
    return 1.0 / math.log2(rank + 1) if rank is not None and rank <= k else 0.0

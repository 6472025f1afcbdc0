"""Hit ratio (ALGORITHMS 6)."""


def hit(rank: int | None, k: int) -> int:
    """1 when the item taken stood in the first k, else 0; None = not on the list at all."""
    return int(rank is not None and rank <= k)

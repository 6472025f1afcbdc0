"""Coverage of the catalogue."""

import numpy as np
from numpy.typing import NDArray


def coverage(lists_TK: NDArray[np.int32], items: int) -> float:
    """Share of the catalogue's items that stand in any of the lists; -1 = no item."""
    return len(np.unique(lists_TK[lists_TK >= 0])) / items

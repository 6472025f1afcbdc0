"""Words of the items' texts, hashed to buckets.

Legend: I items, W buckets.
"""

import numpy as np
from numpy.typing import NDArray

from model.lesson import BUCKETS
from model.rows import with_room


class Texts:
    """Counts of words by item row; all zero where there is no text."""

    def __init__(self, items: int = 0) -> None:
        self.count_IW = np.zeros((items, BUCKETS), np.uint8)

    def grow(self, items: int) -> None:
        """Make room for new items without texts."""
        self.count_IW = with_room(self.count_IW, items)

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on."""
        self.count_IW[row] = 0

    def put(self, row: int, count_W: NDArray[np.uint8]) -> None:
        """The text of an item, in place of the one before."""
        self.count_IW[row] = count_W

"""Popularity as counts that halve every week of event time; the sceptic's baseline."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_MS = 7 * 86_400_000


class Popularity:
    """Decayed counts by item row, as of the latest event counted."""

    def __init__(self, counts_I: NDArray[np.float64] | None = None, at: int = 0) -> None:
        self.counts_I = np.zeros(0) if counts_I is None else counts_I
        self.at = at

    def learn(self, rows: Sequence[int], at: Sequence[int], items: int) -> None:
        """Count interactions in order; `items` is how many rows there are now."""
        self.grow(items)
        for row, moment in zip(rows, at, strict=True):
            if moment > self.at:
                self.counts_I *= 0.5 ** ((moment - self.at) / HALF_LIFE_MS)
                self.at = moment
            # An event older than the latest has lost the same share as if it had been counted in time.
            self.counts_I[row] += 0.5 ** ((self.at - moment) / HALF_LIFE_MS)

    def grow(self, items: int) -> None:
        """Make room for new items, which nobody has taken yet."""
        if items > len(self.counts_I):
            self.counts_I = np.concatenate([self.counts_I, np.zeros(items - len(self.counts_I))])

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on."""
        if row < len(self.counts_I):
            self.counts_I[row] = 0.0

    def scores(self, at: int) -> NDArray[np.float64]:
        """Decayed counts as of `at`, by item row."""
        return np.asarray(self.counts_I * 0.5 ** (max(0, at - self.at) / HALF_LIFE_MS))

"""What is taken together: co-occurrence of items in users' histories, as counts that any moment can be ranked from (BLEND, recipe 2).

Legend: I items, N past items of a user, newest last.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LAST = 50  # items of a user that count


class Together:
    """Counts of pairs weighted by how far apart they were taken, .95 a step; dense, 4 I^2 bytes."""

    def __init__(self, items: int, decay: float = 0.95) -> None:
        self.pairs_II = np.zeros((items, items), np.float32)
        self.follows_II = np.zeros((items, items), np.float32)
        self.count_I = np.zeros(items, np.float32)
        self._weight = decay ** np.arange(LAST, dtype=np.float32)

    def learn(self, past: Sequence[int], item: int) -> None:
        """An item after a past (item rows, newest last)."""
        recent = np.array(past[-LAST:][::-1], np.int64)
        if len(recent):
            weight_N = self._weight[: len(recent)]
            np.add.at(self.pairs_II[item], recent, weight_N)
            np.add.at(self.pairs_II[:, item], recent, weight_N)
            np.add.at(self.follows_II[:, item], recent[:5], 1.0 / np.arange(1, len(recent[:5]) + 1))
        self.count_I[item] += 1

    def near(self, past: Sequence[int]) -> Floats:
        """Similarity of each item to a past, (I,): cosine-like pair counts, newer items of the past counting more."""
        recent = np.array(past[-LAST:][::-1], np.int64)
        if not len(recent):
            return np.zeros(len(self.count_I), np.float32)
        weight_N = self._weight[: len(recent)] / np.sqrt(np.maximum(self.count_I[recent], 1))
        return np.asarray((weight_N @ self.pairs_II[recent]) / np.sqrt(np.maximum(self.count_I, 1)), np.float32)

    def next(self, past: Sequence[int]) -> Floats:
        """How often each item followed the last five of a past, (I,), nearer ones counting more."""
        recent = np.array(past[-5:][::-1], np.int64)
        if not len(recent):
            return np.zeros(len(self.count_I), np.float32)
        weight_N = (1.0 / np.arange(1, len(recent) + 1)).astype(np.float32)
        followed_N1 = np.maximum(self.count_I[recent], 1)[:, None]
        return np.asarray(weight_N @ (self.follows_II[recent] / followed_N1), np.float32)

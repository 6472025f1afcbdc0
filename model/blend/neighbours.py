"""What is taken together and what follows what, for each item its strongest neighbours only (BLEND, recipe 2).

Legend: I items, N neighbours kept of an item, n past items of a user (newest last).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.rows import with_room

LAST, FOLLOWED = 50, 5
KEPT = 256
_DECAY = 0.95
_NONE = -1
Floats = NDArray[np.float32]
_WEIGHTS = (_DECAY ** np.arange(LAST)).astype(np.float32)
_FOLLOWS = (1.0 / np.arange(1, FOLLOWED + 1)).astype(np.float32)


class Links:
    """Weighted links from an item to others; of more than N the weakest gives way to the newest."""

    def __init__(self, items: int = 0) -> None:
        self.item_IN = np.full((items, KEPT), _NONE, np.int32)
        self.weight_IN = np.zeros((items, KEPT), np.float32)

    def grow(self, items: int) -> None:
        """Make room for new items without links."""
        self.item_IN, self.weight_IN = with_room(self.item_IN, items, _NONE), with_room(self.weight_IN, items)

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on, in other items' links too."""
        self.item_IN[row], self.weight_IN[row] = _NONE, 0
        gone = self.item_IN == row
        self.item_IN[gone], self.weight_IN[gone] = _NONE, 0

    def add(self, from_n: NDArray[np.int64], to_n: NDArray[np.int64], weight_n: Floats) -> None:
        """Strengthen links; the `from` rows are distinct."""
        found_nN = self.item_IN[from_n] == to_n[:, None]
        place_n = np.where(found_nN.any(axis=1), found_nN.argmax(axis=1), self.weight_IN[from_n].argmin(axis=1))
        known_n = found_nN[np.arange(len(from_n)), place_n]
        self.item_IN[from_n, place_n] = to_n
        self.weight_IN[from_n, place_n] = np.where(known_n, self.weight_IN[from_n, place_n], 0) + weight_n

    def add_to(self, row: int, to_n: NDArray[np.int64], weight_n: Floats) -> None:
        """Strengthen links from one row to distinct others."""
        found_nN = self.item_IN[row] == to_n[:, None]
        known_n = found_nN.any(axis=1)
        self.weight_IN[row, found_nN[known_n].argmax(axis=1)] += weight_n[known_n]
        new_m = to_n[~known_n]
        place_m = self.weight_IN[row].argsort(kind="stable")[: len(new_m)]
        self.item_IN[row, place_m], self.weight_IN[row, place_m] = new_m, weight_n[~known_n]

    def read(self, from_n: NDArray[np.int64], weight_n: NDArray[np.floating], items: int) -> NDArray[np.float64]:
        """Sum of the links from some items, each times its weight, (I,)."""
        to_nN, weight_nN = self.item_IN[from_n], self.weight_IN[from_n] * weight_n[:, None]
        there = to_nN != _NONE
        return np.asarray(np.bincount(to_nN[there], weight_nN[there], items), np.float64)


class Neighbours:
    """Item-kNN and Markov: pairs within a user's last 50, and what followed his last five."""

    def __init__(self, items: int = 0) -> None:
        self.pairs, self.next = Links(items), Links(items)
        self.count_I = np.zeros(items, np.float32)

    def grow(self, items: int) -> None:
        """Make room for new items."""
        self.pairs.grow(items)
        self.next.grow(items)
        if items > len(self.count_I):
            self.count_I = np.pad(self.count_I, (0, items - len(self.count_I)))

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on."""
        self.pairs.forget(row)
        self.next.forget(row)
        self.count_I[row] = 0

    def learn(self, past: Sequence[int], item: int) -> None:
        """An item after a past of item rows."""
        recent_n = recent(past)
        recent_n = recent_n[recent_n != item]
        if len(recent_n):
            self.pairs.add(recent_n, np.full(len(recent_n), item), _WEIGHTS[: len(recent_n)])
            self.pairs.add_to(item, recent_n, _WEIGHTS[: len(recent_n)])
            self.next.add(recent_n[:FOLLOWED], np.full(len(recent_n[:FOLLOWED]), item), _FOLLOWS[: len(recent_n)])
        self.count_I[item] += 1

    def features(self, past: Sequence[int]) -> NDArray[np.float64]:
        """How near each item is to a past, and how often it followed the end of it, (2, I)."""
        items, recent_n = len(self.count_I), recent(past)
        if not len(recent_n):
            return np.zeros((2, items))
        count_n = np.maximum(self.count_I[recent_n], 1)
        near_I = self.pairs.read(recent_n, _WEIGHTS[: len(recent_n)] / np.sqrt(count_n), items) / np.sqrt(np.maximum(self.count_I, 1))
        last_n = recent_n[:FOLLOWED]
        return np.stack([near_I, self.next.read(last_n, _FOLLOWS[: len(last_n)] / count_n[:FOLLOWED], items)])


def recent(past: Sequence[int]) -> NDArray[np.int64]:
    """Distinct rows of the last 50, newest first."""
    return np.array(list(dict.fromkeys(past[: -LAST - 1 : -1])), np.int64)

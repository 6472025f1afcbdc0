"""What is taken together and what follows what, for each item its strongest neighbours only (BLEND, recipe 2).

Legend: I items, N neighbours kept of an item, D decays, n past items of a user (newest last).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.blend.event import LAST, Asked, recent
from model.blend.kernels import put_following, put_near, strengthen, strengthen_from
from model.blend.trend import FLOOR, HIGH_FLOOR
from model.rows import with_room

FOLLOWED = 5
KEPT = 256
DECAYS = (0.95, 0.5)
FLOORS = (FLOOR, FLOOR, HIGH_FLOOR, FLOOR)
FEATURES = len(FLOORS)
_NONE = -1
Floats = NDArray[np.float32]
_WEIGHTS_DN = np.array([decay ** np.arange(LAST) for decay in DECAYS], np.float32)
_FOLLOWS_1N: Floats = np.array([1 / np.arange(1, FOLLOWED + 1)], np.float32)


class Links:
    """Links from an item to others, each with a weight for every decay; of more than N the weakest gives way to the newest."""

    def __init__(self, items: int = 0, decays: int = 1) -> None:
        self.item_IN = np.full((items, KEPT), _NONE, np.int32)
        self.weight_IDN = np.zeros((items, decays, KEPT), np.float32)

    def grow(self, items: int) -> None:
        """Make room for new items without links."""
        self.item_IN, self.weight_IDN = with_room(self.item_IN, items, _NONE), with_room(self.weight_IDN, items)

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on, in other items' links too."""
        self.item_IN[row], self.weight_IDN[row] = _NONE, 0
        item, place = np.nonzero(self.item_IN == row)
        self.item_IN[item, place], self.weight_IDN[item, :, place] = _NONE, 0

    def add(self, from_n: NDArray[np.int64], to: int, weight_Dn: Floats) -> None:
        """Strengthen links from distinct rows to one."""
        strengthen(from_n, to, weight_Dn, self.item_IN, self.weight_IDN)

    def add_to(self, row: int, to_n: NDArray[np.int64], weight_Dn: Floats) -> None:
        """Strengthen links from one row to distinct others."""
        strengthen_from(row, to_n, weight_Dn, self.item_IN, self.weight_IDN)

    def mend(self) -> None:
        """Links that hold no numbers are taken away."""
        item, place = np.nonzero(~np.isfinite(self.weight_IDN).all(axis=1))
        self.item_IN[item, place], self.weight_IDN[item, :, place] = _NONE, 0


class Neighbours:
    """Item-kNN and Markov: pairs within a user's last 50, and what followed his last five."""

    def __init__(self, items: int = 0) -> None:
        self.pairs, self.next = Links(items, len(DECAYS)), Links(items)
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
            weight_Dn = _WEIGHTS_DN[:, : len(recent_n)]
            self.pairs.add(recent_n, item, weight_Dn)
            self.pairs.add_to(item, recent_n, weight_Dn)
            self.next.add(recent_n[:FOLLOWED], item, _FOLLOWS_1N[:, : len(recent_n)])
        self.count_I[item] += 1

    def roots(self) -> Floats:
        """Roots of how often each item was taken, (I,)."""
        return np.asarray(np.sqrt(np.maximum(self.count_I, np.float32(1))), np.float32)

    def features(self, asked: Asked, some: slice, root_I: Floats, out_FBI: Floats) -> None:
        """How near each item is to some events' pasts, by decay, the last of them twice, and how often it followed the end of them."""
        looked = asked.past_n, asked.first_B, some.start, some.stop
        put_near(*looked, self.pairs.item_IN, self.pairs.weight_IDN, _WEIGHTS_DN, root_I, out_FBI[: len(DECAYS)])
        out_FBI[len(DECAYS), some] = out_FBI[len(DECAYS) - 1, some]
        put_following(*looked, self.next.item_IN, self.next.weight_IDN, _FOLLOWS_1N[0], root_I, out_FBI[-1])

    def alike(self, rows: Sequence[int], others: Sequence[int]) -> Floats:
        """How much some items are taken with others, by the cosine of each two, summed over the others: (n,)."""
        root_I = self.roots()
        weight_I = np.zeros_like(root_I)
        weight_I[others] = 1 / root_I[others]
        item_nN = self.pairs.item_IN[rows]
        near_nN = self.pairs.weight_IDN[rows, 0] * weight_I[item_nN] * (item_nN != _NONE)
        return np.asarray(near_nN.sum(axis=1) / root_I[rows])

    def mend(self) -> None:
        """What holds no numbers starts again."""
        self.pairs.mend()
        self.next.mend()
        np.nan_to_num(self.count_I, copy=False, nan=0.0, posinf=0.0, neginf=0.0)

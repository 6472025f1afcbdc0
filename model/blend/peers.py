"""What people like the user took: those who share items with him lately, and their items (BLEND, recipe 2, user-kNN, bounded).

Of each user the last N items are kept and of each item its last T takers, so that a look costs the same whatever came before.

Legend: U users, I items, N items kept of a user, T takers kept of an item, n past items of a user (newest last), P peers.
"""

import numpy as np
from numpy.typing import NDArray

from model.blend.event import Asked
from model.blend.kernels import put_taken
from model.blend.trend import DAY_MS, FLOOR, HIGH_FLOOR
from model.rows import with_room

ITEMS_KEPT, TAKERS_KEPT = 128, 512
PEERS = 200
FLOORS = (FLOOR, HIGH_FLOOR)
FEATURES = len(FLOORS)
HALF_LIFE_DAYS = 3.0
_HALF_LIFE_MS = HALF_LIFE_DAYS * DAY_MS
_NONE = -1


class Peers:
    """Rings of what users took and of who took items, by row."""

    def __init__(self, items: int = 0) -> None:
        self.item_UN = np.full((0, ITEMS_KEPT), _NONE, np.int32)
        self.at_UN = np.zeros((0, ITEMS_KEPT), np.int64)
        self.count_U = np.zeros(0, np.int64)
        self.user_IT = np.full((items, TAKERS_KEPT), _NONE, np.int32)
        self.count_I = np.zeros(items, np.int64)

    def grow(self, items: int) -> None:
        """Make room for new items."""
        self.user_IT, self.count_I = with_room(self.user_IT, items, _NONE), with_room(self.count_I, items)

    def forget(self, row: int) -> None:
        """The item's row belongs to another one from now on."""
        self.user_IT[row], self.count_I[row] = _NONE, 0
        self.item_UN[self.item_UN == row] = _NONE

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        if row < len(self.count_U):
            self.item_UN[row], self.count_U[row] = _NONE, 0
            self.user_IT[self.user_IT == row] = _NONE

    def learn(self, user: int, item: int, at: int) -> None:
        """An item taken; one taken again only becomes newer."""
        self._grow_users(user + 1)
        (again,) = np.nonzero(self.item_UN[user] == item)
        if len(again):
            self.at_UN[user, again] = at
            return
        slot = self.count_U[user] % ITEMS_KEPT
        self.item_UN[user, slot], self.at_UN[user, slot] = item, at
        self.user_IT[item, self.count_I[item] % TAKERS_KEPT] = user
        self.count_U[user] += 1
        self.count_I[item] += 1

    def _grow_users(self, users: int) -> None:
        self.item_UN = with_room(self.item_UN, users, _NONE)
        self.at_UN, self.count_U = with_room(self.at_UN, users), with_room(self.count_U, users)

    def features(self, asked: Asked, some: slice, out_FBI: NDArray[np.float32]) -> None:
        """What the nearest peers of some events' users took, each weighed by likeness, at any time and with a half-life of three days.

        Likeness: shared items^2 / the peer's count (the user's own count is the same for all).
        """
        put_taken(
            asked.past_n, asked.first_B, some.start, some.stop, asked.user_B, asked.at_B, PEERS, self.user_IT, self.count_I,
            self.count_U, self.item_UN, self.at_UN, _HALF_LIFE_MS, out_FBI,
        )  # fmt: skip

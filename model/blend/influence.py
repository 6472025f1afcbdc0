"""Bounded influence: how much one user, and the takers of one item, may teach in an hour.

A bot with 10,000 events, or a crowd on one item, is ranked and remembered like anybody; beyond the bounds it teaches nothing.

Legend: U users, I items.
"""

import numpy as np
from numpy.typing import NDArray

from model.rows import with_room

USER_HOURLY, ITEM_HOURLY = 100, 500
_HOUR_MS = 3_600_000


class Influence:
    """Interactions in the latest hour of event time that a row was seen in: (rows, 2), hour and count."""

    def __init__(self, items: int = 0) -> None:
        self.user_U2 = np.zeros((0, 2), np.int64)
        self.item_I2 = np.zeros((items, 2), np.int64)

    def grow(self, items: int) -> None:
        """Make room for new items."""
        self.item_I2 = with_room(self.item_I2, items)

    def forget(self, row: int) -> None:
        """The item's row belongs to another one from now on."""
        self.item_I2[row] = 0

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        if row < len(self.user_U2):
            self.user_U2[row] = 0

    def teaches(self, user: int, item: int, at: int) -> bool:
        """Count an interaction; whether it stays within both bounds."""
        self.user_U2 = with_room(self.user_U2, user + 1)
        by_user, by_item = (_counted(one, at // _HOUR_MS) for one in (self.user_U2[user], self.item_I2[item]))
        return by_user <= USER_HOURLY and by_item <= ITEM_HOURLY


def _counted(hour_count: NDArray[np.int64], hour: int) -> int:
    """One more in the latest hour that the row was seen in: who goes back and forth between two hours gains nothing by it."""
    latest, count = hour_count
    hour_count[:] = (hour, 1) if hour > latest else (latest, count + 1)
    return int(hour_count[1])

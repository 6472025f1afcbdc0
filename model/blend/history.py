"""What each user took, as the softmax of the weights needs it: what he has already is not recommended to him.

Legend: E entries of all users together.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

KEPT = 2_000  # items of a user; the line keeps as many from him


class History:
    """Distinct items of each user by row, oldest first; an item's row that became another's since does not count."""

    def __init__(self, items: int = 0) -> None:
        self.turn_I = np.zeros(items, np.int64)
        self._turn = 0  # how many rows became another item's
        self._taken: dict[int, dict[int, int]] = {}  # user -> item -> the item's turn

    def grow(self, items: int) -> None:
        """Make room for new items."""
        if items > len(self.turn_I):
            self.turn_I = np.pad(self.turn_I, (0, items - len(self.turn_I)))

    def forget(self, row: int) -> None:
        """The item's row belongs to another one from now on."""
        self._turn += 1
        self.turn_I[row] = self._turn

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        self._taken.pop(row, None)

    def learn(self, user: int, item: int) -> None:
        """An item taken."""
        own = self._taken.setdefault(user, {})
        own[item] = int(self.turn_I[item])
        if len(own) > KEPT:
            del own[next(iter(own))]

    def of(self, user: int) -> list[int]:
        """Rows of the items a user has."""
        own = self._taken.get(user, {})
        if not self._turn:  # no row has become another's, the usual case
            return list(own)
        return [item for item, turn in own.items() if self.turn_I[item] == turn]

    # ---- state ----

    def entries(self) -> NDArray[np.int64]:
        """User, item and turn of everything kept, and the last turn in front, (E + 1, 3)."""
        return np.array([(self._turn, 0, 0), *self._rows()], np.int64)

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        for user, own in self._taken.items():
            for item, turn in own.items():
                yield user, item, turn

    def restore(self, entries: NDArray[np.int64]) -> None:
        """Take over what `entries` gave."""
        self._turn, self._taken = int(entries[0, 0]), {}
        for user, item, turn in entries[1:].tolist():
            self._taken.setdefault(user, {})[item] = turn

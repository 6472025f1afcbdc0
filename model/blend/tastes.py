"""Who takes what is new goes on taking what is new: the age of what a user takes, times the age of the items.

The age of an item is ln(1 + days since it was first taken), 0 where nobody has taken it; that of a user the mean over what he takes,
over the last LAST of it, against a middling age. The feature is their product, nearer zero where little is known of him.

Legend: B events, I items, U users with a row.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.rows import with_room

LAST = 30
_MIDDLE, _SPREAD = 4.0, 1.5  # of ages: 54 days
_PRIOR = 3.0  # interactions
Floats = NDArray[np.float32]


class Tastes:
    """By user row: mean age of what he takes, and how much that is: (U, 2)."""

    def __init__(self) -> None:
        self.age_U2 = np.zeros((0, 2))

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        if row < len(self.age_U2):
            self.age_U2[row] = 0

    def learn(self, user: int, age: float) -> None:
        """The user has taken an item of this age."""
        self.age_U2 = with_room(self.age_U2, user + 1)
        mean, count = self.age_U2[user]
        self.age_U2[user] = mean + ((age - _MIDDLE) / _SPREAD - mean) / min(count + 1, LAST), count + 1

    def factors(self, users: Sequence[int]) -> Floats:
        """What the standard ages of items are multiplied by for each user (row, -1 = none), (B,)."""
        own_B2 = np.array([self.age_U2[user] if 0 <= user < len(self.age_U2) else (0.0, 0.0) for user in users]).reshape(-1, 2)
        return np.asarray(own_B2[:, 0] * own_B2[:, 1] / (own_B2[:, 1] + _PRIOR), np.float32)

    def mend(self) -> None:
        """Users whose age is no number start again."""
        self.age_U2[~np.isfinite(self.age_U2).all(axis=1)] = 0

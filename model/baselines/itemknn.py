"""Item-to-item co-occurrence with recency, learned online.

Legend: B queries, I items.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.baselines.together import Together
from model.contract import Event, Query, Training


class ItemKNN:
    """Items that were taken near those the user took last; all-time counts break ties."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({"decay": 0.8}, {"decay": 0.9}, {"decay": 0.95}, {"decay": 1.0})

    def __init__(self, *, decay: float = 0.95, seed: int = 0) -> None:
        del seed  # nothing is drawn
        self._decay = decay

    def fit(self, training: Training) -> None:
        """Nothing to learn: counts come with the stream."""
        self._together = Together(training.items, self._decay)
        self._past: defaultdict[int, list[int]] = defaultdict(list)
        self._before: dict[int, tuple[int, ...]] = {}

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Similarity to the user's last 50 items, (B, I)."""
        popular_I = self._together.count_I * 1e-6
        return np.stack([self._together.near(self._past[one.user]) + popular_I for one in queries])

    def advance(self, events: Sequence[Event]) -> None:
        """Note what each user took; counts stay."""
        for one in events:
            past = self._past[one.user]
            self._before[id(one)] = tuple(past[-50:])
            past.append(one.item)

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Count the pairs, each item with what its user had before it."""
        del updates  # counts are statistics
        for one in events:
            self._together.learn(self._before.pop(id(one)), one.item)

"""Popularity of the last days: everybody gets the same list (ALGORITHMS 5, TimePop; and the ones a sceptic asks for).

Legend: B queries, I items.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.contract import Event, Query, Training

DAY_MS = 86_400_000
Doubles = NDArray[np.float64]


class Recent:
    """Counts within trailing windows of days, strictly before the query; ties of a window are broken by the next, longer one."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)

    def __init__(self, *, days: Sequence[float] = (7,), seed: int = 0) -> None:
        del seed  # nothing is drawn
        self._spans_ms = [day * DAY_MS for day in days]
        self._start(0)

    def _start(self, items: int) -> None:
        self._queues: list[deque[tuple[int, int]]] = [deque() for _ in self._spans_ms]
        self._counts = [np.zeros(items) for _ in self._spans_ms]
        self._all_I, self._last_I = np.zeros(items), np.full(items, -1.0)

    def fit(self, training: Training) -> None:
        """Nothing to learn: counts come with the stream."""
        self._start(training.items)

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """The same scores for all: places of the items by counts of each window, all time, and last use."""
        self._forget(queries[0].at)
        # lexsort's last key counts most; equals keep the order of rows
        order_I = np.lexsort((-np.arange(len(self._all_I)), self._last_I, self._all_I, *reversed(self._counts)))
        place_I = np.empty(len(order_I), np.float32)
        place_I[order_I] = np.arange(len(order_I))
        return np.tile(place_I, (len(queries), 1))

    def _forget(self, at: int) -> None:
        for span_ms, queue, count_I in zip(self._spans_ms, self._queues, self._counts, strict=True):
            while queue and queue[0][0] < at - span_ms:
                count_I[queue.popleft()[1]] -= 1

    def advance(self, events: Sequence[Event]) -> None:
        """Nobody has a memory."""

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Count."""
        del updates  # counts are statistics
        for one in events:
            for queue, count_I in zip(self._queues, self._counts, strict=True):
                queue.append((one.at, one.item))
                count_I[one.item] += 1
            self._all_I[one.item] += 1
            self._last_I[one.item] = one.at

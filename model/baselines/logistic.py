"""A logistic ranker on recency and co-occurrence: eleven features, their weights learned by the softmax of the item taken.

Legend: B queries, I items, F features.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.baselines.together import LAST, Together
from model.contract import Event, Query, Training

Floats = NDArray[np.float32]
_HALF_LIVES_DAYS = (1.0, 7.0, 30.0, 1e6)
_DAY_MS = 86_400_000
_FEATURES = len(_HALF_LIVES_DAYS) + 6
_FLOOR = 0.1


class Logistic:
    """Weights by AdaGrad, from one pass over the training part in `fit`, then online."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({"rate": 0.01}, {"rate": 0.03}, {"rate": 0.1}, {"rate": 0.3})

    def __init__(self, *, rate: float = 0.1, seed: int = 0) -> None:
        del seed  # nothing is drawn
        self._rate = rate
        self.weight_F = np.zeros(_FEATURES)
        self._squares_F = np.ones(_FEATURES)

    def fit(self, training: Training) -> None:
        """Learn the weights along the training part, then forget the counts."""
        self._start(training.items)
        for _, tie in groupby(training.train, key=lambda one: one.at):
            events = list(tie)
            for one in events:
                self.advance([one])
            self.learn(events, updates=True)
        self._start(training.items)

    def _start(self, items: int) -> None:
        self._together = Together(items)
        self._past: defaultdict[int, list[int]] = defaultdict(list)
        self._before: dict[int, tuple[int, ...]] = {}
        self._counts_HI = np.zeros((len(_HALF_LIVES_DAYS), items))
        self._at, self._first_I, self._last_I = 0, np.full(items, np.nan), np.full(items, np.nan)

    def rank(self, queries: Sequence[Query]) -> Floats:
        """Weighted sums of the features, (B, I)."""
        shared_FI = self._shared(queries[0].at)
        return np.stack([(self.weight_F @ self._features(shared_FI, self._past[one.user])).astype(np.float32) for one in queries])

    def _shared(self, at: int) -> NDArray[np.float64]:
        """Features that are the same for all users: popularity, age, time since last taken, never taken; (7, I)."""
        days = max(0, at - self._at) / _DAY_MS
        counts_HI = self._counts_HI * np.array([0.5 ** (days / one) for one in _HALF_LIVES_DAYS])[:, None]
        since = (np.maximum(0, at - np.nan_to_num(one, nan=at)) / _DAY_MS for one in (self._first_I, self._last_I))
        age_I, idle_I = since  # a late interaction finds items younger than now, not older
        return np.vstack([_lifted(counts_HI), -np.log1p(age_I), -np.log1p(idle_I), np.isnan(self._first_I)])

    def _features(self, shared_FI: NDArray[np.float64], past: Sequence[int]) -> NDArray[np.float64]:
        own = np.zeros(shared_FI.shape[1])
        np.add.at(own, np.array(past[-LAST:], np.int64), 1.0)
        return np.vstack([shared_FI, _lifted(np.stack([self._together.near(past), self._together.next(past)])), own])

    def advance(self, events: Sequence[Event]) -> None:
        """Note what each user took; counts and weights stay."""
        for one in events:
            past = self._past[one.user]
            self._before[id(one)] = tuple(past)
            past.append(one.item)

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Move the weights towards what was taken, then count."""
        if updates:
            self._step(events)
        for one in events:
            days = max(0, one.at - self._at) / _DAY_MS
            self._at = max(self._at, one.at)
            self._counts_HI *= np.array([0.5 ** (days / half) for half in _HALF_LIVES_DAYS])[:, None]
            self._counts_HI[:, one.item] += 1
            self._last_I[one.item] = one.at
            if np.isnan(self._first_I[one.item]):
                self._first_I[one.item] = one.at
            self._together.learn(self._before.pop(id(one)), one.item)

    def _step(self, events: Sequence[Event]) -> None:
        shared_FI = self._shared(events[0].at)
        for one in events:
            past = self._before[id(one)]
            feature_FI = self._features(shared_FI, past)
            score_I = self.weight_F @ feature_FI
            score_I[[item for item in past if item != one.item]] = -np.inf
            share_I = np.exp(score_I - score_I.max())
            gradient_F = feature_FI @ (share_I / share_I.sum()) - feature_FI[:, one.item]
            self._squares_F += gradient_F**2
            self.weight_F -= self._rate * gradient_F / np.sqrt(self._squares_F)


def _lifted(values_FI: NDArray[np.floating]) -> NDArray[np.float64]:
    """log(I * share + .1) of each row."""
    totals = np.maximum(values_FI.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(np.log(values_FI.shape[1] * values_FI / totals + _FLOOR), np.float64)

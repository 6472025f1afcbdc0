"""The recommender behind the contract of a comparison (model/contract.py): rows outside, names inside.

Legend: B queries, I items.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.blend.event import LAST
from model.blend.variety import varied
from model.config import ModelConfig
from model.contract import ONLINE_RATES, Event, Query, Training
from model.errors import ModelError
from model.fit import EpochReport, Steps, fit
from model.lesson import Known, Lesson
from model.memory import Memory
from model.recommender import Recommender
from model.wave import Advanced, Ranked, Wave


def _quiet(_report: EpochReport) -> None:
    """Nobody watches; a function and not a lambda, so that a fitted system can be sent to another process."""


@dataclass(slots=True)
class _Pending:
    """What the stream has ranked or advanced and not yet learned, by identity of the event."""

    wave: Wave
    advanced: Advanced
    row: int


@dataclass(slots=True)
class Compared:
    """One configuration of the recommender; `settings` are fields of ModelConfig that differ from its defaults."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ONLINE_RATES
    online_settings: ClassVar[tuple[str, ...]] = ("online_rate", "without")

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    epochs: int = 60
    patience: int = 15
    device: str = "cpu"
    learning_rate: float = 0.003
    "offline"
    progress: Callable[[EpochReport], None] = _quiet
    _items: int = field(default=0, init=False)
    _recommender: Recommender | None = field(default=None, init=False)
    _names: list[str] = field(default_factory=list, init=False)
    _place_I: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), init=False)
    "of each row inside"
    _row_I: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), init=False)
    "of each one outside; -1 = none"
    _counted_at: int | None = field(default=None, init=False)
    _past: dict[int, list[str]] = field(default_factory=dict, init=False)
    _memories: dict[int, Memory] = field(default_factory=dict, init=False)
    _ranked: tuple[tuple[int, ...], Wave, Ranked] | None = field(default=None, init=False)
    _pending: dict[int, _Pending] = field(default_factory=dict, init=False)

    def fit(self, training: Training) -> None:
        """Train the network offline on the training part, watching the validation part."""
        config = ModelConfig(
            networks=training.networks, topics=training.topics, tau_seconds=training.tau_seconds, **self.settings
        )
        self._items = training.items
        self._recommender = fit(
            _by_user(training.train), _by_user(training.validation), config, epochs=self.epochs, patience=self.patience,
            seed=self.seed, device=self.device, learning_rate=self.learning_rate, progress=self.progress,
            catalogue=[str(row) for row in range(training.items)],
        )  # fmt: skip
        words = training.words or [()] * training.items
        self._recommender.know(Known.of({str(row): own for row, own in enumerate(words)}))

    def with_settings(self, **settings: Any) -> "Compared":  # noqa: ANN401 - fields of ModelConfig
        """The same fitted network with other online settings."""
        one = copy.deepcopy(self)
        one.settings = {**self.settings, **settings}
        one.fitted.config = one.fitted.network.config = replace(self.fitted.config, **one.settings)
        if one.fitted.blend is not None:
            one.fitted.blend.leave_out(one.fitted.config.without)
        return one

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Scores by item row, (B, I); items that nobody has taken yet share the last place, as they have no row in the worker."""
        wave = self._wave(queries)
        ranked = self.fitted.rank(wave)
        self._ranked = (tuple(id(one.step) for one in queries), wave, ranked)
        known = ranked.scores_BI
        scores_BI = np.full((len(known), self._items), known.min() - 1 if known.size else 0, np.float32)
        scores_BI[:, self._places()] = known
        return scores_BI

    def _places(self) -> NDArray[np.int64]:
        """The rows outside of those inside, which seldom change."""
        names = self.fitted.items.names()
        if names != self._names:
            self._names, self._place_I = names, np.array([int(name) for name in names])
            self._row_I = np.full(self._items, -1)
            self._row_I[self._place_I] = np.arange(len(names))
        return self._place_I

    def varied(self, scores_I: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Scores, of the last ranking, with which the end of a list is less alike, in preset `full`."""
        blend = self.fitted.blend
        if blend is None:
            return scores_I

        def leaving(best: Sequence[int]) -> list[int]:
            rows = self._row_I[best]
            return blend.leaving(rows.tolist(), size) if (rows >= 0).all() else []  # of a list with what has no row nothing leaves

        return varied(scores_I, (), size, leaving)

    def advance(self, events: Sequence[Event]) -> None:
        """Move the users' memories one step on, from the ranking where there was one."""
        wave, advanced = self._of(events)
        for row, event in enumerate(events):
            past = self._past.setdefault(event.user, [])
            if str(event.item) not in past:
                past.append(str(event.item))
            self._memories[event.user] = advanced.advanced(row, event.step, wave.memories[row])
            self._pending[id(event)] = _Pending(wave, advanced, row)

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Learn the tie wave by wave as it was advanced, or only count it."""
        waves = self._waves(events)
        for number, wave_events in enumerate(waves):
            pending = [self._pending[id(one)] for one in wave_events]
            wave, rows = pending[0].wave, [one.row for one in pending]
            items, at = tuple(str(one.item) for one in wave_events), tuple(one.at for one in wave_events)
            if updates:
                self.fitted.learn(Lesson.of(wave, pending[0].advanced, rows, items, at, ends_tie=number == len(waves) - 1))
            else:
                past = [wave.past[row] for row in rows] if wave.past else ()
                posts_BV = wave.posted()[rows] if wave.past else None
                self.fitted.count_only(items, at, [wave.users[row] for row in rows], past, posts_BV)
        for one in events:
            del self._pending[id(one)]
        if not updates:
            self._counted_at = events[-1].at

    def _waves(self, events: Sequence[Event]) -> list[list[Event]]:
        waves: dict[int, list[Event]] = {}
        for one in events:
            waves.setdefault(id(self._pending[id(one)].wave), []).append(one)
        return list(waves.values())

    def _of(self, events: Sequence[Event]) -> tuple[Wave, Advanced]:
        if self._ranked is not None and self._ranked[0] == tuple(id(one.step) for one in events):
            _, wave, ranked = self._ranked
            self._ranked = None
            return wave, Advanced(ranked.h_BH, ranked.C_BH, ranked.h_A_BH, ranked.attention, ranked.past)
        wave = self._wave(events)
        return wave, self.fitted.advance_only(wave)

    def _wave(self, queries: Sequence[Query]) -> Wave:
        if self._counted_at is not None and queries[0].at > self._counted_at:
            self.fitted.settle()  # what was only counted of an earlier time
            self._counted_at = None
        empty = Memory.empty(self.fitted.config)
        entries = [(str(one.user), one.step, self._memories.get(one.user, empty)) for one in queries]
        if self.fitted.blend is None:
            return Wave.of(entries)
        return Wave.of(entries, [one.at for one in queries], [self._past.get(one.user, [])[-LAST:] for one in queries])

    @property
    def fitted(self) -> Recommender:
        """The fitted recommender; ModelError before `fit`."""
        if self._recommender is None:
            raise ModelError("not fitted; call fit first")
        return self._recommender


def _by_user(events: Sequence[Event]) -> Steps:
    steps: dict[str, list[tuple[Any, str]]] = {}
    for one in events:
        steps.setdefault(str(one.user), []).append((one.step, str(one.item)))
    return steps

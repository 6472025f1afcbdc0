"""The stream of an evaluation: rank, score, learn, in time order (ALGORITHMS 6).

Interactions of the training part feed memories and statistics; those of the validation and test parts are ranked, then learned.
Under strict ties everything of one time is ranked before any of it is learned or counted; memories and owned items move on.

Legend: E interactions, I items, B interactions of a wave, K length of a list.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from model import ModelError
from model.contract import Event, Ranker, Varied
from model.ranking import best_rows
from streams.evaluate.cases import TRAIN_PART, Cases

Floats = NDArray[np.float32]
STRICT, ORDER = "strict", "order"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a stream is run."""

    ties: str = STRICT
    "strict: a time is ranked whole before it is learned; order: wave by wave in file order"
    wave: int = 64
    "interactions of distinct users ranked together, at most"
    keep_owned: bool = False
    "rank items that the user already owns, too (the paper's own protocol)"
    list_size: int = 100
    "K of the lists that diversity, novelty and coverage look at"


@dataclass(slots=True, eq=False)
class Outcome:
    """What a system did on every interaction."""

    rank_E: NDArray[np.int32]
    "of the item taken, from 1; 0 = not ranked (training part)"
    lists_EK: NDArray[np.int32]
    "item rows of the list shown, best first; -1 = no item"
    ranked_seconds: float = 0.0
    "spent in ranking, advancing and learning what was ranked"

    @classmethod
    def empty(cls, cases: Cases, size: int) -> "Outcome":
        """Of a stream that has not begun."""
        return cls(np.zeros(len(cases.events), np.int32), np.full((len(cases.events), size), -1, np.int32))

    @property
    def events_per_second(self) -> float:
        """Ranked interactions a second."""
        return float((self.rank_E > 0).sum() / self.ranked_seconds) if self.ranked_seconds else 0.0


def begin(ranker: Ranker, cases: Cases, protocol: Protocol) -> int:
    """Let a fitted system count what comes before everything that is ranked; gives how many interactions that were."""
    run, begun = _Run(ranker, cases, protocol, Outcome.empty(cases, 0)), 0
    for tie in _ties(cases, protocol):
        if (cases.part_E[tie] != TRAIN_PART).any():
            break
        run.count(tie)
        run.learn(tie, updates=False)
        begun += len(tie)
    return begun


def stream(
    ranker: Ranker, cases: Cases, protocol: Protocol, watch: Callable[[int], None] = lambda _: None, *, begun: int = 0
) -> Outcome:
    """Run a fitted system over all interactions but the first `begun`, which it has counted already (`begin`).

    Raises ModelError when a score is not a finite number of the catalogue's shape.
    """
    size = min(protocol.list_size, len(cases.items))
    outcome = Outcome.empty(cases, size)
    run = _Run(ranker, cases, protocol, outcome)
    for tie in _ties(cases, protocol):
        if tie[-1] < begun:
            run.own(tie)
            continue
        counted = [row for row in tie if cases.part_E[row] == TRAIN_PART]
        ranked = [row for row in tie if cases.part_E[row] != TRAIN_PART]
        run.count(counted)
        started = time.perf_counter()
        run.rank(ranked)
        run.learn(counted, updates=False)
        run.learn(ranked, updates=True)
        if ranked:
            outcome.ranked_seconds += time.perf_counter() - started
        watch(len(tie))
    return outcome


def _ties(cases: Cases, protocol: Protocol) -> Iterator[list[int]]:
    """Rows that are ranked before any of them is learned."""
    rows = range(len(cases.events))
    if protocol.ties == STRICT:
        for _, tie in groupby(rows, key=lambda row: cases.events[row].at):
            yield list(tie)
    else:
        yield from waves(cases.events, rows, protocol.wave)


def waves(events: Sequence[Event], rows: Sequence[int], size: int) -> Iterator[list[int]]:
    """The rows in order, in waves of at most `size` distinct users; a user who comes twice opens the next one."""
    wave: dict[int, int] = {}
    for row in rows:
        user = events[row].user
        if len(wave) >= size or user in wave:
            yield list(wave.values())
            wave = {}
        wave[user] = row
    if wave:
        yield list(wave.values())


@dataclass(slots=True)
class _Run:
    ranker: Ranker
    cases: Cases
    protocol: Protocol
    outcome: Outcome
    owned: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    varied: Callable[[Floats, int], Floats] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.ranker, Varied):
            self.varied = self.ranker.varied

    def count(self, rows: Sequence[int]) -> None:
        for wave in waves(self.cases.events, rows, self.protocol.wave):
            self.ranker.advance([self.cases.events[row] for row in wave])
            self.own(wave)

    def rank(self, rows: Sequence[int]) -> None:
        for wave in waves(self.cases.events, rows, self.protocol.wave):
            events = [self.cases.events[row] for row in wave]
            scores_BI = self.ranker.rank(events)
            self._check(scores_BI, len(events))
            for row, event, scores_I in zip(wave, events, scores_BI, strict=True):
                self._score(row, event, scores_I)
            self.ranker.advance(events)
            self.own(wave)

    def learn(self, rows: Sequence[int], *, updates: bool) -> None:
        if rows:
            self.ranker.learn([self.cases.events[row] for row in rows], updates=updates)

    def own(self, rows: Sequence[int]) -> None:
        """Note whose items they are."""
        for row in rows:
            self.owned[self.cases.events[row].user].append(self.cases.events[row].item)

    def _score(self, row: int, event: Event, scores_I: Floats) -> None:
        """Rank of the item taken among those the user does not own, and itself; equals stand before it."""
        taken, size = scores_I[event.item], self.outcome.lists_EK.shape[1]
        if not self.protocol.keep_owned:
            scores_I = scores_I.copy()
            scores_I[self.owned[event.user]] = -np.inf
        if self.varied is not None:
            scores_I = self.varied(scores_I, size)
        # An item that is owned already has lost its own place among the scores.
        is_owned = np.isneginf(scores_I[event.item])
        taken = taken if is_owned else scores_I[event.item]
        self.outcome.rank_E[row] = np.count_nonzero(scores_I >= taken) + is_owned
        self.outcome.lists_EK[row] = _best(scores_I, size)

    def _check(self, scores_BI: Floats, count: int) -> None:
        shape = (count, len(self.cases.items))
        if scores_BI.shape != shape or not np.isfinite(scores_BI).all():
            raise ModelError(
                f"{type(self.ranker).__name__}.rank gave scores of shape {scores_BI.shape} for {shape}, "
                f"{np.count_nonzero(~np.isfinite(scores_BI))} of them not finite; give one finite number an item"
            )


def _best(scores_I: Floats, count: int) -> NDArray[np.int32]:
    """Rows of the best finite scores, best first, equals by row; -1 where there are no more."""
    best = best_rows(scores_I, count)
    return np.where(np.isfinite(scores_I[best]), best, -1).astype(np.int32)

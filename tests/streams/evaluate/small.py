"""Small cases, and a ranker that notes what it is told."""

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model import Step
from model.contract import Event, Query, Training
from streams.evaluate.cases import Cases

HELD = "TEST_HELD"  # names the file that an endless fit holds
TRAIN, VALIDATION, TEST = 0, 1, 2
STEP = Step(np.zeros(0, np.float32), 0.0)


def cases(events: Sequence[tuple[int, int, int, int]], users: int = 3, items: int = 4) -> Cases:
    """Cases of (user, item, at, part), without posts."""
    return Cases(
        tuple(f"u{row}" for row in range(users)), tuple(f"i{row}" for row in range(items)), (), 0, 1.0,
        tuple(Event(user, at, None, STEP, item) for user, item, at, _ in events),
        np.array([part for *_, part in events], np.int8), np.zeros((len(events), 0), np.int32), np.eye(items, dtype=np.float32),
    )  # fmt: skip


@dataclass
class Counting:
    """Ranks items by how often they were learned; notes the calls."""

    items: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    calls: list[tuple[str, tuple[int, ...], bool | None]] = field(default_factory=list)

    def fit(self, training: Training) -> None:
        """Take the size of the catalogue."""
        self.items = training.items

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Counts as scores."""
        self.calls.append(("rank", tuple(one.user for one in queries), None))
        return np.tile(np.array([self.counts[row] for row in range(self.items)], np.float32), (len(queries), 1))

    def advance(self, events: Sequence[Event]) -> None:
        """Note who moves on."""
        self.calls.append(("advance", tuple(one.user for one in events), None))

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Count the items."""
        self.calls.append(("learn", tuple(one.item for one in events), updates))
        self.counts.update(one.item for one in events)


class Broken(Counting):
    """Its fit fails."""

    def fit(self, training: Training) -> None:
        """Raise."""
        raise RuntimeError(f"{training.items} items are too many")


class Endless(Counting):
    """Its fit locks a file and never ends."""

    def fit(self, training: Training) -> None:
        """Hold the file."""
        del training
        with Path(os.environ[HELD]).open() as one:
            fcntl.flock(one, fcntl.LOCK_EX)
            threading.Event().wait()

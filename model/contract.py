"""What every system of the comparison offers: `fit` once, then `rank`, `advance` and `learn` along the stream.

Users and items are rows here, 0..U-1 and 0..I-1, the catalogue being fixed in an evaluation. The order of calls is

    fit(training)                                 once
    for each tie (all interactions of one time):
        for each batch of distinct users:
            rank(queries)                         not in the training part
            advance(events)                       the same users: his memory moves on
        learn(events of the tie, updates=...)     weights and statistics

Legend: B queries, I items, M length of x, N networks, K topics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.step import Step

ONLINE_RATES = tuple({"online_rate": rate} for rate in (3e-4, 1e-3, 3e-3, 1e-2))
"variants of every system that learns online by Adam"


@dataclass(frozen=True, slots=True)
class Query:
    """What may be known of an interaction before its item is looked at."""

    user: int
    at: int
    "epoch milliseconds"
    gap_seconds: float | None
    "since the user's interaction before; None for his first"
    step: Step
    "his posts since then, and the gap, as the model sees them"


@dataclass(frozen=True, slots=True)
class Event(Query):
    """An interaction, its item known."""

    item: int


@dataclass(frozen=True, slots=True)
class Training:
    """What a system may see before the stream starts."""

    users: int
    items: int
    networks: tuple[str, ...]
    topics: int
    "K of each network; 0 without posts"
    tau_seconds: float
    "mean gap of the training part"
    train: Sequence[Event]
    "in time order"
    validation: Sequence[Event]
    "in time order, later than `train` for each user: for stopping early, not for learning from"
    words: Sequence[Sequence[str]] = ()
    "of each item's text, by row; () = no texts"


@runtime_checkable
class Varied(Protocol):
    """A system may also say what the end of a list is to be made of."""

    def varied(self, scores_I: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Scores by which a list of that size is cut and ranks are counted; what is not to be ranked has -inf, and keeps it."""


@runtime_checkable
class Ranker(Protocol):
    """One system. Made from keyword settings and a `seed`; the same calls give the same scores on one machine."""

    def fit(self, training: Training) -> None:
        """Learn offline. Leaves memories and statistics empty: the stream starts with the training part."""

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Scores of the catalogue, (B, I), finite, higher is better; owned items are left out by the caller. Changes nothing."""

    def advance(self, events: Sequence[Event]) -> None:
        """Move the memories of distinct users over their interactions. Weights and statistics stay."""

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Take in a whole tie, ranked before; `updates` False (the training part) feeds statistics and leaves weights alone."""

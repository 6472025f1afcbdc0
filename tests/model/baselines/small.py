"""A small stream for the systems that are compared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model import Step
from model.contract import Event, Ranker, Training

USERS, ITEMS, TOPICS, NETWORKS = 5, 9, 3, ("twitter", "gplus")
HOUR = 3_600_000


def events(count: int, seed: int = 0, topics: int = TOPICS) -> list[Event]:
    """Interactions in time order, some at the same time; item and topics of a user go together."""
    random = np.random.default_rng(seed)
    made: list[Event] = []
    last: dict[int, int] = {}
    for number in range(count):
        user, at = int(random.integers(USERS)), 1_700_000_000_000 + number // 2 * HOUR
        x_M = np.zeros(len(NETWORKS) * topics, np.float32)
        if topics and random.random() < 0.7:
            x_M[user % topics] = 1.0
        gap_seconds = (at - last[user]) / 1000 if user in last else None
        item = (user + int(random.integers(3))) % (ITEMS - 1)
        made.append(Event(user, at, gap_seconds, Step(x_M, 0.5 if user in last else 0.0), item))
        last[user] = at
    return made


def training(log: Sequence[Event], topics: int = TOPICS) -> Training:
    """The first 60 train, the next 15 validate."""
    return Training(USERS, ITEMS, NETWORKS, topics, 3600.0, log[:60], log[60:75])


def run(ranker: Ranker, log: Sequence[Event], learned_from: int) -> list[list[float]]:
    """Stream interaction by interaction; the scores before each one from `learned_from` on."""
    scores = []
    for number, one in enumerate(log):
        if number >= learned_from:
            scores += ranker.rank([one]).tolist()
        ranker.advance([one])
        ranker.learn([one], updates=number >= learned_from)
    return scores


def other_item(one: Event) -> Event:
    """The same interaction with another item."""
    return replace(one, item=(one.item + 1) % ITEMS)

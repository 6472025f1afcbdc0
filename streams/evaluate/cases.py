"""A data folder as the cases of a comparison: every interaction with the step it gives, made once for all systems.

The steps come from the line's own gather, so that a system is judged on what the worker would show it.

Legend: U users, I items, E interactions, N networks, D length of an item's vector.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model import ModelConfig, Recommender
from model.contract import Event, Training
from streams.errors import DataError
from streams.folder import TEST, TRAINING, VALIDATION, Part
from streams.items import text_of, words_of
from streams.line import Line
from streams.records import Interaction, Item, Post
from streams.settings import Settings
from streams.state import Users
from streams.train import mean_gap_seconds
from topics_svc import TopicConfig, TopicService
from topics_svc import fit as fit_topics

Floats = NDArray[np.float32]
_TINY = np.float32(1e-9)
TRAIN_PART, VALIDATION_PART, TEST_PART = range(3)
_PARTS = {TRAINING: TRAIN_PART, VALIDATION: VALIDATION_PART, TEST: TEST_PART}


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """All interactions of a data folder in time order, by row."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    networks: tuple[str, ...]
    topics: int
    tau_seconds: float
    events: tuple[Event, ...]
    part_E: NDArray[np.int8]
    posts_EN: NDArray[np.int32]
    "posts in the closed window of each interaction"
    vectors_ID: NDArray[np.float32]
    "what diversity compares: topics of the item's text, else the training users who took it; unit rows or zero"
    words: tuple[tuple[str, ...], ...] = ()
    "of each item's title and text"
    service: TopicService | None = None
    "the topics, which serve the same data with other posts, too"

    def of(self, part: int) -> list[Event]:
        """The interactions of one part."""
        return [event for event, one in zip(self.events, self.part_E, strict=True) if one == part]

    def training(self) -> Training:
        """What a system may be fitted on."""
        return Training(
            len(self.users), len(self.items), self.networks, self.topics, self.tau_seconds,
            self.of(TRAIN_PART), self.of(VALIDATION_PART), self.words,
        )  # fmt: skip


def topics_of(parts: Sequence[Part], config: TopicConfig) -> TopicService | None:
    """Topics of the training posts, an author being a user on one network; None where there are no posts."""
    posts = [
        (f"{one.record.user}\t{one.record.network}", one.record.text)
        for one in parts
        if isinstance(one.record, Post) and one.part == TRAINING
    ]
    return fit_topics(posts, config) if posts else None


def cases(
    parts: Sequence[Part], items: dict[str, Item], networks: Sequence[str], topics: TopicService | None, settings: Settings
) -> Cases:
    """The cases of records in time order. Raises DataError when a part that is needed is empty."""
    taken = [one for one in parts if isinstance(one.record, Interaction)]
    counts = Counter(one.part for one in taken)
    for part in _PARTS:
        if not counts[part]:
            raise DataError(f"the {part} part has no interactions; give more data or another --split")
    tau_seconds = mean_gap_seconds(parts) or ModelConfig((), 0).tau_seconds
    config = ModelConfig(tuple(networks), topics.topics if topics else 0, tau_seconds=tau_seconds)
    users = {name: row for row, name in enumerate(dict.fromkeys(one.record.user for one in taken))}
    names = {name: row for row, name in enumerate(dict.fromkeys([*_items(taken), *items]))}
    line = Line(Recommender(config), topics, settings.line, Users(config), publishes=False)
    events, windows = [], []
    for one in parts:
        if isinstance(one.record, Interaction):
            user = line.users[one.record.user]
            gap_seconds = None if user.last_at is None else max(0, one.record.at - user.last_at) / 1000
            windows.append(user.window.merged(one.record.at, settings.line.first_window_days).posts_N)
            line.gather(one.record)
            step = line.wave.pop(one.record.user).step
            row = users[one.record.user], names[one.record.item]
            events.append(Event(row[0], one.record.at, gap_seconds, step, row[1]))
        else:
            line.gather(one.record)
    part_E = np.array([_PARTS[one.part] for one in taken], np.int8)
    trained = [event for event, part in zip(events, part_E, strict=True) if part == TRAIN_PART]
    vectors_ID = _vectors(names, items, topics, trained, len(users))
    return Cases(
        tuple(users), tuple(names), config.networks, config.topics, tau_seconds, tuple(events), part_E,
        np.array(windows, np.int32).reshape(len(events), len(config.networks)), vectors_ID,
        tuple(tuple(words_of(items[name])) if name in items else () for name in names), topics,
    )  # fmt: skip


def _items(taken: Iterable[Part]) -> Iterable[str]:
    return (one.record.item for one in taken if isinstance(one.record, Interaction))


def _vectors(
    names: dict[str, int], items: dict[str, Item], topics: TopicService | None, training: Sequence[Event], users: int
) -> Floats:
    texts = {row: text_of(items[name]) for name, row in names.items() if name in items}
    if topics is not None and any(texts.values()):
        vectors = np.zeros((len(names), topics.topics), np.float32)
        for row, text in texts.items():
            theta_K = topics.infer(text, None)
            if theta_K is not None:
                vectors[row] = theta_K
    else:
        vectors = np.zeros((len(names), users), np.float32)
        for event in training:
            vectors[event.item, event.user] = 1
    norms_I1: Floats = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms_I1, _TINY), np.float32)


"""What a run left on Kafka, held against an undisturbed run of the same log without Kafka.

Nothing lost: every interaction has its list. Nothing twice: windows, steps, owned items and seen ids of every user are those of the
undisturbed run, and every copy of a list stands under the id of the one record that triggered it. Weights: the newest checkpoint
and the oldest lead over their lessons to the same ones, bit for bit.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import ConsumerRecord
from numpy.typing import NDArray

from model import ModelError, Recommender
from streams import assemble, restore
from streams.align import Held, in_order
from streams.checkpoint import Checkpoints, mark_of
from streams.line import Line, flush
from streams.records import DeadLetter, Forget, Interaction, InvalidRecord, Post, Source, forget, parse
from streams.rows import User
from streams.settings import Settings


@dataclass(slots=True)
class Toll:
    """What a fault itself took, so that no worker could have kept it."""

    users: set[str] = field(default_factory=set)
    "whose rows were altered"
    unread: set[Source] = field(default_factory=set)
    "records deleted before a worker had read them"
    read: list[ConsumerRecord] = field(default_factory=list)
    "records deleted after that, as they were"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found; all well when `faults` is empty."""

    records: int
    interactions: int
    lists: int
    lost: int
    "interactions without a list"
    astray: int
    "lists under another id than that of the record that triggered them: a second id for one interaction"
    doubled: int
    "steps more than the undisturbed run has"
    differing: tuple[str, ...]
    "users whose state differs"
    same_weights: bool

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words."""
        said = []
        if self.lost:
            said.append(f"{self.lost} of {self.interactions} interactions have no list")
        if self.astray:
            said.append(f"{self.astray} lists stand under an id that is not theirs")
        if self.doubled:
            said.append(f"{self.doubled} steps too many")
        if self.differing:
            said.append(f"{len(self.differing)} users differ from the undisturbed run, among them {', '.join(self.differing[:3])}")
        if not self.same_weights:
            said.append("the weights are not those of the lesson log")
        return said


def audit(artifact: Path, settings: Settings, toll: Toll | None = None) -> Audit:
    """Compare; the worker must have committed all and be stopped."""
    return asyncio.run(_audit(artifact, settings, toll or Toll()))


async def _audit(artifact: Path, settings: Settings, toll: Toll) -> Audit:
    line, found = (assemble.load(artifact, settings.line) for _ in range(2))
    undisturbed = assemble.line_of(line, settings)
    log = await _log(settings, toll)
    taken = _drive(undisturbed, log)
    interactions = {name for name, one in taken.items() if isinstance(one, Interaction)}
    await restore.restore_users(found.users, settings, found.name)
    lists = [json.loads(one.value) for one in await _all(settings, settings.kafka.recommendations) if one.value is not None]
    listed = {one["id"] for one in lists}
    excused = {str(source) for source in toll.unread}
    expected, state = undisturbed.users, found.users
    both = [name for name in expected if name in state]
    differing = {name for name in both if not _same(expected[name], state[name])} | (set(expected) ^ set(state))
    return Audit(
        records=len(log),
        interactions=len(interactions),
        lists=len(listed),
        lost=len(interactions - listed),
        astray=sum(one["id"] not in excused and not _is_its_own(one, taken) for one in lists),
        doubled=sum(max(0, state[name].memory.steps - expected[name].memory.steps) for name in both),
        differing=tuple(sorted(differing)),
        same_weights=await _weights_agree(artifact, settings, found.name),
    )


def _is_its_own(said: Mapping[str, Any], taken: Mapping[str, Post | Interaction]) -> bool:
    """Whether a list is that of the record whose id it bears."""
    record = taken.get(said["id"])
    trigger = "interaction" if isinstance(record, Interaction) else "post"
    return record is not None and (said["user"], said["at"], said["trigger"]) == (record.user, record.at, trigger)


def _drive(line: Line, log: list[Held]) -> dict[str, Post | Interaction]:
    """Run the log through the line without Kafka; what it took, by the ids that lists must have."""
    taken: dict[str, Post | Interaction] = {}
    for record in log:
        if isinstance(record, DeadLetter):
            continue
        if isinstance(record, Forget):
            flush(line, ends_tie=True)
            line.forget(record.user)
        elif not line.skips(record):
            if line.closes_before(record):
                flush(line, ends_tie=line.ends_tie(record))
            line.gather(record)
            taken[str(record.source)] = record
    flush(line, ends_tie=True)
    return taken


async def _log(settings: Settings, toll: Toll) -> list[Held]:
    """Every input record that a worker could read, in event-time order."""
    networks: dict[str, str | None] = {name: network for network, name in settings.networks.items()}
    kept = [one for name in settings.input_topics() for one in await _all(settings, name)]
    # By place, because a broker that is killed within a minute of a deletion has forgotten it, and shows what it deleted.
    held = {_source(one): one for one in [*toll.read, *kept]}
    return in_order(_parsed(one, networks.get(one.topic)) for source, one in held.items() if source not in toll.unread)


def _parsed(one: ConsumerRecord, network: str | None) -> Held:
    source = _source(one)
    try:
        return forget(one.key, source) if one.value is None else parse(one.value, network, source, one.timestamp)
    except InvalidRecord as error:
        return DeadLetter(one.key, one.value, error.reason, str(error), source)


def _source(one: ConsumerRecord) -> Source:
    return Source(one.topic, one.partition, one.offset)


async def _all(settings: Settings, kafka_topic: str) -> list[ConsumerRecord]:
    """All committed records of a Kafka topic."""
    return [one async for one in restore.read(settings, kafka_topic, range(settings.kafka.partitions), 0)]


def _same(expected: User, user: User) -> bool:
    pairs: list[tuple[NDArray[np.generic], NDArray[np.generic]]] = [
        (expected.memory.past_x, user.memory.past_x), (expected.counts_NK, user.counts_NK),
        (expected.window.sums_NK, user.window.sums_NK), (expected.window.posts_N, user.window.posts_N),
    ]  # fmt: skip
    plain = ("last_at", "owned", "listed_at", "touched_at", "seen")
    return (
        expected.memory.steps == user.memory.steps
        and all(np.array_equal(one, other) for one, other in pairs)
        and all(getattr(expected, name) == getattr(user, name) for name in plain)
        and expected.window.days.keys() == user.window.days.keys()
    )


async def _weights_agree(artifact: Path, settings: Settings, name: str) -> bool:
    """Whether the checkpoints that can be read, and the artifact where its lessons are still there, lead to the same weights."""
    first, _ = await restore.lessons_range(settings)
    starts = [artifact / "model"] if first == 0 else []
    mark = mark_of(name, await restore.cluster_id(settings), settings)
    hashes = set()
    for path in [*starts, *Checkpoints(artifact, mark, settings.worker).paths()]:
        try:
            recommender, extra = Recommender.load(path)
        except ModelError:
            continue
        await restore.replay_lessons(recommender, settings, name, int(extra.get("next_lesson", 0)))
        hashes.add(recommender.state_hash())
    return len(hashes) == 1

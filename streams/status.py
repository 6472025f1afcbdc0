"""Where a running crossnet stands: the consumer group, what of its input it has committed, and what its workers say of themselves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from streams import tail
from streams.connection import admin, consumer
from streams.scrape import Metrics
from streams.settings import Settings

_SECONDS = 2.0  # a worker answers in milliseconds, even while it learns


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the consumer group."""

    name: str
    host: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Place:
    """One input partition: its end, where a restart would go on (None = nothing committed yet), and what lies between."""

    kafka_topic: str
    partition: int
    end: int
    committed: int | None
    lag: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker's own account; `figures` are empty where it does not answer."""

    address: str
    not_ready: str | None
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Status:
    """All of it."""

    bootstrap: str
    brokers: int
    group: str
    state: str
    members: list[Member]
    partitions: list[Place]
    workers: list[Seen]

    @property
    def lag(self) -> int:
        """Records not yet committed, over all input partitions."""
        return sum(one.lag for one in self.partitions)

    def problems(self) -> list[str]:
        """What is not as it should be, one sentence each."""
        found = [f"worker {one.address}: {one.not_ready}" for one in self.workers if one.not_ready]
        if not self.members:
            found.append(f"nobody is in group {self.group}; start a worker")
        return found


async def look(settings: Settings, addresses: Sequence[str]) -> Status:
    """Ask Kafka and the workers at these addresses."""
    kafka = settings.kafka
    async with admin(kafka) as client:
        cluster = await client.describe_cluster()
        state, members = _group((await client.describe_consumer_groups([kafka.group]))[0].groups[0])
        committed = await client.list_consumer_group_offsets(kafka.group)
    places = await tail.partitions(settings, settings.input_topics())
    async with consumer(kafka) as reader:
        begins, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
    workers = await asyncio.gather(*(asyncio.to_thread(_seen, one) for one in addresses))
    partitions = [_place(one, begins[one], ends[one], committed) for one in places]
    return Status(kafka.bootstrap, len(cluster["brokers"]), kafka.group, state, members, partitions, list(workers))


def _place(one: TopicPartition, begin: int, end: int, committed: dict[TopicPartition, Any]) -> Place:
    found = committed[one].offset if one in committed else None
    following = None if found is None or found < 0 else int(found)
    return Place(one.topic, one.partition, end, following, max(0, end - (begin if following is None else following)))


def _group(found: Any) -> tuple[str, list[Member]]:  # noqa: ANN401 - aiokafka ships no types
    """State and members from an answer of Kafka: (error, group, state, type, protocol, members)."""
    members = [
        Member(name, host.lstrip("/"), _count(assignment)) for name, _, host, _, assignment in (one[:5] for one in found[5])
    ]
    return str(found[2]), members


def _count(assignment: bytes) -> int:
    if not assignment:
        return 0
    return sum(len(partitions) for _, partitions in ConsumerProtocolMemberAssignment.decode(assignment).assignment)


_FIGURES = {
    "records": "crossnet_records_total", "lists": "crossnet_lists_total", "dead_letters": "crossnet_dead_letters_total",
    "held": "crossnet_held_records", "uncommitted": "crossnet_uncommitted_records", "users": "crossnet_users",
    "items": "crossnet_items", "loss": "crossnet_update_loss", "lessons": "crossnet_lessons_total",
}  # fmt: skip


def _seen(address: str) -> Seen:
    metrics = Metrics(address, _SECONDS)
    reason = metrics.not_ready()
    try:
        metrics.read()
    except OSError:
        return Seen(address, reason, {})
    figures = {name: metrics.sum(series) for name, series in _FIGURES.items()}
    for ranking in ("scored", "popularity"):
        figures[f"hr@10_{ranking}"] = metrics.mean("crossnet_hits_total", ranking, 10)
    return Seen(address, reason, figures)

"""Start-up: the offsets to start from, the users' rows, the lessons since the checkpoint (DESIGN sections 8 and 9)."""

import ctypes
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from model import Recommender
from streams.align import Partition
from streams.collector import uncollected
from streams.connection import admin, consumer, input_partitions
from streams.faults import point
from streams.settings import Settings
from streams.state import Users
from streams.tail import to_ends

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """Where the worker begins to read."""

    offsets: dict[Partition, int]
    fresh: bool
    "the group has committed nothing yet"
    lost: int
    "records that retention deleted before they were read"


async def start_offsets(settings: Settings, *, earliest: bool) -> Start:
    """The next offset of every input partition; a fresh group starts at the log's end, or at its beginning.

    A committed offset that is not on the log any more (retention was faster, or the Kafka topic is new) gives way to the beginning.
    """
    async with _consumer(settings, group=settings.kafka.group) as client:
        partitions = input_partitions(settings)
        client.assign(partitions)
        committed = {partition: await client.committed(partition) for partition in partitions}
        first, end = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
    offsets: dict[Partition, int] = {}
    lost = 0
    for one, offset in committed.items():
        if offset is None:
            offset = (first if earliest else end)[one]
        elif not first[one] <= offset <= end[one]:
            lost += max(0, first[one] - offset)
            _logger.warning("%s-%d: offset %d is not on the log any more (%d to %d); reading goes on at its beginning",
                            one.topic, one.partition, offset, first[one], end[one])  # fmt: skip
            offset = first[one]
        offsets[one.topic, one.partition] = offset
    return Start(offsets, all(offset is None for offset in committed.values()), lost)


async def restore_users(users: Users, settings: Settings, artifact: str) -> int:
    """Lay the rows of `state` over the artifact's users; gives how many were read."""
    rows, ours = 0, ("artifact", artifact.encode())
    with uncollected():
        async for record in read(settings, settings.kafka.state, range(settings.kafka.partitions), 0):
            if ours in record.headers and record.key is not None:
                users.load(record.key, record.value)
                rows += 1
        users.finish()
    _give_back()
    return rows


def _give_back() -> None:
    """Have the C library return what the rows took one by one; glibc, which alone has the function, would keep it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def replay_lessons(recommender: Recommender, settings: Settings, artifact: str, start: int) -> tuple[int, int]:
    """Do again what the lessons from offset `start` on say; gives how many, and the offset after the last."""
    count, following = 0, start
    async for record in lessons(settings, artifact, start):
        recommender.replay(record.value)
        count, following = count + 1, record.offset + 1
        point("restore.inside")
    return count, following


async def lessons(settings: Settings, artifact: str, start: int) -> AsyncIterator[ConsumerRecord]:
    """The lessons of an artifact from offset `start` to the end as it is now."""
    async for record in read(settings, settings.kafka.lessons, [0], start):
        if _is_ours(record, artifact):
            yield record


async def lessons_range(settings: Settings) -> tuple[int, int]:
    """The offsets of the first lesson in Kafka and after the last."""
    partition = TopicPartition(settings.kafka.lessons, 0)
    async with _consumer(settings) as client:
        first, end = await client.beginning_offsets([partition]), await client.end_offsets([partition])
    return int(first[partition]), int(end[partition])


async def delete_lessons(settings: Settings, before: int) -> None:
    """Delete the lessons that no kept checkpoint needs. Raises BrokerError where that is not allowed."""
    async with admin(settings.kafka) as client:
        await client.delete_records({TopicPartition(settings.kafka.lessons, 0): RecordsToDelete(before)})
    point("lessons.deleted")


def _is_ours(record: ConsumerRecord, artifact: str) -> bool:
    return ("artifact", artifact.encode()) in record.headers


def _consumer(settings: Settings, group: str | None = None) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    return consumer(settings.kafka, group_id=group, isolation_level="read_committed")


async def read(settings: Settings, kafka_topic: str, numbers: Iterable[int], start: int) -> AsyncIterator[ConsumerRecord]:
    """Every committed record from `start` to the end as it is now."""
    async with _consumer(settings) as client:
        partitions = [TopicPartition(kafka_topic, number) for number in numbers]
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        for partition in partitions:
            client.seek(partition, start)
        async for record in to_ends(client, ends):
            yield record


async def cluster_id(settings: Settings) -> str:
    """Which Kafka cluster this is: offsets of one mean nothing on another."""
    async with admin(settings.kafka) as client:
        return str((await client.describe_cluster())["cluster_id"])

"""Start-up: the offsets to start from, the users' rows, the lessons since the checkpoint (DESIGN sections 8 and 9)."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from model import Lesson, Recommender
from streams.align import Partition
from streams.connection import admin, consumer
from streams.settings import Settings
from streams.state import Users

_logger = logging.getLogger(__name__)
_FETCH_MS = 1000


async def start_offsets(settings: Settings, *, earliest: bool) -> tuple[dict[Partition, int], bool]:
    """The next offset of every input partition, and whether the group is fresh (it starts at the log's end, or its beginning)."""
    async with _consumer(settings, group=settings.kafka.group) as client:
        partitions = [TopicPartition(name, number) for name in settings.input_topics() for number in range(settings.kafka.partitions)]
        client.assign(partitions)
        committed = {partition: await client.committed(partition) for partition in partitions}
        edges = await (client.beginning_offsets(partitions) if earliest else client.end_offsets(partitions))
    fresh = all(offset is None for offset in committed.values())
    found = {partition: edges[partition] if offset is None else offset for partition, offset in committed.items()}
    return {(partition.topic, partition.partition): offset for partition, offset in found.items()}, fresh


async def restore_users(users: Users, settings: Settings, artifact: str) -> int:
    """Lay the rows of `state` over the artifact's users; gives how many were read."""
    rows = 0
    async for record in _read(settings, settings.kafka.state, range(settings.kafka.partitions), 0):
        if _is_ours(record, artifact) and record.value is not None:
            users.load(record.key, record.value)
            rows += 1
    users.finish()
    return rows


async def replay_lessons(recommender: Recommender, settings: Settings, artifact: str, start: int) -> tuple[int, int]:
    """Learn the lessons from offset `start` on; gives how many, and the offset after the last."""
    count, following = 0, start
    async for record in lessons(settings, artifact, start):
        recommender.learn(Lesson.from_bytes(record.value))
        count, following = count + 1, record.offset + 1
    return count, following


async def lessons(settings: Settings, artifact: str, start: int) -> AsyncIterator[ConsumerRecord]:
    """The lessons of an artifact from offset `start` to the end as it is now."""
    async for record in _read(settings, settings.kafka.lessons, [0], start):
        if _is_ours(record, artifact):
            yield record


async def lessons_end(settings: Settings) -> int:
    """The offset after the last lesson in Kafka."""
    async with _consumer(settings) as client:
        partition = TopicPartition(settings.kafka.lessons, 0)
        ends = await client.end_offsets([partition])
        return int(ends[partition])


def _is_ours(record: ConsumerRecord, artifact: str) -> bool:
    return ("artifact", artifact.encode()) in record.headers


def _consumer(settings: Settings, group: str | None = None) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    return consumer(settings.kafka, group_id=group, isolation_level="read_committed")


async def _read(settings: Settings, kafka_topic: str, numbers: Iterable[int], start: int) -> AsyncIterator[ConsumerRecord]:
    """Every committed record from `start` to the end as it is now."""
    async with _consumer(settings) as client:
        partitions = [TopicPartition(kafka_topic, number) for number in numbers]
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        for partition in partitions:
            client.seek(partition, start)
        while True:
            # A position moves over transaction markers too, a record's offset does not.
            open_partitions = [one for one in partitions if await client.position(one) < ends[one]]
            if not open_partitions:
                return
            for records in (await client.getmany(*open_partitions, timeout_ms=_FETCH_MS)).values():
                for record in records:
                    yield record


async def cluster_id(settings: Settings) -> str:
    """Which Kafka cluster this is: offsets of one mean nothing on another."""
    async with admin(settings.kafka) as client:
        return str((await client.describe_cluster())["cluster_id"])

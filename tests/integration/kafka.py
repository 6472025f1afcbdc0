"""What a test does to the real broker: own names, records in, everything out."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from streams import connection, kafka_topics
from streams.settings import KafkaSettings, LineSettings, Settings, WorkerSettings

_READ_SECONDS = 240.0
_NAMES = ("target", "items", "recommendations", "dead_letters", "state", "lessons", "group")


@dataclass(frozen=True, slots=True)
class Record:
    """One record to produce; `at` is the record's own timestamp in milliseconds, None = now."""

    key: bytes | None
    value: bytes | None
    at: int | None = None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker shared by all tests, and names that no other test uses."""

    bootstrap: str
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}-")

    def settings(
        self,
        networks: Sequence[str] = ("twitter", "gplus"),
        partitions: int = 2,
        line: LineSettings | None = None,
        worker: WorkerSettings | None = None,
    ) -> Settings:
        """Settings with this test's own Kafka topics and group, whatever the environment says; a free port."""
        names = {name: self.prefix + str(KafkaSettings.model_fields[name].default) for name in _NAMES}
        return Settings.model_construct(
            networks={network: self.prefix + network for network in networks},
            kafka=KafkaSettings.model_validate({"bootstrap": self.bootstrap, "partitions": partitions, **names}),
            line=line or LineSettings(),
            worker=worker or WorkerSettings(port=0),
        )

    def create(self, settings: Settings) -> None:
        """Make the Kafka topics of these settings."""
        asyncio.run(kafka_topics.create(settings))

    def delete(self, topic: str) -> None:
        """Take a Kafka topic away, and wait until it is gone."""
        asyncio.run(self._delete(topic))

    async def _delete(self, topic: str) -> None:
        async with connection.admin(KafkaSettings(bootstrap=self.bootstrap)) as admin:
            await admin.delete_topics([topic])
            async with asyncio.timeout(60):
                while topic in await admin.list_topics():  # noqa: ASYNC110 - the broker tells only when asked
                    await asyncio.sleep(0.05)

    def produce(self, topic: str, records: Iterable[Record | tuple[bytes | None, bytes, int | None]]) -> list[tuple[int, int]]:
        """Send in this order and wait; partition and offset of each."""
        whole = [one if isinstance(one, Record) else Record(*one) for one in records]
        return asyncio.run(self._produce(topic, whole))

    def read_all(self, topic: str, isolation: str = "read_uncommitted") -> list[ConsumerRecord[bytes, bytes]]:
        """All that the Kafka topic holds now, by partition and offset; "read_committed" leaves out open transactions."""
        return asyncio.run(self._read_all(topic, isolation))

    async def _produce(self, topic: str, records: Sequence[Record]) -> list[tuple[int, int]]:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=4 * 2**20) as producer:
            sent = [
                await producer.send(
                    topic,
                    key=one.key,
                    value=one.value,
                    timestamp_ms=one.at,
                    partition=one.partition,
                    headers=list(one.headers),
                )
                for one in records
            ]
            done = await asyncio.gather(*sent)
        return [(one.partition, one.offset) for one in done]

    async def _read_all(self, topic: str, isolation: str) -> list[ConsumerRecord[bytes, bytes]]:
        found: list[ConsumerRecord[bytes, bytes]] = []
        deadline = time.monotonic() + _READ_SECONDS
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level=isolation, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            partitions = [TopicPartition(topic, number) for number in await _numbers(consumer, topic)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            while any([await consumer.position(one) < ends[one] for one in partitions]):
                if time.monotonic() > deadline:
                    raise AssertionError(f"{topic} was not read to its end within {_READ_SECONDS:.0f} s")
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
        return sorted(found, key=lambda one: (one.partition, one.offset))


async def _numbers(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    # The public partitions_for_topic() knows only Kafka topics that are subscribed to or assigned.
    numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic)
    if not numbers:
        raise AssertionError(f"no Kafka topic {topic}")
    return sorted(numbers)


def write_settings(settings: Settings, folder: Path) -> Path:
    """Write them as `settings.toml`, for programs started with `--artifacts FOLDER`."""
    lines: list[str] = []
    for section, values in settings.model_dump().items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    file = folder / "settings.toml"
    file.write_text("\n".join(lines), "utf-8")
    return file

"""Events over HTTP: validated as the worker would, then written to Kafka under the user's key."""

import asyncio
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams import connection, kafka_topics
from streams.errors import BrokerError
from streams.records import InvalidRecord, Source, parse
from streams.settings import Settings

_AT_ONCE = 200  # events on their way to Kafka; more are refused rather than kept


@dataclass(frozen=True, slots=True)
class Written:
    """Where an event stands in Kafka."""

    kafka_topic: str
    partition: int
    offset: int


class Events:
    """A producer with aiokafka's own partitioner, which is Kafka's murmur2: a user's events meet on one partition."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._under_way = 0
        target = settings.kafka.target
        self._networks: dict[str, str | None] = {**{name: name for name in settings.networks}, target: None}
        self._topics = {**settings.networks, target: target}

    @property
    def networks(self) -> tuple[str, ...]:
        """What events may be sent to: the source networks, and the Kafka topic of the target network."""
        return tuple(self._topics)

    async def write(self, network: str, value: bytes) -> Written:
        """Validate and write one event. Raises InvalidRecord with the schema's error, BrokerError when Kafka does not take it."""
        kafka_topic = self._topics[network]
        now_ms = round(time.time() * 1000)
        record = parse(value, self._networks[network], Source(kafka_topic, 0, 0), now_ms)
        if self._under_way >= _AT_ONCE:
            raise BrokerError(f"{_AT_ONCE} events are on their way to Kafka already; send again later")
        self._under_way += 1
        try:
            return await self._send(kafka_topic, record.user.encode(), value, now_ms)
        finally:
            self._under_way -= 1

    async def _send(self, kafka_topic: str, key: bytes, value: bytes, now_ms: int) -> Written:
        try:
            async with asyncio.timeout(self._settings.serve.request_seconds):
                producer = await self._started()
                done = await producer.send_and_wait(kafka_topic, value, key=key, timestamp_ms=now_ms)
        except MessageSizeTooLargeError as error:
            raise InvalidRecord("oversized", f"{len(value)} bytes; Kafka takes no record of that size") from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise BrokerError(
                f"Kafka has not confirmed the event ({type(error).__name__}); it may have been written or not"
            ) from error
        return Written(kafka_topic, done.partition, done.offset)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                # Asked for by name, a missing Kafka topic would be made by the broker, with one partition.
                await kafka_topics.partitions(self._settings, self._settings.input_topics())
                producer = AIOKafkaProducer(**connection.options(self._settings.kafka), acks="all")
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            await self._producer.stop()

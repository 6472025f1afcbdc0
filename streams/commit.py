"""Writing to Kafka: lists at once by a plain producer, everything that must agree in one transaction (DESIGN section 8).

A transaction holds every changed row once, the lessons, the dead letters and the input offsets. Its id is fixed, so a new worker
fences an old one that had only been frozen.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from streams.align import Partition
from streams.connection import named, options
from streams.errors import BrokerError
from streams.faults import point
from streams.records import DeadLetter, Recommendation
from streams.rows import Change
from streams.settings import Settings

# A full batch is waited for, at the 16 KB that are usual for each second list. Kafka takes a batch of 1 MB at most.
_BATCH_BYTES = 2**19
_TURN = 32  # rows after which the line gets its turn: sending thousands in one go is felt in the latency of lists
_MAX_REQUEST_BYTES = 16 * 2**20  # a lesson of a large wave; an input of 1 MB plus the headers of its dead letter


class FencedError(BrokerError):
    """Another worker has taken over."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit writes; `offsets` are the next ones to read."""

    rows: Sequence[Change]
    lessons: Sequence[bytes]
    dead_letters: Sequence[DeadLetter]
    offsets: Mapping[Partition, int]
    forgotten: Sequence[str] = ()
    "users whose lists are deleted"

    def __bool__(self) -> bool:
        return bool(self.rows or self.lessons or self.dead_letters or self.offsets or self.forgotten)


@dataclass(slots=True)
class Uncommitted:
    """What the line has done since the last commit."""

    lessons: list[bytes] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    offsets: dict[Partition, int] = field(default_factory=dict)
    taken: int = 0
    "records"


class Writer:
    """The two producers of a worker; rows and lessons carry the artifact's name in a header."""

    def __init__(self, settings: Settings, artifact: str) -> None:
        self._kafka, self._timeout_ms = settings.kafka, settings.worker.transaction_timeout_ms
        self._headers = [("artifact", artifact.encode())]
        self._lists: AIOKafkaProducer | None = None
        self._transactions: AIOKafkaProducer | None = None
        self._sent: list[asyncio.Future[object]] = []
        self._offsets: dict[Partition, int] = {}  # of the last commit that had some
        self._one_at_a_time = asyncio.Lock()
        self._is_fenced = False

    async def start(self) -> None:
        """Connect both producers; whoever held the transactional id before is fenced from here on."""
        common = {**options(self._kafka), "max_request_size": _MAX_REQUEST_BYTES, "max_batch_size": _BATCH_BYTES}
        self._lists = AIOKafkaProducer(**common, acks="all", linger_ms=0)
        self._transactions = AIOKafkaProducer(**common, transactional_id=f"{self._kafka.group}-worker",
                                              transaction_timeout_ms=self._timeout_ms)  # fmt: skip
        try:
            await self._lists.start()
            await self._transactions.start()
        except KafkaError as error:
            await self.stop()
            raise await named(error, self._kafka) from error

    async def stop(self) -> None:
        """Close both producers."""
        for producer in (self._lists, self._transactions):
            if producer is not None:
                await producer.stop()

    async def publish(self, lists: Iterable[Recommendation]) -> None:
        """Send lists at once; `commit` makes sure that they arrived."""
        assert self._lists is not None  # noqa: S101 - start() has been awaited
        for one in lists:
            future = await self._lists.send(self._kafka.recommendations, one.to_json(), key=one.user.encode())
            self._sent.append(future)

    async def commit(self, batch: Batch) -> int | None:
        """Flush the lists, then write the batch as one transaction; gives the offset after its last lesson."""
        point("lists.before")
        sent, self._sent = self._sent, []
        arriving = asyncio.gather(*sent)
        point("lists.inside")
        await arriving
        point("lists.after")
        return await self._transaction(batch)

    async def prove(self) -> None:
        """Write the offsets of the last commit once more: a worker that has been replaced meanwhile learns it so."""
        await self._transaction(Batch((), (), (), self._offsets))

    async def _transaction(self, batch: Batch) -> int | None:
        async with self._one_at_a_time:
            try:
                return await self._written(batch)
            except (ProducerFenced, InvalidProducerEpoch) as error:
                self._is_fenced = True
                raise FencedError(
                    f"another worker of group {self._kafka.group!r} has taken over, or this one stood still longer than Kafka waits; "
                    "it stops, and what it had not committed will be read again"
                ) from error

    async def _written(self, batch: Batch) -> int | None:
        producer = self._transactions
        assert producer is not None  # noqa: S101 - start() has been awaited
        if self._is_fenced:  # aiokafka would only say that no transaction can begin
            raise ProducerFenced
        lessons = []
        _point("before", batch)
        async with producer.transaction():
            for number, (key, value) in enumerate(batch.rows):
                await producer.send(self._kafka.state, value, key=key, headers=self._headers)
                if number % _TURN == 0:
                    await asyncio.sleep(0)
            for lesson in batch.lessons:
                lessons.append(await producer.send(self._kafka.lessons, lesson, partition=0, headers=self._headers))  # noqa: PERF401
            for letter in batch.dead_letters:
                await producer.send(
                    self._kafka.dead_letters, letter.value, key=letter.key, headers=_dead_letter_headers(letter)
                )
            for user in batch.forgotten:
                await producer.send(self._kafka.recommendations, None, key=user.encode())
            offsets = {TopicPartition(*partition): offset for partition, offset in batch.offsets.items()}
            if offsets:
                await producer.send_offsets_to_transaction(offsets, self._kafka.group)
            _point("inside", batch)
        _point("after", batch)
        self._offsets = dict(batch.offsets) or self._offsets
        return (await lessons[-1]).offset + 1 if lessons else None


def _point(stage: str, batch: Batch) -> None:
    """A fault point that only what was learned passes: how often a worker has to prove itself depends on the machine."""
    if batch.lessons:
        point(f"transaction.{stage}")


def _dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    return [
        ("reason", letter.reason.encode()),
        ("error", letter.error[:1000].encode("utf-8", "replace")),
        ("kafka_topic", letter.source.kafka_topic.encode()),
        ("partition", str(letter.source.partition).encode()),
        ("offset", str(letter.source.offset).encode()),
    ]

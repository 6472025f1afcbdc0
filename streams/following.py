"""Reading Kafka topics from their beginning, for as long as the process lives: no group, so any number may read.

When Kafka is away the records read so far stay, `not_ready` says why, and reading goes on where it stopped once Kafka is back.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams import connection, kafka_topics
from streams.errors import BrokerError
from streams.settings import Settings

_logger = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_STOP_SECONDS = 5.0
_SOON_SECONDS = 0.02
_BATCH = 50  # records taken before requests get their turn: some milliseconds


class Reader:
    """Gives every record of some Kafka topics to `take`, in the order of each partition."""

    def __init__(
        self, settings: Settings, names: Sequence[str], take: Callable[[ConsumerRecord], None], stale_seconds: float = 3.0
    ) -> None:
        self._settings, self._names, self._take, self._stale_seconds = settings, tuple(names), take, stale_seconds
        self._next: dict[TopicPartition, int] = {}
        self._caught_up = False
        self._answered_at = time.monotonic()
        self._trouble, self._warned = "not connected yet", False
        self.is_missing = False  # the Kafka topic is not there, as far as the broker has told
        self.behind: int | None = None  # records not yet read; None before the first look

    @property
    def silent_seconds(self) -> float:
        """How long ago Kafka last answered."""
        return time.monotonic() - self._answered_at

    def not_ready(self) -> str | None:
        """Why what is kept may be old; None when it is not."""
        if self._trouble and (self.behind is None or self.silent_seconds > self._stale_seconds):
            return f"{self._trouble}; last answer {self.silent_seconds:.0f} s ago"
        if not self._caught_up:
            left = "" if self.behind is None else f", {self.behind:,} records to read"
            return f"catching up with {' and '.join(self._names)}{left}"
        return None

    async def caught_up(self, seconds: float) -> None:
        """Return once all there is has been read, or cannot be read, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (self._caught_up or self._warned):  # noqa: ASYNC110 - asked once, at a start
                    await asyncio.sleep(_SOON_SECONDS)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._session()
            except (KafkaError, BrokerError, OSError, TimeoutError) as error:
                self.is_missing = isinstance(error, kafka_topics.MissingError)
                self._note(str(error) or f"Kafka at {self._settings.kafka.bootstrap} does not answer ({type(error).__name__})")
            await asyncio.sleep(_RETRY_SECONDS)

    def _note(self, trouble: str) -> None:
        if not self._warned:
            _logger.warning("cannot read %s: %s; trying again", ", ".join(self._names), trouble)
        self._trouble, self._warned = trouble, True

    async def _session(self) -> None:
        counts = await kafka_topics.partitions(self._settings, self._names)
        consumer = AIOKafkaConsumer(
            **connection.options(self._settings.kafka), enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed",
        )  # fmt: skip
        await consumer.start()
        try:
            await self._read(consumer, [TopicPartition(name, number) for name in self._names for number in range(counts[name])])
        finally:
            await stop_quietly(consumer)

    async def _read(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        consumer.assign(partitions)
        ends = await self._ends(consumer, partitions)
        begins = await consumer.beginning_offsets(partitions)
        for one in partitions:
            # A Kafka topic made anew ends before the place where the old one was left.
            start = self._next.get(one, 0)
            consumer.seek(one, start if begins[one] <= start <= ends[one] else begins[one])
        while True:
            if self.silent_seconds > _LOOK_SECONDS:
                ends = await self._ends(consumer, partitions)
            batches = await consumer.getmany(timeout_ms=100, max_records=_BATCH)
            for one, records in batches.items():
                for record in records:
                    self._take(record)
                self._next[one] = records[-1].offset + 1
            await self._measure(consumer, ends)
            await asyncio.sleep(0)

    async def _ends(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        async with asyncio.timeout(self._stale_seconds):
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        if self._trouble:
            _logger.info("reading %s", ", ".join(self._names))
        self._answered_at, self._trouble, self._warned, self.is_missing = time.monotonic(), "", False, False
        return ends

    async def _measure(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        # Positions move over transaction markers too, offsets of records do not.
        self.behind = sum([max(0, end - await consumer.position(one)) for one, end in ends.items()])
        if self.behind == 0 and not self._caught_up:
            self._caught_up = True
            gc.freeze()  # what has been read stays: looking through it again and again would hold requests up


async def stop_quietly(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer whose broker may be away: it then takes long, or raises what its own tasks were cancelled with."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping], timeout=_STOP_SECONDS)
    if not stopping.done():
        stopping.cancel()
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        _logger.debug("stopping a consumer: %s", error)

"""How far the worker is, as Kafka knows it: records written, records committed by its group, and how fast both grow."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams import connection
from streams.following import stop_quietly
from streams.settings import Settings

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_LOOKS = 10  # a rate is taken over so many looks


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    written: int
    committed: int | None


class Progress:
    """Looks once a second; None wherever Kafka has not said."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looks: deque[_Look] = deque(maxlen=_LOOKS + 1)

    @property
    def lag(self) -> int | None:
        """Input records that the worker's group has not committed."""
        last = self._looks[-1] if self._looks else None
        return None if last is None or last.committed is None else max(0, last.written - last.committed)

    @property
    def records_per_second(self) -> float | None:
        """Input records committed a second."""
        known = [(look.at, look.committed) for look in self._looks if look.committed is not None]
        if len(known) < 2:
            return None
        (first_at, first), (last_at, last) = known[0], known[-1]
        return max(0.0, (last - first) / (last_at - first_at))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self._session()
            except (KafkaError, OSError, TimeoutError) as error:
                _logger.debug("cannot look at the group: %s", error)
            self._looks.clear()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _session(self) -> None:
        kafka = self._settings.kafka
        # Nothing is joined and nothing committed: with assigned partitions a group id only says whose offsets to ask for.
        consumer = AIOKafkaConsumer(**connection.options(kafka), group_id=kafka.group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = connection.input_partitions(self._settings)
            consumer.assign(partitions)
            while True:
                async with asyncio.timeout(self._settings.serve.stale_seconds):
                    await self._look(consumer, partitions)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await stop_quietly(consumer)

    async def _look(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        ends = await consumer.end_offsets(partitions)
        offsets = await asyncio.gather(*(consumer.committed(one) for one in partitions))
        begins = await consumer.beginning_offsets(partitions)
        committed = None
        if any(offset is not None for offset in offsets):
            # What retention has deleted since is no longer lag.
            committed = sum(max(offset or 0, begins[one]) for one, offset in zip(partitions, offsets, strict=True))
        self._looks.append(_Look(time.monotonic(), sum(ends.values()), committed))

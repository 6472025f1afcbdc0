"""Faust's consumer, where its settings do not reach: one event a fetch instead of one a record, and what the broker's answers say.

A partition has been *asked* at a time when a fetch sent then has been answered and all it had by then has been handed on. That is
what tells the aligner that no earlier record can come, so every fetch that brought something is followed by one that does not wait.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import faust
from aiokafka import ConsumerRecord
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver

from streams.align import Partition

_faust_logger = logging.getLogger("faust.reader")
# That a process was frozen is told by its fence, in one line.
_faust_logger.addFilter(lambda record: "keepalive" not in record.getMessage())
logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(
    lambda record: not record.getMessage().startswith(("Heartbeat session expired", "Heartbeat failed: "))
)
_FETCH_MS = 50  # one request at a time goes to a broker: a partition that is not in it must not wait for long
_ROUND_SECONDS = 1.0
_SOON_SECONDS = 0.002
_QUEUED = 1  # fetches that wait while one is worked on; aiokafka itself reads further ahead


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stands in a partition: the next offset, the end as last heard, when it was asked (None: it has more)."""

    position: int
    end: int
    asked_at: float | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records in the order of each partition, when the broker's answer with them came, and where reading stood right after them."""

    records: Mapping[Any, Sequence[ConsumerRecord]]
    came_at: float
    places: Mapping[Partition, Place]


@dataclass(slots=True)
class _Answer:
    sent_at: float
    answered_at: float


class _Thread(driver.AIOKafkaConsumerThread):
    """Reads in its own thread, and notes when which partition was asked."""

    logger = _faust_logger

    def __post_init__(self) -> None:
        super().__post_init__()
        self._answers: dict[Any, _Answer] = {}
        self._assignment: Any = None
        self._has_news = False

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 - faust ships no types
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_MS  # noqa: SLF001 - Faust offers no setting
        return consumer

    # ---- in the thread ----

    def _watch(self, fetcher: Any) -> None:  # noqa: ANN401 - aiokafka ships no types
        """Have every fetch noted, before it is sent and once it is answered."""
        ask = fetcher._proc_fetch_request  # noqa: SLF001 - aiokafka tells of answers nowhere else

        async def noted(assignment: Any, node_id: int, request: Any) -> bool:  # noqa: ANN401 - aiokafka ships no types
            sent_at = time.monotonic()
            has_records = bool(await ask(assignment, node_id, request))
            self._note(assignment, request, sent_at)
            fetcher._fetch_max_wait_ms = 0 if has_records else _FETCH_MS  # noqa: SLF001 - aiokafka fixes it at the start
            for waiter in fetcher._fetch_waiters:  # noqa: SLF001 - an answer without records is news, too
                fetcher._notify(waiter)  # noqa: SLF001
            return has_records

        fetcher._proc_fetch_request = noted  # noqa: SLF001

    def _note(self, assignment: Any, request: Any, sent_at: float) -> None:  # noqa: ANN401 - aiokafka ships no types
        if assignment is not self._assignment:
            self._assignment, self._answers = assignment, {}
        answered_at = time.monotonic()
        for name, partitions in request.topics:
            for number, *_ in partitions:
                self._answers[faust.types.TP(name, number)] = _Answer(sent_at, answered_at)
        self._has_news = True

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None  # noqa: ANN401, ASYNC109 - Faust's
    ) -> Any:  # noqa: ANN401 - a Fetched in the place of its records
        if not self.consumer.flow_active:
            return None
        fetcher = consumer._fetcher  # noqa: SLF001 - as Faust does
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        if "_proc_fetch_request" not in vars(fetcher):
            self._watch(fetcher)
        with fetcher._subscriptions.fetch_context():  # noqa: SLF001
            records = await fetcher.fetched_records(active_partitions, max_records=max_records)
            if not records and not self._has_news:
                waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
                await asyncio.wait([waiter], timeout=timeout)
                if not waiter.done():
                    waiter.cancel()
                    return None
                waiter.result()  # errors of authorization
                records = await fetcher.fetched_records(active_partitions, max_records=max_records)
        self._has_news = False
        return Fetched(records, self._came_at(records), self._places(fetcher))

    def _came_at(self, records: Iterable[Any]) -> float:
        """When the last of these came. The next fetch is sent before they are handed on, and already tells what it must of others."""
        answers = [self._answers[tp].answered_at for tp in records if tp in self._answers]
        return max(answers, default=time.monotonic())

    def _places(self, fetcher: Any) -> dict[Partition, Place]:  # noqa: ANN401 - aiokafka ships no types
        found: dict[Partition, Place] = {}
        assignment = self._assignment
        if assignment is None or not assignment.active:
            return found
        for tp, answer in self._answers.items():
            state = assignment.state_value(tp)
            position, end = state._position, state.highwater  # noqa: SLF001 - the public one asserts that it is there
            if position is None or end is None:
                continue
            has_more = position < end or tp in fetcher._records  # noqa: SLF001
            found[tp.topic, tp.partition] = Place(position, end, None if has_more else answer.sent_at)
        return found

    # ---- beside the thread ----

    def _stopped_set(self) -> None:
        """After a crash the thread has ended by itself and closed its loop: there is nobody left to be woken."""
        try:
            super()._stopped_set()
        except RuntimeError:
            self._stopped.set()

    def silent_since(self, partition: Partition) -> float | None:
        """When the broker last answered about a partition; None when records of it lie here, or nothing was asked yet."""
        tp = faust.types.TP(*partition)
        answer, consumer = self._answers.get(tp), cast(Any, self._consumer)
        return None if answer is None or tp in consumer._fetcher._records else answer.answered_at  # noqa: SLF001


class _Consumer(driver.Consumer):
    """Hands whole fetches to the agent's channel."""

    logger = _faust_logger
    channel: Any = None

    def silent_since(self, partition: Partition) -> float | None:
        """As of the thread."""
        return cast(_Thread, self._thread).silent_since(partition)

    def _new_consumer_thread(self) -> Any:  # noqa: ANN401 - faust ships no types
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:  # noqa: ANN401 - faust ships no types
        """Faust's own takes two tasks a record; offsets it would count here are counted by the worker and by Kafka."""
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 - as Faust does
                if self.channel is None:  # the agent has not begun yet
                    await asyncio.sleep(_SOON_SECONDS)
                    continue
                generation = self.app.consumer_generation_id
                fetched, _ = await self._wait_next_records(_ROUND_SECONDS)
                if fetched and not self.flow_active:
                    await self.perform_seek()
                elif isinstance(fetched, Fetched) and generation == self.app.consumer_generation_id:
                    await self._hand_on(fetched, generation)
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise

    async def _hand_on(self, fetched: Fetched, generation: int) -> None:
        queue = self.channel.queue
        while queue.qsize() > _QUEUED and self.flow_active:  # noqa: ASYNC110 - a queue that a rebalance empties wakes nobody
            await asyncio.sleep(_SOON_SECONDS)
        tp = next(iter(self.assignment()), None)
        if tp is None or not self.flow_active:
            return
        # An event of Faust belongs to a message; this one only says to which generation of the group.
        message = faust.types.Message(tp.topic, tp.partition, 0, 0.0, 0, None, None, None, None, tp=tp, generation_id=generation)
        queue.put_nowait(faust.Event(self.app, None, fetched, {}, message))


class Transport(driver.Transport):
    """How Faust reaches Kafka."""

    Consumer = _Consumer

"""Faust's own parts, where its settings do not reach: how long a fetch may wait, and how long a stop may take."""

import logging
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any, cast

import faust
from faust.transport.drivers import aiokafka as driver

_logger = logging.getLogger(__name__)
_faust_logger = logging.getLogger("faust.reader")
_faust_logger.addFilter(lambda record: "keepalive" not in record.getMessage())  # a frozen process is told of by its fence
_FETCH_MS = 50
_LINGER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stands: the next offset to fetch, and the end of the partition as last heard."""

    position: int
    end: int


class _Thread(driver.AIOKafkaConsumerThread):
    """Asks again soon for partitions that were empty."""

    logger = _faust_logger

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 - faust ships no types
        consumer = super()._create_worker_consumer(transport)
        # One request at a time goes to a broker. At Faust's 1.5 s a partition that was left out of it looks drained for so long.
        consumer._fetch_max_wait_ms = _FETCH_MS  # noqa: SLF001 - Faust offers no setting
        return consumer

    def place_of(self, partition: tuple[str, int]) -> Place | None:
        """Read beside the thread, which a question would wake: there are thousands a second."""
        subscription = None if self._consumer is None else self._consumer._subscription.subscription  # noqa: SLF001 - no public way
        assignment = None if subscription is None else subscription.assignment
        tp = faust.types.TP(*partition)
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        position, end = state._position, state.highwater  # noqa: SLF001 - the public one asserts that it is there
        return None if position is None or end is None else Place(position, end)


class _Consumer(driver.Consumer):
    logger = _faust_logger

    def place_of(self, partition: tuple[str, int]) -> Place | None:
        """Where reading stands in a partition; None while it is not assigned or nothing has been fetched."""
        return cast(_Thread, self._thread).place_of(partition)

    def _new_consumer_thread(self) -> Any:  # noqa: ANN401 - faust ships no types
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """How Faust reaches Kafka."""

    Consumer = _Consumer


class Program(faust.Worker):
    """Faust's worker, with a limit to how long a stop may take: a broker that does not answer must not keep it alive."""

    logger = _faust_logger
    stop_seconds: float

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        timer = threading.Timer(self.stop_seconds, self._give_up)
        timer.daemon = True
        timer.start()
        super()._schedule_shutdown(number)

    def finish(self) -> None:
        """All is committed and given back: what Faust still does is no reason to stay for long."""
        timer = threading.Timer(_LINGER_SECONDS, os._exit, (0,))
        timer.daemon = True
        timer.start()

    def _give_up(self) -> None:
        _logger.error("stop took longer than %.0f s; what was not committed will be read again", self.stop_seconds)
        os._exit(1)

"""Faust's own parts, where its settings do not reach: how long a fetch may wait, and how long a stop may take."""

import logging
import os
import signal
import threading
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver

_logger = logging.getLogger(__name__)
_faust_logger = logging.getLogger("faust.reader")
_faust_logger.addFilter(lambda record: "keepalive" not in record.getMessage())  # a frozen process is told of by its fence
_FETCH_MS = 50
_LINGER_SECONDS = 1.0


class _Thread(driver.AIOKafkaConsumerThread):
    """Asks again soon for partitions that were empty."""

    logger = _faust_logger

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401 - faust ships no types
        consumer = super()._create_worker_consumer(transport)
        # One request at a time goes to a broker. At Faust's 1.5 s a partition that was left out of it looks drained for so long.
        consumer._fetch_max_wait_ms = _FETCH_MS  # noqa: SLF001 - Faust offers no setting
        return consumer


class _Consumer(driver.Consumer):
    logger = _faust_logger

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

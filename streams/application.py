"""The Faust app of a worker: one agent over all input Kafka topics, and a limit to how long its stop may take."""

import logging
import os
import signal
import threading
from typing import Any

import faust
from faust.tables.manager import TableManager
from mode.supervisors import CrashingSupervisor

from streams.connection import password, tls
from streams.settings import KafkaSettings, Settings

_logger = logging.getLogger(__name__)
_NEVER_SECONDS = 1e9
_POLL_RECORDS = 2_000  # handed on at a time: few enough that signals and /metrics are answered in between
_LINGER_SECONDS = 1.0


def application(settings: Settings) -> faust.App:
    """An app that neither decodes, commits, produces nor serves: all that is done beside it."""
    kafka, worker = settings.kafka, settings.worker
    return faust.App(
        kafka.group,
        broker=[f"kafka://{host}" for host in kafka.bootstrap.split(",")],
        broker_credentials=_credentials(kafka),
        consumer_auto_offset_reset="earliest",
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        agent_supervisor=CrashingSupervisor,
        broker_session_timeout=worker.session_timeout_ms / 1000,
        broker_heartbeat_interval=worker.heartbeat_ms / 1000,
        broker_max_poll_records=_POLL_RECORDS,
        consumer_group_instance_id=f"{kafka.group}-worker",
        stream_wait_empty=False,
        # Offsets are committed in our transactions alone: one that Faust sends late would put the group back.
        broker_commit_livelock_soft_timeout=_NEVER_SECONDS,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        TableManager=_NoTables,
    )


class _NoTables(TableManager):
    """Faust waits a second before it reads, for tables that agents may make; here there are none."""

    logger = logging.getLogger("faust.tables")  # it tells of its start as the rest of Faust does, in the end nowhere

    async def on_start(self) -> None:
        """Go on at once."""
        await self._update_channels()
        await self.recovery.start()


class Program(faust.Worker):
    """Faust's worker, with a limit to how long a stop may take: a broker that does not answer must not keep it alive."""

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


def _credentials(kafka: KafkaSettings) -> Any:  # noqa: ANN401 - faust ships no types
    """What Faust needs to know of TLS and the password; None without either."""
    if kafka.has_password:
        return faust.SASLCredentials(
            username=kafka.username, password=password(kafka), mechanism=kafka.mechanism,
            ssl_context=tls(kafka) if kafka.is_encrypted else None,
        )  # fmt: skip
    return faust.SSLCredentials(context=tls(kafka)) if kafka.is_encrypted else None

"""The Faust worker: one agent over all input Kafka topics, everything else in `Pump` (DESIGN sections 8 and 11).

Start: wait until no other worker is active, connect (which fences one that is only frozen), restore users and lessons, then let Faust
read from the committed offsets.
"""

import asyncio
import logging
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from mode.supervisors import CrashingSupervisor

from streams import assemble, kafka_topics, restore
from streams.align import Partition
from streams.checkpoint import Checkpoints, mark_of
from streams.commit import Batch, FencedError, Writer
from streams.connection import named, password, tls
from streams.errors import BrokerError
from streams.folder import partition_of
from streams.lease import Lease
from streams.pump import Pump
from streams.reader import Place, Program, Transport
from streams.records import DeadLetter, Forget, Interaction, InvalidRecord, Post, Source, forget, parse
from streams.settings import KafkaSettings, Settings
from streams.telemetry import Telemetry
from streams.web import Web

_logger = logging.getLogger(__name__)
_TICK_SECONDS = 0.005
_LOOK_SECONDS = 0.5
_MARKER_SECONDS = 1.0  # a fetched record reaches the agent sooner, or others do
_NEVER_SECONDS = 1e9
_BATCH = 512  # records taken in before the line goes on, while more are waiting


class Worker:
    """One process's worker on one artifact."""

    def __init__(self, path: Path, settings: Settings, *, earliest: bool) -> None:
        self._path, self._settings, self._earliest = path, settings, earliest
        self._telemetry = Telemetry(settings.input_topics())
        self._artifact = assemble.load(path, settings.line)
        self._line = assemble.line_of(self._artifact, settings)
        self._writer = Writer(settings, self._artifact.name)
        self._lease = Lease(settings)
        self._pump = Pump(self._line, self._writer, settings, self._telemetry)
        self._web = Web(settings.worker, self._exposition, self._not_ready)
        self._networks: dict[str, str | None] = {name: network for network, name in settings.networks.items()}
        self._networks[settings.kafka.target] = None
        self._next: dict[Partition, int] = {}
        self._drained_seconds: dict[Partition, float] = {}
        self._markers: dict[Partition, int] = {}
        self._ticked_at = self._record_at = 0.0
        self._assigned = False
        self._waits_for: str | None = None
        self._error: BaseException | None = None
        self._app = self._faust_app()

    # ---- one record ----

    async def _agent(self, stream: Any) -> None:  # noqa: ANN401 - a faust.Stream; its type lacks what is used here
        queue = stream.channel.queue
        async for event in stream.noack().events():
            try:
                self._take(event.message)
                # What waits behind it is taken without Faust's bookkeeping for each.
                for _ in range(min(queue.qsize(), _BATCH)):
                    self._take(queue.get_nowait().message)
                self._record_at = time.monotonic()
                self._mark_busy()
                await self._pump.go_on()
            except Exception as error:
                self._fail(error)
                raise

    def _take(self, message: Any) -> None:  # noqa: ANN401 - faust ships no types
        partition = (message.topic, message.partition)
        # After a rebalance Kafka sends again what is taken, but not committed yet.
        if message.offset < self._next.get(partition, 0):
            return
        self._next[partition] = message.offset + 1
        self._telemetry.read[message.topic] += 1
        self._pump.put(self._record(message), message)

    def _record(self, message: Any) -> Post | Interaction | Forget | DeadLetter:  # noqa: ANN401 - faust ships no types
        source = Source(message.topic, message.partition, message.offset)
        try:
            if message.value is None:
                return forget(message.key, source)
            # Faust's timestamps are seconds, Kafka's and ours milliseconds.
            record = parse(message.value, self._networks[message.topic], source, round(message.timestamp * 1000))
        except InvalidRecord as error:
            return DeadLetter(message.key, message.value, error.reason, str(error), source)
        except Exception as error:
            _logger.exception("record %s cannot be parsed", source)
            return DeadLetter(message.key, message.value, "internal", f"{type(error).__name__}: {error}", source)
        self._line.counts["null_keys"] += message.key is None
        self._line.counts["off_partition"] += partition_of(record.user, self._settings.kafka.partitions) != source.partition
        return record

    # ---- time ----

    async def _ticks(self) -> None:
        """Tell the aligner which partitions are idle, and let the pump go on; a record's own arrival cannot do that."""
        try:
            while not self._app.should_stop:
                self._mark_idle()
                await self._pump.go_on()
                await asyncio.sleep(_TICK_SECONDS)
        except Exception as error:
            self._fail(error)
            raise

    def _mark_idle(self) -> None:
        # A busy event loop fetches nothing: only time in which it could have counts as idle.
        now = time.monotonic()
        elapsed, self._ticked_at = min(now - self._ticked_at, 2 * _TICK_SECONDS), now
        for partition in self._pump.aligner.waiting:
            if not self._is_drained(partition):
                self._drained_seconds.pop(partition, None)
                continue
            seconds = self._drained_seconds.get(partition, 0.0) + elapsed
            self._drained_seconds[partition] = seconds
            if seconds >= self._settings.worker.idle_ms / 1000:
                self._drained_seconds.pop(partition)
                self._pump.aligner.set_idle(partition)

    def _mark_busy(self) -> None:
        # An idle partition's next records may already be in Faust's hands, behind those of others.
        for partition in self._pump.aligner.idle:
            place = self._place_of(partition)
            if place is not None and place.position > self._seen(partition):
                self._pump.aligner.set_busy(partition)

    def _is_drained(self, partition: Partition) -> bool:
        place = self._place_of(partition)
        if place is None or place.position < place.end:
            return False
        # What Faust has fetched may still be on its way to the agent; a transaction marker never comes.
        if place.position > self._seen(partition) and time.monotonic() - self._record_at > _MARKER_SECONDS:
            self._markers[partition] = place.position
        return self._seen(partition) >= place.position

    def _place_of(self, partition: Partition) -> Place | None:
        return cast(Place | None, cast(Any, self._app.consumer).place_of(partition))

    def _seen(self, partition: Partition) -> int:
        return max(self._next.get(partition, 0), self._markers.get(partition, 0))

    async def _look(self) -> None:
        self._telemetry.look(self._line, self._pump.aligner, self._pump.uncommitted)
        for partition, following in self._next.items():
            place = self._place_of(partition)
            if place is not None:
                self._telemetry.lag.labels(partition[0], str(partition[1])).set(max(0, place.end - following))

    def _exposition(self) -> bytes:
        self._telemetry.look(self._line, self._pump.aligner, self._pump.uncommitted)
        return self._telemetry.exposition()

    def _not_ready(self) -> str | None:
        if self._waits_for is not None:
            return f"standby: {self._waits_for} is active"
        return None if self._assigned else "starting: state is being restored or partitions are not assigned yet"

    # ---- life ----

    def _faust_app(self) -> faust.App:
        kafka, worker = self._settings.kafka, self._settings.worker
        app = faust.App(
            kafka.group,
            broker=[f"kafka://{host}" for host in kafka.bootstrap.split(",")],
            broker_credentials=_credentials(kafka),
            consumer_auto_offset_reset="earliest",
            store="memory://",
            key_serializer="raw",
            value_serializer="raw",
            agent_supervisor=CrashingSupervisor,
            broker_session_timeout=worker.session_timeout_ms / 1000,
            broker_heartbeat_interval=worker.session_timeout_ms / 3000,
            consumer_group_instance_id=f"{kafka.group}-worker",
            stream_wait_empty=False,
            # Offsets are committed in our transactions alone: one that Faust sends late would put the group back.
            broker_commit_livelock_soft_timeout=_NEVER_SECONDS,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        topic = app.topic(*self._settings.input_topics(), key_serializer="raw", value_serializer="raw", acks=False)
        app.agent(topic, name=f"{kafka.group}-line")(self._agent)
        app.task(self._ticks)
        app.timer(_LOOK_SECONDS)(self._look)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)  # type: ignore[arg-type] # as below
        # Faust's type of a handler wants a parameter that its own signals do not send by position.
        app.on_before_shutdown.connect(self._on_shutdown, weak=False)  # type: ignore[arg-type]
        return app

    async def _on_assigned(self, app: faust.App, assigned: set[Any], **_: object) -> None:
        del app
        partitions = [(tp.topic, tp.partition) for tp in assigned]
        self._pump.assign(partitions)
        self._drained_seconds.clear()
        self._assigned = bool(partitions)
        self._telemetry.ready.set(self._assigned)

    async def _on_shutdown(self, app: faust.App, **_: object) -> None:
        del app
        self._assigned = False
        self._telemetry.ready.set(0)
        if self._error is None:
            try:
                await self._pump.finish()
            except Exception as error:
                self._fail(error)
                raise
        await self._end()
        if self._error is None:
            self._program.finish()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, FencedError):
            # Nothing of this process counts any more, and nothing it holds is worth a clean stop.
            _logger.error("%s", error)
            os._exit(1)
        if self._error is None:
            self._error = error

    async def _start(self) -> str:
        """Everything before Faust reads; gives the address of /metrics."""
        try:
            await kafka_topics.require(self._settings)
            address = await self._web.start()
            await self._lease.take(self._stand_by)
            self._waits_for = None
            self._telemetry.standby.set(0)
            self._telemetry.recovering.set(1)
            await self._writer.start()
            await self._restore()
        except KafkaError as error:
            raise await named(error, self._settings.kafka) from error
        self._telemetry.recovering.set(0)
        return address

    def _stand_by(self, other: str) -> None:
        self._waits_for = other
        self._telemetry.standby.set(1)
        _logger.info("stands by: %s is the active worker of group %s", other, self._settings.kafka.group)

    async def _restore(self) -> None:
        settings, artifact, started = self._settings, self._artifact.name, time.monotonic()
        first, end = await restore.lessons_range(settings)
        mark = mark_of(artifact, await restore.cluster_id(settings), settings)
        self._checkpoints = Checkpoints(self._path, mark, settings.worker)
        found = self._checkpoints.newest(end)
        self._telemetry.broken_checkpoints.set(self._checkpoints.broken)
        following = 0
        if found is not None:
            self._line.recommender, following = found
        if following < first:
            _logger.warning("lessons %d to %d are deleted and no checkpoint in %s has learned them; the weights lack them",
                            following, first - 1, self._path)  # fmt: skip
        rows = await restore.restore_users(self._line.users, settings, artifact)
        self._telemetry.broken_rows.set(self._line.users.broken_rows)
        lessons, following = await restore.replay_lessons(self._line.recommender, settings, artifact, max(first, following))
        self._pump.committed_lessons = following
        self._pump.on_commit = self._checkpoint
        await self._start_reading()
        _logger.info("restored %d rows and %d lessons in %.1f s", rows, lessons, time.monotonic() - started)

    async def _start_reading(self) -> None:
        start = await restore.start_offsets(self._settings, earliest=self._earliest)
        if start.fresh:
            _logger.warning("group %s is fresh: it starts at the %s of the log", self._settings.kafka.group,
                            "beginning" if self._earliest else "end")  # fmt: skip
        self._telemetry.skipped.set(start.lost)
        # Written down at once, so that a partition still empty at a crash does not jump to its end afterwards.
        await self._writer.commit(Batch((), (), (), start.offsets))
        self._next = dict(start.offsets)

    async def _checkpoint(self) -> None:
        interactions, following = self._line.counts["interactions_learned"], self._pump.committed_lessons or 0
        checkpoints = self._checkpoints
        if not checkpoints.is_due(interactions):
            return
        write = partial(checkpoints.write, self._line.recommender, following, interactions, self._pump.loss)
        if not await self._pump.in_torch(write):
            self._telemetry.failed_checkpoints.inc()
            return
        self._telemetry.checkpoints.inc()
        if checkpoints.oldest is not None:
            self._telemetry.log_lessons.set(following - checkpoints.oldest)
            await self._delete_lessons(checkpoints.oldest)

    async def _delete_lessons(self, before: int) -> None:
        try:
            await restore.delete_lessons(self._settings, before)
        except (BrokerError, KafkaError) as error:
            _logger.warning("lessons before offset %d could not be deleted, which the next checkpoint tries again: %s", before, error)

    def run(self) -> int:
        """Work until a signal or an error; gives the exit code."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        address = self._started(loop)
        if address is None:
            return 0
        _logger.info("worker reads %s; telemetry at %s/metrics", ", ".join(self._settings.input_topics()), address)
        self._app.transport = Transport(self._app.conf.broker, self._app, loop=loop)
        self._program = Program(self._app, loop=loop, loglevel="WARNING", override_logging=False, redirect_stdouts=False, quiet=True)
        self._program.spinner = None  # it writes control sequences between the log's lines
        self._program.stop_seconds = self._settings.worker.stop_seconds
        try:
            self._program.execute_from_commandline()
        except SystemExit as stop:
            return self._exit_code(stop)
        return 0

    def _started(self, loop: asyncio.AbstractEventLoop) -> str | None:
        """Run `_start`; None when a signal came first: nothing has been taken in yet that would have to be kept."""
        starting = loop.create_task(self._start())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, starting.cancel)
        try:
            return loop.run_until_complete(starting)
        except asyncio.CancelledError:
            loop.run_until_complete(self._end())
            return None

    async def _end(self) -> None:
        await self._writer.stop()
        await self._lease.release()
        await self._web.stop()

    def _exit_code(self, stop: SystemExit) -> int:
        if self._error is None:
            return int(stop.code or 0)
        _logger.error("worker stopped by an error of its own", exc_info=self._error)
        return 1


def _credentials(kafka: KafkaSettings) -> Any:  # noqa: ANN401 - faust ships no types
    """What Faust needs to know of TLS and the password; None without either."""
    if kafka.has_password:
        return faust.SASLCredentials(
            username=kafka.username, password=password(kafka), mechanism=kafka.mechanism,
            ssl_context=tls(kafka) if kafka.is_encrypted else None,
        )  # fmt: skip
    return faust.SSLCredentials(context=tls(kafka)) if kafka.is_encrypted else None

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

from streams import assemble, kafka_topics, restore
from streams.application import Program, application
from streams.checkpoint import Checkpoints, mark_of
from streams.commit import Batch, FencedError, Writer
from streams.connection import named
from streams.errors import BrokerError
from streams.following import Reader
from streams.intake import Intake
from streams.lease import Lease
from streams.pump import Pump
from streams.reader import Transport
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.web import Web

_logger = logging.getLogger(__name__)
_TICK_SECONDS = 0.02
_LOOK_SECONDS = 0.5
_ITEMS_SECONDS = 30.0  # the first lists may have retired items where the catalogue takes longer to read


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
        self._items = Reader(settings, (settings.kafka.items,), self._line.catalogue.take)
        self._following: asyncio.Future[None] | None = None
        self._intake = Intake(self._line, self._pump, settings, self._telemetry)
        self._assigned = False
        self._waits_for: str | None = None
        self._error: BaseException | None = None
        self._app = self._faust_app()

    # ---- records and time ----

    async def _agent(self, stream: Any) -> None:  # noqa: ANN401 - a faust.Stream; its type lacks what is used here
        cast(Any, self._app.consumer).channel = stream.channel
        async for fetched in stream.noack():
            try:
                self._intake.take(fetched)
                await self._pump.go_on()
            except Exception as error:
                self._fail(error)
                raise

    async def _ticks(self) -> None:
        """Let the pump go on where no record's arrival does: a commit may be due, or the broker be silent."""
        try:
            while not self._app.should_stop:
                self._intake.pass_over_silent(cast(Any, self._app.consumer).silent_since)
                await self._pump.go_on()
                if self._lease.was_out():
                    await self._writer.prove()
                if self._following is not None and self._following.done():
                    self._following.result()  # it ends by an error of ours only
                await asyncio.sleep(_TICK_SECONDS)
        except Exception as error:
            self._fail(error)
            raise

    async def _look(self) -> None:
        self._telemetry.look(self._line, self._pump.aligner, self._pump.uncommitted)
        for partition, lag in self._intake.lags().items():
            self._telemetry.lag.labels(partition[0], str(partition[1])).set(lag)

    def _exposition(self) -> bytes:
        self._telemetry.look(self._line, self._pump.aligner, self._pump.uncommitted)
        return self._telemetry.exposition()

    def _not_ready(self) -> str | None:
        if self._waits_for is not None:
            return f"standby: {self._waits_for} is active"
        return None if self._assigned else "starting: state is being restored or partitions are not assigned yet"

    # ---- life ----

    def _faust_app(self) -> faust.App:
        app = application(self._settings)
        topic = app.topic(*self._settings.input_topics(), key_serializer="raw", value_serializer="raw", acks=False)
        app.agent(topic, name=f"{self._settings.kafka.group}-line")(self._agent)
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
            self._pump.torch.warm_up(self._line.recommender.config)
            await self._lease.take(self._stand_by)
            self._waits_for = None
            self._telemetry.standby.set(0)
            self._telemetry.recovering.set(1)
            await self._writer.start()
            self._following = asyncio.ensure_future(self._items.run())
            await self._restore()
            await self._items.caught_up(_ITEMS_SECONDS)
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
        self._pump.checkpoint_is_due, self._pump.checkpoint = self._checkpoint_is_due, self._checkpoint
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
        self._intake.start_at(start.offsets)

    def _checkpoint_is_due(self) -> bool:
        return self._checkpoints.is_due(self._line.counts["interactions_learned"])

    async def _checkpoint(self) -> None:
        interactions, following = self._line.counts["interactions_learned"], self._pump.committed_lessons or 0
        checkpoints = self._checkpoints
        write = partial(checkpoints.write, self._line.recommender, following, interactions, self._pump.loss)
        if not await self._pump.torch.run("checkpoint", write):
            self._telemetry.failed_checkpoints.inc()
            return
        self._telemetry.checkpoints.inc()
        self._telemetry.kept_checkpoints.set(checkpoints.kept)
        self._telemetry.log_lessons.set(following - checkpoints.oldest)
        if checkpoints.oldest:
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
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._writer.stop()
        await self._lease.release()
        await self._web.stop()

    def _exit_code(self, stop: SystemExit) -> int:
        if self._error is None:
            return int(stop.code or 0)
        _logger.error("worker stopped by an error of its own", exc_info=self._error)
        return 1

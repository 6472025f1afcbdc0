"""The worker's loop (DESIGN section 11), without Faust: records into the aligner, waves through the line, batches to Kafka.

Torch runs in one thread beside the event loop: while a tie is learned there, the next wave is gathered here.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Protocol

from streams.align import Aligner, Held, Partition
from streams.commit import Batch, Uncommitted
from streams.faults import point
from streams.line import Learned, Line, Ranking
from streams.lists import Request
from streams.logs import about
from streams.records import DeadLetter, Forget, Interaction, Post, Recommendation, Source
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.torch_thread import TorchThread

_logger = logging.getLogger(__name__)
_TOLD_AT_ONCE = 5_000  # items in one lesson: at most some 4 MB


class Log(Protocol):
    """Where lists and commits go."""

    async def publish(self, lists: list[Recommendation]) -> None:
        """Send lists at once."""

    async def commit(self, batch: Batch) -> int | None:
        """Write a batch as one transaction; the offset after its last lesson."""

    async def prove(self) -> None:
        """Raise FencedError when another worker has taken over."""


class Origin(Protocol):
    """A record as it came from Kafka."""

    @property
    def key(self) -> bytes | None:
        """As sent."""

    @property
    def value(self) -> bytes | None:
        """As sent."""


class Pump:
    """Moves records through a line; one lock makes every public method one step."""

    def __init__(self, line: Line, log: Log, settings: Settings, telemetry: Telemetry) -> None:
        self.aligner = Aligner(settings.worker.align_limit)
        self.line = line
        self.committed_lessons: int | None = None  # the offset after the last lesson in Kafka
        self.loss = 0.0  # of the last wave
        self._log, self._settings, self._telemetry = log, settings, telemetry
        self.torch = TorchThread(telemetry)
        self._lock = asyncio.Lock()
        self._learning: asyncio.Future[tuple[list[Learned], list[Recommendation]]] | None = None
        self._since = Uncommitted()
        self._origins: dict[Partition, deque[Origin]] = {}  # of what the aligner holds, in the same order
        self._read_at: dict[Source, float] = {}
        self._committed_at = time.monotonic()
        self._committing: asyncio.Future[None] | None = None
        self._under_way = 0  # records whose commit is being written
        self._stopped = False
        self._went_at = time.monotonic()
        self.checkpoint_is_due: Callable[[], bool] = lambda: False
        self.checkpoint: Callable[[], Awaitable[None]] | None = None

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Read these partitions and no others; what is held of those that stay is kept."""
        self._origins = {partition: self._origins.get(partition, deque()) for partition in partitions}
        self.aligner.assign(self._origins)

    @property
    def partitions(self) -> Collection[Partition]:
        """Those that are read."""
        return self._origins

    def put(self, record: Held, origin: Origin, due: float) -> None:
        """Take one record as it was read; `go_on` moves it along once every partition has a record or was asked after `due`."""
        self._origins[record.source.kafka_topic, record.source.partition].append(origin)
        if isinstance(record, Interaction):
            self._read_at[record.source] = time.monotonic()
        self.aligner.put(record, due)

    @property
    def uncommitted(self) -> int:
        """Records read but not committed yet."""
        return self.aligner.held + self._since.taken + self._under_way

    async def go_on(self) -> None:
        """Release what can be, learn and commit what is due."""
        async with self._lock:
            if not self._stopped:
                await self._pump()

    async def finish(self) -> None:
        """Learn what was ranked, send its lists and commit; what is still held will be read again."""
        async with self._lock:
            if not self._stopped:
                await self._flush(ends_tie=True)
                await self._commit()
                await self._committed()
            self._stopped = True
            self.torch.stop()

    async def _prove_when_late(self) -> None:
        """After a freeze somebody else may be at work, and nothing may be sent any more then.

        Kafka's patience counts from the last heartbeat, so that a freeze shorter than it by one of them may do.
        """
        now = time.monotonic()
        if now - self._went_at > self._settings.worker.heartbeat_ms / 1000:
            await self._log.prove()
        self._went_at = now

    async def _pump(self) -> None:
        await self._prove_when_late()
        # After an error of ours nothing more is committed: the next worker starts at the last commit.
        self._stopped = True
        await self._release()
        self._stopped = False

    async def _release(self) -> None:
        for record in self.aligner.release():
            source = record.source
            origin = self._origins[source.kafka_topic, source.partition].popleft()
            if isinstance(record, DeadLetter):
                self._refuse(record)
            elif isinstance(record, Forget):
                await self._forget(record.user)
            elif self.line.skips(record):
                self._read_at.pop(source, None)
            else:
                if self.line.closes_before(record):
                    await self._flush(ends_tie=self.line.ends_tie(record))
                    await self._commit_when_due()
                self._gather(record, origin)
            self._since.offsets[source.kafka_topic, source.partition] = source.offset + 1
            self._since.taken += 1
        if self.aligner.drained:
            await self._flush(ends_tie=True)
        await self._commit_when_due()

    def _gather(self, record: Post | Interaction, origin: Origin) -> None:
        try:
            self.line.gather(record)
        except Exception as error:
            _logger.exception("record %s cannot be gathered", record.source, extra=about(record))
            self._read_at.pop(record.source, None)
            self._refuse(DeadLetter(origin.key, origin.value, "internal", f"{type(error).__name__}: {error}", record.source))

    def _refuse(self, letter: DeadLetter) -> None:
        self._since.dead_letters.append(letter)
        self._telemetry.dead_letters.labels(letter.reason).inc()

    async def _forget(self, user: str) -> None:
        """Once nothing is under way, so that the lesson stands where the user's last one has been learned."""
        await self._flush(ends_tie=True)
        await self._learned()
        lesson = await self.torch.run("forget", lambda: self.line.forget(user))
        self._since.lessons.append(lesson.to_bytes())
        self._since.forgotten.append(user)
        self._telemetry.forgotten.inc()

    async def _flush(self, *, ends_tie: bool) -> None:
        """What `line.flush` does, with the learning left running."""
        line = self.line
        await self._learned()
        asked = line.take_asked()
        if asked:
            await self._send(await self.torch.run("recommend", lambda: line.recommend(asked)))
        if line.wave:
            wave = line.make_wave()
            ranked = await self.torch.run("rank", lambda: line.rank(wave))
            with self.torch.timed("advance"):
                point("advance.before")
                taken = line.advance(wave, ranked)
                point("advance.inside")
                self._telemetry.took(taken)
                point("advance.after")
        if ends_tie and line.tie:
            requests, tie = line.requests(), line.take_tie()
            self._learning = asyncio.ensure_future(self.torch.run("learn", lambda: self._teach(tie, requests)))
        if self.aligner.drained:
            await self._learned()

    def _teach(self, tie: list[Ranking], requests: list[Request]) -> tuple[list[Learned], list[Recommendation]]:
        learned = self.line.learn(tie)
        with self.torch.timed("list"):
            return learned, self.line.recommend(requests)

    async def _learned(self) -> None:
        """Wait for what is being learned, note its lessons and send its lists."""
        if self._learning is None:
            return
        learned, lists = await self._learning
        self._learning = None
        self._since.lessons += [one.lesson.to_bytes() for one in learned]
        self._telemetry.learned(learned)
        self.loss = learned[-1].loss if learned else self.loss
        await self._send(lists)

    async def _send(self, lists: list[Recommendation]) -> None:
        await self._prove_when_late()
        self.line.listed(lists)
        await self._log.publish(lists)
        self._telemetry.listed(lists)
        now = time.monotonic()
        for one in lists:
            name, partition, offset = one.id.rsplit("-", 2)
            read_at = self._read_at.pop(Source(name, int(partition), int(offset)), None)
            if read_at is not None:
                self._telemetry.latency.observe(now - read_at)

    async def _commit_when_due(self) -> None:
        if self._committing is not None and self._committing.done():
            await self._committed()
        if not self.line.settled or not (self._since.offsets or self._learning or self.line.catalogue.has_news):
            return
        late = time.monotonic() - self._committed_at > self._settings.worker.commit_ms / 1000
        many = self._since.taken >= self._settings.worker.commit_events
        if late or many:
            await self._commit()

    async def _commit(self) -> None:
        """One transaction with all that was done since the last one; it is written while the line goes on."""
        await self._learned()
        await self._committed()
        await self._know()
        since, self._since = self._since, Uncommitted()
        batch = Batch(self.line.users.take_dirty(), since.lessons, since.dead_letters, since.offsets, since.forgotten)
        self._committed_at = time.monotonic()
        if batch:
            self._under_way = since.taken
            self._committing = asyncio.ensure_future(self._write(batch))
        if self.checkpoint is not None and self.checkpoint_is_due():
            # The weights are those of the lessons committed only as long as nothing else is learned.
            await self._committed()
            await self.checkpoint()

    async def _know(self) -> None:
        """What the catalogue has news of becomes a lesson like the others."""
        if not self.line.catalogue.has_news:
            return
        said = self.line.catalogue.take_news(_TOLD_AT_ONCE)
        news = await self.torch.run("know", lambda: self.line.know(said))
        if news is not None:
            self._since.lessons.append(news.to_bytes())

    async def _write(self, batch: Batch) -> None:
        with self.torch.timed("commit"):
            self.committed_lessons = await self._log.commit(batch) or self.committed_lessons
        self._telemetry.commits.inc()

    async def _committed(self) -> None:
        """Wait for the commit under way."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing
            self._under_way = 0

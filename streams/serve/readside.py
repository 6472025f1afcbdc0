"""Everything that is read from Kafka, and what is said of it: the one object behind all routes."""

import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiokafka import ConsumerRecord

from streams.following import Reader
from streams.records import InvalidRecord
from streams.serve.accuracy import Accuracy
from streams.serve.answers import Answers
from streams.serve.dead_letters import DeadLetters
from streams.serve.live import Live
from streams.serve.popularity import Popularity
from streams.serve.progress import Progress
from streams.serve.store import Store
from streams.serve.telemetry import ServeTelemetry
from streams.settings import Settings

_RATE_SECONDS = 10.0


class ReadSide:
    """Takes records of `items` and `recommendations`; `work` is what has to run for that."""

    def __init__(self, settings: Settings, labels: Mapping[int, list[str]]) -> None:
        kafka, serve = settings.kafka, settings.serve
        self.telemetry = ServeTelemetry()
        self._settings = settings
        self._store = Store(serve.history)
        self._accuracy, self._popularity = Accuracy(serve.accuracy_events), Popularity(serve.half_life_days)
        self.answers = Answers(self._store, self._popularity, labels)
        self._list_reader = Reader(settings, (kafka.recommendations,), self.take, serve.stale_seconds)
        self._item_reader = Reader(settings, (kafka.items,), self.take, serve.stale_seconds)
        self._dead_letters = DeadLetters()
        self._dead_letter_reader = Reader(settings, (kafka.dead_letters,), self._dead_letters.take, serve.stale_seconds)
        self._progress = Progress(settings)
        self._lists = 0
        self._arrivals: deque[float] = deque(maxlen=10_000)  # Kafka's own times: what is old at a start is no throughput
        self.live = Live(self.answers.short, self.figures, self.curve, serve.streams)

    def work(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Loops that run as long as the server does."""
        return [self._list_reader.run, self._item_reader.run, self._dead_letter_reader.run, self._progress.run, self.live.run]

    def not_ready(self) -> str | None:
        """Why lists may be old; None when they are not. Items are titles and more: without their Kafka topic there are none."""
        return self._list_reader.not_ready() or (None if self._item_reader.is_missing else self._item_reader.not_ready())

    def take(self, record: ConsumerRecord) -> None:
        """Take one record; one that is none is counted."""
        self.telemetry.read.labels(record.topic).inc()
        try:
            if record.topic == self._settings.kafka.items:
                self._take_item(record)
            else:
                self._take_list(record)
        except InvalidRecord:
            self.telemetry.unreadable.labels(record.topic).inc()

    def _take_item(self, record: ConsumerRecord) -> None:
        if record.value is not None:
            self._store.put_item(record.value)
        elif record.key is not None:
            self._store.forget_item(record.key.decode("utf-8", "replace"))

    def _take_list(self, record: ConsumerRecord) -> None:
        if record.value is None:
            if record.key is not None:
                self._store.forget_list(record.key.decode("utf-8", "replace"))
            return
        fields, told = self._store.put_list(record.value, record.timestamp)
        self._lists += 1
        self._arrivals.append(record.timestamp / 1000)
        if told:
            self._accuracy.add(fields["last"], fields["at"])
            self._popularity.add(fields["last"]["item"], fields["at"])
        self.live.told((fields, record.timestamp))

    def figures(self) -> dict[str, Any]:
        """What the page shows above everything else."""
        trouble, now = self.not_ready(), time.time()
        while self._arrivals and now - self._arrivals[0] > _RATE_SECONDS:
            self._arrivals.popleft()
        letters = self._dead_letters
        return {
            "ready": trouble is None, "trouble": trouble, "users": self._store.users, "items": self._store.items,
            "lists_read": self._lists, "lists_per_second": len(self._arrivals) / _RATE_SECONDS,
            "records_per_second": self._progress.records_per_second, "lag": self._progress.lag,
            "accuracy": {"window": self._settings.serve.accuracy_events, "events": self._accuracy.events, **self._accuracy.means()},
            "dead_letters": {"by_reason": dict(letters.by_reason), "newest": list(letters.newest)[::-1]},
        }  # fmt: skip

    def curve(self) -> list[dict[str, Any]]:
        """The running accuracy as it went."""
        return list(self._accuracy.points)

    def exposition(self) -> bytes:
        """/metrics, with the gauges as they are now."""
        telemetry, lists, items = self.telemetry, self._list_reader, self._item_reader
        telemetry.users.set(self._store.users)
        telemetry.items.set(self._store.items)
        telemetry.streams.set(len(self.live))
        telemetry.dropped.set(self.live.dropped)
        telemetry.behind.set((lists.behind or 0) + (items.behind or 0))
        telemetry.silent.set(lists.silent_seconds)
        telemetry.ready.set(self.not_ready() is None)
        return telemetry.exposition()

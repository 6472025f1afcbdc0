"""The way in: what Kafka has sent, parsed and put before the aligner, with the time until which it must wait (DESIGN section 6)."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping

from aiokafka import ConsumerRecord

from streams.align import Aligner, Held, Partition
from streams.folder import partition_of
from streams.line import Line
from streams.pump import Pump
from streams.reader import Fetched, Place
from streams.records import DeadLetter, Interaction, InvalidRecord, Post, Source, forget, parse
from streams.settings import Settings
from streams.telemetry import Telemetry

_logger = logging.getLogger(__name__)
_PAST_MS = 2_000  # a record older than that comes from a backlog, whose parts may be written one after the other


class Intake:
    """Takes records of the assigned partitions, each offset once."""

    def __init__(self, line: Line, pump: Pump, settings: Settings, telemetry: Telemetry) -> None:
        self._line, self._pump, self._telemetry = line, pump, telemetry
        self._partitions = settings.kafka.partitions
        self._settle_seconds, self._idle_seconds = settings.worker.settle_ms / 1000, settings.worker.idle_ms / 1000
        self._networks: dict[str, str | None] = {name: network for network, name in settings.networks.items()}
        self._networks[settings.kafka.target] = None
        self._next: dict[Partition, int] = {}
        self._places: Mapping[Partition, Place] = {}

    def start_at(self, offsets: Mapping[Partition, int]) -> None:
        """Take nothing before these offsets."""
        self._next = dict(offsets)

    def take(self, fetched: Fetched) -> None:
        """Put the records of a fetch, then note which partitions had no more."""
        now_ms = time.time() * 1000
        for (name, number), records in fetched.records.items():
            if (name, number) not in self._pump.partitions:  # given back meanwhile; whoever gets it reads them
                continue
            self._telemetry.read[name] += self._take(name, number, records, fetched.came_at, now_ms)
        self._places = fetched.places
        for partition, place in fetched.places.items():
            if partition in self._pump.partitions:
                self._aligner.asked(partition, place.asked_at)

    def _take(self, name: str, number: int, records: Iterable[ConsumerRecord], came_at: float, now_ms: float) -> int:
        following, network, taken = self._next.get((name, number), 0), self._networks[name], 0
        for one in records:
            # After a rebalance Kafka sends again what is taken, but not committed yet.
            if one.offset < following:
                continue
            following, taken = one.offset + 1, taken + 1
            record = self._record(one, network)
            late = isinstance(record, Post | Interaction) and now_ms - record.at > _PAST_MS
            self._pump.put(record, one, came_at + self._settle_seconds if late else came_at)
        self._next[name, number] = following
        return taken

    def _record(self, one: ConsumerRecord, network: str | None) -> Held:
        source = Source(one.topic, one.partition, one.offset)
        try:
            if one.value is None:
                return forget(one.key, source)
            record = parse(one.value, network, source, one.timestamp)
        except InvalidRecord as error:
            return DeadLetter(one.key, one.value, error.reason, str(error), source)
        except Exception as error:
            _logger.exception("record %s cannot be parsed", source)
            return DeadLetter(one.key, one.value, "internal", f"{type(error).__name__}: {error}", source)
        if one.key is None:
            self._line.counts["null_keys"] += 1
        if partition_of(record.user, self._partitions) != source.partition:
            self._line.counts["off_partition"] += 1
        return record

    def pass_over_silent(self, silent_since: Callable[[Partition], float | None]) -> None:
        """A partition about which the broker has said nothing for `idle_ms` holds the others back no longer."""
        now = time.monotonic()
        if self._aligner.held:
            for partition in self._pump.partitions:
                since = silent_since(partition)
                if since is not None and now - since > self._idle_seconds:
                    self._aligner.asked(partition, now)

    def lags(self) -> dict[Partition, int]:
        """Records not read yet, of each partition that Kafka has told of."""
        return {partition: max(0, place.end - place.position) for partition, place in self._places.items()}

    @property
    def _aligner(self) -> Aligner:
        return self._pump.aligner

"""Dead letters as an operator meets them: read back with their reasons, and sent once more when the cause is mended.

A letter that was sent again gets a record of its own in the same Kafka topic (reason `requeued`, the letter's source), so
that it is open no more and cannot be sent twice by mistake. What fails again is a new dead letter with its new source.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from streams import tail
from streams.connection import producer
from streams.records import DeadLetter, InvalidRecord, Source, parse
from streams.settings import Settings

REQUEUED = "requeued"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, its place in the Kafka topic of dead letters, and when it was put there."""

    letter: DeadLetter
    place: Source
    at: int
    "epoch milliseconds"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant; None = whatever it is. Times are those of the letters, `begin` included, `end` not."""

    reason: str | None = None
    kafka_topic: str | None = None
    begin: int | None = None
    end: int | None = None

    def has(self, one: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            self.reason in (None, one.letter.reason)
            and self.kafka_topic in (None, one.letter.source.kafka_topic)
            and (self.begin is None or one.at >= self.begin)
            and (self.end is None or one.at < self.end)
        )


async def open_letters(settings: Settings, choice: Choice) -> list[Letter]:
    """The letters that were not sent again yet, oldest first."""
    found = [one async for record in tail.last(settings, [settings.kafka.dead_letters], None) if (one := _letter(record))]
    done = {one.letter.source for one in found if one.letter.reason == REQUEUED}
    return [one for one in found if one.letter.source not in done and choice.has(one)]


async def at(settings: Settings, place: Source) -> Letter | None:
    """The letter at a place of the Kafka topic of dead letters; None where there is none."""
    record = await tail.one(settings, place.kafka_topic, place.partition, place.offset)
    return None if record is None else _letter(record)


def counts(letters: Iterable[Letter]) -> dict[str, int]:
    """How many of each reason, the most frequent first."""
    return dict(Counter(one.letter.reason for one in letters).most_common())


def readable(letters: Iterable[Letter], settings: Settings, *, force: bool) -> tuple[list[Letter], list[Letter]]:
    """Letters that would be taken today, and those that would be refused again; forced, the first are all that the worker reads."""
    good: list[Letter] = []
    bad: list[Letter] = []
    for one in letters:
        known = one.letter.source.kafka_topic in settings.input_topics()
        (good if known and (force or _would_be_taken(one.letter, settings)) else bad).append(one)
    return good, bad


def _would_be_taken(letter: DeadLetter, settings: Settings) -> bool:
    networks = {name: network for network, name in settings.networks.items()}
    try:
        parse(letter.value, networks.get(letter.source.kafka_topic), letter.source, round(time.time() * 1000))
    except InvalidRecord:
        return False
    return True


async def requeue(letters: Sequence[Letter], settings: Settings) -> None:
    """Send letters to where they came from, as they came, then note that they were; a crash between the two sends them again."""
    async with producer(settings.kafka, max_request_size=4 * 2**20) as client:
        for one in letters:
            empty = one.letter.value is None and one.letter.key is None  # aiokafka sends no such record
            await client.send(one.letter.source.kafka_topic, b"" if empty else one.letter.value, key=one.letter.key)
        await client.flush()
        for one in letters:
            note = str(one.letter.source).encode()
            await client.send(settings.kafka.dead_letters, note, key=one.letter.key, headers=_headers(one.letter.source))
        await client.flush()


def _headers(source: Source) -> list[tuple[str, bytes]]:
    place = {"kafka_topic": source.kafka_topic, "partition": source.partition, "offset": source.offset}
    return [("reason", REQUEUED.encode()), *((name, str(value).encode()) for name, value in place.items())]


def _letter(record: ConsumerRecord) -> Letter | None:
    """None for a record that no worker wrote."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    try:
        source = Source(headers["kafka_topic"], int(headers["partition"]), int(headers["offset"]))
        letter = DeadLetter(record.key, record.value, headers["reason"], headers.get("error", ""), source)
    except (KeyError, ValueError):
        return None
    return Letter(letter, Source(record.topic, record.partition, record.offset), record.timestamp)

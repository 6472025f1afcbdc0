"""A data folder once more: as records to Kafka, or the same records through the line without Kafka."""

import asyncio
import time
from collections.abc import Callable

import orjson

from streams.connection import producer
from streams.folder import Folder, Part, on_log, split
from streams.line import Line, drive
from streams.records import Interaction, Post
from streams.settings import Settings
from streams.tally import Tally

_WATCH_EVERY = 2_000
Pace = Callable[[int, Part], float]
"seconds after the start at which the record of this number is due"
_LINGER_MS = 5  # records of so long travel together


def chosen(folder: Folder, part: str) -> list[Part]:
    """The records of one part of the data, or of all of it, in time order."""
    parts = split(folder)
    return parts if part == "all" else [one for one in parts if one.part == part]


def offline(line: Line, parts: list[Part], settings: Settings, watch: Callable[[int], None]) -> Tally:
    """Run the records through the line in the order the worker would meet them."""
    tally = Tally()
    for output in drive(line, (one.record for one in on_log(parts, settings))):
        tally.add(output.taken)
        watch(len(output.taken))
    return tally


def value_of(record: Post | Interaction) -> bytes:
    """A record as the value of its Kafka record."""
    own = {} if record.id is None else {"id": record.id}
    if isinstance(record, Post):
        return orjson.dumps({"user": record.user, "at": record.at, "text": record.text, **own})
    return orjson.dumps({"user": record.user, "item": record.item, "at": record.at, **own})


def at_rate(rate: float) -> Pace:
    """So many records a second."""
    return lambda number, _: number / rate


def at_speed(speed: float, begin: int) -> Pace:
    """A multiple of the data's own pace; `begin` is the event time (ms) that is sent at once."""
    return lambda _, part: (part.record.at - begin) / 1000 / speed


def between(parts: list[Part], begin: int | None, end: int | None) -> list[Part]:
    """Those of event times from `begin` on and before `end`, where these are given."""
    return [one for one in parts if (begin is None or one.record.at >= begin) and (end is None or one.record.at < end)]


async def to_kafka(parts: list[Part], settings: Settings, pace: Pace | None, watch: Callable[[int], None]) -> None:
    """Send the records in time order, at a pace or as fast as the broker takes them; timestamps are the producer's own."""
    started = time.monotonic()
    async with producer(settings.kafka, linger_ms=_LINGER_MS) as client:
        for number, one in enumerate(parts):
            if pace is not None:
                await asyncio.sleep(max(0.0, started + pace(number, one) - time.monotonic()))
            record = one.record
            name = settings.kafka.target if isinstance(record, Interaction) else settings.networks[record.network]
            await client.send(name, value_of(record), key=record.user.encode())
            if (number + 1) % _WATCH_EVERY == 0:
                watch(_WATCH_EVERY)
        await client.flush()
        watch(len(parts) % _WATCH_EVERY)


async def send_items(folder: Folder, settings: Settings) -> int:
    """Send what the folder says of its items to the Kafka topic `items`; gives how many."""
    items = folder.items()
    async with producer(settings.kafka, linger_ms=_LINGER_MS) as client:
        for item in items.values():
            value = orjson.dumps({"item": item.item, "title": item.title, "text": item.text})
            await client.send(settings.kafka.items, value, key=item.item.encode())
        await client.flush()
    return len(items)

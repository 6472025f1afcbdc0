"""Reading Kafka topics as they are: to the ends they have now, the last records, or those that come; beside the stream, not in it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams import kafka_topics
from streams.connection import consumer
from streams.records import InvalidRecord, Item, decode, item
from streams.settings import Settings

_FETCH_MS = 500
Keep = Callable[[ConsumerRecord], bool]


async def partitions(settings: Settings, names: Sequence[str]) -> list[TopicPartition]:
    """All partitions that these Kafka topics have. Raises BrokerError for one that is not there."""
    counts = await kafka_topics.partitions(settings, names)
    return [TopicPartition(name, number) for name in sorted(counts) for number in range(counts[name])]


async def last(
    settings: Settings, names: Sequence[str], count: int | None, *, keep: Keep | None = None, follow: bool = False
) -> AsyncGenerator[ConsumerRecord, None]:
    """The newest `count` records by timestamp (None = all there are), oldest first; with `follow` those that come after, too.

    With `keep` only those it is true of; then everything is read, since they may be far back.
    """
    keep, everything = keep or _any, count is None or keep is not None
    places = await partitions(settings, names)
    async with consumer(settings.kafka, isolation_level="read_committed") as client:
        client.assign(places)
        begins, ends = await client.beginning_offsets(places), await client.end_offsets(places)
        for one in places:
            client.seek(one, begins[one] if everything else max(begins[one], ends[one] - (count or 0)))
        found = [record async for record in to_ends(client, ends) if keep(record)]
        found.sort(key=lambda one: (one.timestamp, one.topic, one.partition, one.offset))
        for record in found if count is None else found[max(0, len(found) - count) :]:
            yield record
        while follow:
            for batch in (await client.getmany(timeout_ms=_FETCH_MS)).values():
                for record in filter(keep, batch):
                    yield record


def _any(_: ConsumerRecord) -> bool:
    return True


async def to_ends(client: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    """Every record from the positions to these ends."""
    while True:
        # A position moves over transaction markers too, a record's offset does not.
        still = [one for one, end in ends.items() if await client.position(one) < end]
        if not still:
            return
        for place, batch in (await client.getmany(*still, timeout_ms=_FETCH_MS)).items():
            for record in batch:
                if record.offset < ends[place]:
                    yield record
                else:  # came meanwhile: for whoever follows
                    client.seek(place, record.offset)
                    break


async def one(settings: Settings, kafka_topic: str, partition: int, offset: int) -> ConsumerRecord | None:
    """The record at this place; None where there is none (any more)."""
    place = TopicPartition(kafka_topic, partition)
    if place not in await partitions(settings, [kafka_topic]):
        return None
    async with consumer(settings.kafka, isolation_level="read_committed") as client:
        client.assign([place])
        begins, ends = await client.beginning_offsets([place]), await client.end_offsets([place])
        if not begins[place] <= offset < ends[place]:
            return None
        client.seek(place, offset)
        async for record in to_ends(client, ends):
            return record if record.offset == offset else None
    return None


async def items(settings: Settings) -> dict[str, Item]:
    """What the Kafka topic `items` says of the items; what it says wrongly is left out."""
    found: dict[str, Item] = {}
    async for record in last(settings, [settings.kafka.items], None):
        try:
            known = item(decode(record.value))
        except InvalidRecord:
            continue
        found[known.item] = known
    return found


def fields(record: ConsumerRecord) -> dict[str, Any] | None:
    """The JSON object of a record; None where there is none."""
    try:
        return decode(record.value)
    except InvalidRecord:
        return None

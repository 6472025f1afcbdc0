"""The Kafka topics of the contract: made where they are missing, compared where they are there."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams import connection
from streams.errors import BrokerError
from streams.settings import Settings

_SECONDS = 20.0  # a healthy broker takes well under one; an operator wants to know soon

_DEAD_LETTER_BYTES = 2 * 2**20  # an input of 1 MB plus headers does not fit Kafka's default of 1 MB
_LESSON_BYTES = 16 * 2**20  # a wave of 4,096, the largest, of some kilobytes each
_LESSON_MS = 7 * 24 * 3_600_000  # lessons older than the last checkpoint are not needed, and one is written every minutes


class MissingError(BrokerError):
    """A Kafka topic is not there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One Kafka topic as the contract wants it; `joined` says that another partition count breaks the worker."""

    name: str
    partitions: int
    joined: bool
    needed: bool = True
    "whether the worker cannot do without it"
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    partitions: int
    config: Mapping[str, str]


def wanted(settings: Settings) -> tuple[Wanted, ...]:
    """All Kafka topics of the contract."""
    kafka, count = settings.kafka, settings.kafka.partitions
    inputs = (Wanted(name, count, joined=True, config={"cleanup.policy": "delete"}) for name in settings.input_topics())
    dead_letters = {"cleanup.policy": "delete", "max.message.bytes": str(_DEAD_LETTER_BYTES)}
    lessons = {"cleanup.policy": "delete", "max.message.bytes": str(_LESSON_BYTES), "retention.ms": str(_LESSON_MS)}
    return (
        *inputs,
        Wanted(kafka.items, count, joined=False, needed=False, config={"cleanup.policy": "compact"}),
        Wanted(kafka.recommendations, count, joined=False, config={"cleanup.policy": "compact,delete"}),
        Wanted(kafka.dead_letters, count, joined=False, config=dead_letters),
        Wanted(kafka.state, count, joined=True, config={"cleanup.policy": "compact"}),
        Wanted(kafka.lessons, 1, joined=True, config=lessons),
    )


async def create(settings: Settings) -> list[str]:
    """Make the Kafka topics that are missing and return their names; those that are there stay as they are."""
    async with _admin(settings) as admin:
        there = set(await admin.list_topics())
        missing = [one for one in wanted(settings) if one.name not in there]
        if not missing:
            return []
        new = [NewTopic(one.name, one.partitions, settings.kafka.replication, topic_configs=dict(one.config)) for one in missing]
        answer = await admin.create_topics(new)
        for name, code, message in answer.topic_errors:
            _refuse(name, code, message)
        await _all_there(admin, {one.name for one in missing})
        # One that somebody else has made a moment ago may not have been listed yet: it is there, but not made here.
        made = {name for name, code, _ in answer.topic_errors if code == 0}
        return [one.name for one in missing if one.name in made]


async def check(settings: Settings) -> list[str]:
    """What differs from the contract: one sentence with the remedy each; empty when all is well."""
    return await _check(settings, wanted(settings))


async def require(settings: Settings) -> None:
    """Raise BrokerError with the first difference from the contract that a worker cannot do with, if there is one."""
    differences = await _check(settings, [one for one in wanted(settings) if one.needed])
    if differences:
        raise BrokerError(differences[0])


async def _check(settings: Settings, topics: Sequence[Wanted]) -> list[str]:
    async with _admin(settings) as admin:
        found = await _describe(admin, topics)
    return [sentence for one in topics for sentence in _differences(one, found.get(one.name), settings)]


async def partitions(settings: Settings, names: Sequence[str]) -> dict[str, int]:
    """How many partitions these Kafka topics have; MissingError when one is not there."""
    async with _admin(settings) as admin:
        missing = set(names) - set(await admin.list_topics())
        if missing:
            raise MissingError(f"Kafka topic {min(missing)} is missing; run `crossnet kafka-topics create`")
        return {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics(list(names))}


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    try:
        async with asyncio.timeout(_SECONDS), connection.admin(settings.kafka) as client:
            yield client
    except TimeoutError as error:
        raise await connection.named(error, settings.kafka) from error


async def _all_there(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until the brokers tell of new Kafka topics, so that whoever comes next finds them; `_admin` has the deadline."""
    while not names <= set(await admin.list_topics()):  # noqa: ASYNC110 - the broker tells only when asked
        await asyncio.sleep(0.05)


async def _describe(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> dict[str, _Found]:
    there = set(await admin.list_topics())
    names = [one.name for one in topics if one.name in there]
    if not names:
        return {}
    partitions = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics(names)}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs: dict[str, dict[str, str]] = {}
    for answer in answers:
        for _, _, _, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return {name: _Found(partitions[name], configs.get(name, {})) for name in names}


def _refuse(name: str, code: int, message: str | None) -> None:
    error = for_code(code)
    # Somebody else made it meanwhile: that is what was wanted.
    if code and error is not TopicAlreadyExistsError:
        raise BrokerError(f"the broker refuses to make the Kafka topic {name}: {error.__name__}: {message or 'no reason given'}")


def _differences(one: Wanted, found: _Found | None, settings: Settings) -> Iterator[str]:
    if found is None:
        yield f"Kafka topic {one.name} is missing; run `crossnet kafka-topics create`"
        return
    if one.joined and found.partitions != one.partitions:
        remedy = "delete it and run `crossnet kafka-topics create`"
        if one.name != settings.kafka.lessons:
            remedy += f", or set kafka.partitions = {found.partitions} if all inputs and {settings.kafka.state} have that"
        yield f"Kafka topic {one.name} has {found.partitions} partitions instead of {one.partitions}; {remedy}"
    for key in ("cleanup.policy", "max.message.bytes"):
        want, have = one.config.get(key), found.config.get(key)
        if want is None or have is None or _fits(key, want, have):
            continue
        value = f"[{want}]" if "," in want else want
        alter = f"--alter --entity-type topics --entity-name {one.name} --add-config {key}={value}"
        tool = f"kafka-configs.sh --bootstrap-server {settings.kafka.bootstrap} {alter}"
        yield f"Kafka topic {one.name} has {key} = {have} instead of {want}; run `{tool}`"


def _fits(key: str, want: str, have: str) -> bool:
    if key == "max.message.bytes":
        return int(have) >= int(want)
    return {part.strip() for part in have.split(",")} == set(want.split(","))

"""Records: what a Kafka message means once it has been checked (DESIGN section 5).

`parse` turns the bytes of an input record into a `Post`, an `Interaction` or an `Item`; anything else raises `InvalidRecord` with a
reason short enough for a metric label. `at` is epoch milliseconds everywhere.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

DAY_MS = 86_400_000
MAX_ID_BYTES = 256
MAX_TEXT_CHARACTERS = 20_000
# Why a record is a dead letter, and what makes a list; `internal` is an error of ours.
REASONS = (
    "bad-id", "bad-time", "empty", "future", "internal", "missing-field", "not-an-object", "not-json", "oversized", "wrong-field",
)  # fmt: skip
TRIGGERS = ("interaction", "post")


class InvalidRecord(ValueError):
    """Input that cannot be used: `reason` is a label of few values, the message names the value."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record stands in Kafka."""

    kafka_topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.kafka_topic}-{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Post:
    """A text that a user posted on a source network."""

    user: str
    network: str
    at: int
    text: str
    source: Source
    id: str | None = None
    "the sender's own, by which a record sent twice is known"


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a user did with an item on the target network."""

    user: str
    item: str
    at: int
    source: Source
    id: str | None = None
    "the sender's own, by which a record sent twice is known"


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of an item beside its interactions."""

    item: str
    title: str = ""
    text: str = ""
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """A user is to be forgotten: a record of an input Kafka topic with his name as key and no value."""

    user: str
    source: Source


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input record that could not be used, as it came, and why; it keeps its place in its partition."""

    key: bytes | None
    value: bytes | None
    reason: str
    error: str
    source: Source


def decode(value: bytes | None) -> dict[str, Any]:
    """The JSON object in `value`; InvalidRecord when there is none."""
    if value is None:
        raise InvalidRecord("empty", "the record has no value; send a JSON object")
    try:
        fields = orjson.loads(value)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise InvalidRecord("not-json", f"not JSON in UTF-8: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRecord("not-an-object", f"a JSON {type(fields).__name__}; send an object")
    return fields


def encode(value: object) -> bytes:
    """JSON in UTF-8 of plain values and dataclasses."""
    return orjson.dumps(value)


def post(fields: dict[str, Any], network: str, source: Source, timestamp_ms: int) -> Post:
    """A Post from decoded fields; `timestamp_ms` is the record's own, for a missing `at` and the check of the future."""
    return Post(
        _identity(fields, "user"), network, _at(fields, timestamp_ms), _text(fields, "text", required=True), source, _id(fields)
    )


def interaction(fields: dict[str, Any], source: Source, timestamp_ms: int) -> Interaction:
    """An Interaction from decoded fields; optional title and text are checked too, so that a wrong one is not half used."""
    _text(fields, "title", required=False)
    _text(fields, "text", required=False)
    return Interaction(_identity(fields, "user"), _identity(fields, "item"), _at(fields, timestamp_ms), source, _id(fields))


def item(fields: dict[str, Any]) -> Item:
    """An Item from decoded fields."""
    retired = fields.get("retired", False)
    if not isinstance(retired, bool):
        raise InvalidRecord("wrong-field", f"retired = {retired!r}; send true or false")
    title, text = _text(fields, "title", required=False), _text(fields, "text", required=False)
    return Item(_identity(fields, "item"), title, text, retired)


def _identity(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise InvalidRecord("missing-field", f"no {name!r}; send an id of 1 to {MAX_ID_BYTES} bytes")
    if not isinstance(value, str):
        raise InvalidRecord("wrong-field", f"{name} = {str(value)[:80]!r} is no string")
    if not 1 <= len(value.encode()) <= MAX_ID_BYTES:
        raise InvalidRecord("bad-id", f"{name} has {len(value.encode())} bytes; 1 to {MAX_ID_BYTES} are allowed")
    return value


def _id(fields: dict[str, Any]) -> str | None:
    """The optional id; many senders number their records, so a whole number is an id too."""
    value = fields.get("id")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _identity(fields, "id")


def _text(fields: dict[str, Any], name: str, *, required: bool) -> str:
    value = fields.get(name)
    if value is None:
        if required:
            raise InvalidRecord("missing-field", f"no {name!r}; send a text, also an empty one")
        return ""
    if not isinstance(value, str):
        raise InvalidRecord("wrong-field", f"{name} = {str(value)[:80]!r} is no string")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise InvalidRecord("oversized", f"{name} has {len(value)} characters; at most {MAX_TEXT_CHARACTERS} are allowed")
    return value


def _at(fields: dict[str, Any], timestamp_ms: int) -> int:
    value = fields.get("at")
    at = timestamp_ms if value is None else epoch_ms(value)
    if at < 0:
        raise InvalidRecord("bad-time", f"at = {value!r} is before 1970; send epoch milliseconds")
    if at > timestamp_ms + DAY_MS:
        raise InvalidRecord("future", f"at = {value!r} is more than a day after the record's timestamp {timestamp_ms}")
    return at


def epoch_ms(value: object) -> int:
    """Epoch milliseconds of a number that is some, or of ISO 8601 (UTC unless it says); InvalidRecord for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidRecord("bad-time", f"at = {value[:40]!r} is not ISO 8601") from error
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    raise InvalidRecord("bad-time", f"at = {str(value)[:40]!r}; send epoch milliseconds or ISO 8601")


@dataclass(frozen=True, slots=True)
class Last:
    """The interaction before a list: its item, the ranks it got (None where it had none), and the window that it closed."""

    item: str
    rank_scored: int | None
    rank_published: int | None
    rank_popularity: int | None
    window: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A Top-K list, as it is written to Kafka."""

    id: str
    user: str
    at: int
    trigger: str
    items: list[dict[str, Any]]
    window: dict[str, Any]
    attention: list[tuple[int, float]]
    last: Last | None
    model: dict[str, Any]

    def to_json(self) -> bytes:
        """The value of the Kafka record."""
        return encode(self)


def forget(key: bytes | None, source: Source) -> Forget:
    """What a record without a value says: its key names a user to be forgotten. Raises InvalidRecord."""
    if key is None:
        raise InvalidRecord("empty", "neither key nor value; send a JSON object, or a user as key to forget him")
    try:
        user = key.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecord("bad-id", f"the key of a record without a value is not UTF-8: {error}") from error
    return Forget(_identity({"user": user}, "user"), source)


def parse(value: bytes | None, network: str | None, source: Source, timestamp_ms: int) -> Post | Interaction:
    """The record in `value`: a Post of `network`, or an Interaction where `network` is None. Raises InvalidRecord."""
    fields = decode(value)
    if network is None:
        return interaction(fields, source, timestamp_ms)
    return post(fields, network, source, timestamp_ms)

"""What a log line says, and what it hides."""

import json
import logging
import sys

import pytest

from streams.logs import Flood, JsonFormatter, TextFormatter, about, hashed
from tests.streams.small import posted, took


def _record(message: str, *arguments: object, at: float = 1.0, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("streams.pump", logging.ERROR, __file__, 1, message, arguments, None)
    record.created = at
    vars(record).update(fields)
    return record


def _failed(user: str) -> logging.LogRecord:
    """A line about a record whose error names its user."""
    record = _record("record %s cannot be gathered", "tweets-0-7", **about(posted(user, "hello", 5, offset=7)))
    try:
        vars(record).pop(user + " is not there")
    except KeyError:
        record.exc_info = sys.exc_info()
    return record


@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
def test_user_ids_are_hashed_unless_asked(formatter: type[JsonFormatter]) -> None:
    """Neither field, message nor traceback has the id; with `users` all have it."""
    hidden = formatter(users=False).format(_failed("ann@example.org"))
    assert "ann@example.org" not in hidden
    assert hashed("ann@example.org") in hidden
    assert "ann@example.org" in formatter(users=True).format(_failed("ann@example.org"))


def test_a_hash_is_the_same_in_all_lines_and_depends_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines about one user can be put together; another CROSSNET_LOG_KEY gives other hashes."""
    assert hashed("ann") == hashed("ann") != hashed("bob")
    before = hashed("ann")
    monkeypatch.setenv("CROSSNET_LOG_KEY", "secret")
    assert before != hashed("ann")


def test_json_is_one_object_a_line_with_the_records_place() -> None:
    """Message, level, time and where the record stands, each a field; a traceback does not break the line."""
    line = JsonFormatter(users=False).format(_failed("ann"))
    assert 1 == len(line.splitlines())
    found = json.loads(line)
    assert ("error", "record tweets-0-7 cannot be gathered", "tweets", 0, 7, "twitter") == tuple(
        found[name] for name in ("level", "message", "kafka_topic", "partition", "offset", "network")
    )
    assert "1970-01-01T00:00:01.000+00:00" == found["at"]
    assert "KeyError" in found["exception"]


def test_a_message_with_line_breaks_is_one_line() -> None:
    """What an event brings cannot forge a line of its own."""
    assert 1 == len(TextFormatter(users=True).format(_record("bad value %s", "x\n2026 INFO all is well")).splitlines())


def test_a_flood_is_cut_and_counted() -> None:
    """Five lines of one statement a minute; the next minute says how many were left out; other statements are not touched."""
    flood = Flood()
    assert [True] * 5 + [False] * 95 == [flood.filter(_record("record %s", number, at=1.0 + number / 100)) for number in range(100)]
    assert flood.filter(_record("something else"))
    later = _record("record %s", 101, at=62.0)
    assert flood.filter(later)
    assert 95 == json.loads(JsonFormatter(users=False).format(later))["alike"]


def test_an_interaction_has_no_network() -> None:
    """The target network is the Kafka topic."""
    assert {"user": "ann", "kafka_topic": "events", "partition": 0, "offset": 0} == about(took("ann", "a", 1))

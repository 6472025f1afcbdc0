"""What long-running programs log: one line a fact, readable or JSON, user ids hashed unless asked, no flood.

A line about one record carries `extra=about(record)`; the id of its user is hashed wherever it stands in the line, traceback included.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams.records import Interaction, Post

FORMATS = ("text", "json")
_FIELDS = ("user", "network", "kafka_topic", "partition", "offset")
_ALIKE = 5  # lines made by one statement in a window; more say nothing new
_WINDOW_SECONDS = 60.0


def configure(form: str, level: str, *, users: bool) -> None:
    """Set up logging of this process on stderr: our own lines from `level` on, others' from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter((JsonFormatter if form == "json" else TextFormatter)(users=users))
    handler.addFilter(Flood())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("streams").setLevel(level.upper())


def about(record: Post | Interaction) -> dict[str, Any]:
    """The place and user of a record, as fields of a line."""
    source = record.source
    fields = {"user": record.user, "kafka_topic": source.kafka_topic, "partition": source.partition, "offset": source.offset}
    return fields | ({"network": record.network} if isinstance(record, Post) else {})


def hashed(user: str) -> str:
    """What stands for a user: the same in all lines, and under CROSSNET_LOG_KEY not to be guessed from outside."""
    key = hashlib.blake2b(os.environ.get("CROSSNET_LOG_KEY", "").encode(), digest_size=32).digest()
    return "user:" + hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=6, key=key).hexdigest()


class _Hiding(logging.Formatter):
    """Formats lines and puts hashes in the place of user ids."""

    def __init__(self, *, users: bool) -> None:
        super().__init__()
        self._users = users

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What a line says, by name."""
        found = {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(), **found,
        }  # fmt: skip
        if alike := getattr(record, "alike", 0):
            line["alike"] = alike
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return line if self._users else _without_user(line, found)


def _without_user(line: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    user = str(found.get("user", ""))
    if not user:
        return dict(line)
    # Whole words only: the id "ann" is not meant in "cannot".
    word = re.compile(rf"(?<!\w){re.escape(user)}(?!\w)")
    return {name: word.sub(hashed(user), value) if isinstance(value, str) else value for name, value in line.items()}


class JsonFormatter(_Hiding):
    """One JSON object a line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json.dumps(self.fields(record), default=str)


class TextFormatter(_Hiding):
    """For people: time, level, logger, message, fields, and a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback where there is one."""
        fields = self.fields(record)
        head = " ".join([fields.pop("at"), fields.pop("level").upper(), fields.pop("logger") + ":", fields.pop("message")])
        exception = fields.pop("exception", None)
        rest = "".join(f" {name}={value}" for name, value in fields.items())
        return head.replace("\n", " ") + rest + (f"\n{exception}" if exception else "")


@dataclass(slots=True)
class _Window:
    begun: float
    lines: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Flood:
    """Lets so many lines of one statement through in a window; the first of the next one says how many were left out (`alike`)."""

    windows: dict[tuple[str, str], _Window] = field(default_factory=dict)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        key = (record.name, str(record.msg))
        window = self.windows.get(key)
        if window is None or record.created - window.begun >= _WINDOW_SECONDS:
            record.alike = window.left_out if window else 0
            window = self.windows[key] = _Window(record.created)
        window.lines += 1
        if window.lines <= _ALIKE:
            return True
        window.left_out += 1
        return False

"""The newest list of every user and all items, as they were read from Kafka.

Records stay as packed bytes and are parsed when asked for: 100,000 users with lists of 100 items fit in a few hundred megabytes.
"""

import zlib
from dataclasses import dataclass
from typing import Any

from streams.records import InvalidRecord, Item, decode, encode, item
from streams.serve.past import Past

_FASTEST = 1  # a list of 100 items: a third of its size after 0.1 ms
_WORTH_PACKING_BYTES = 512
HEAD = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A user's newest list and his past interactions, packed; `published_ms` is the record's own timestamp.

    Most who ask want the first few items: those stand in `head` with all else, so that the rest need not be unpacked.
    """

    published_ms: int
    head: bytes
    rest: bytes
    past: bytes

    def fields(self, size: int | None = None) -> dict[str, Any]:
        """The list as it was published; with `size`, items after the first so many may be missing."""
        fields = decode(zlib.decompress(self.head))
        if self.rest and (size is None or size > HEAD):
            fields["items"] += decode(zlib.decompress(self.rest))["items"]
        return fields


class Store:
    """Lists by user, items by id."""

    def __init__(self, history: int) -> None:
        self._past = Past(history)
        self._lists: dict[str, Kept] = {}
        self._items: dict[str, tuple[str, bytes]] = {}  # title, packed record
        self.retired: set[str] = set()

    def put_list(self, value: bytes, published_ms: int) -> tuple[dict[str, Any], bool]:
        """Keep a list; gives its fields, and whether it tells of an interaction not told of before. Raises InvalidRecord."""
        fields = checked(decode(value))
        before = self._lists.get(fields["user"])
        past, told = self._past.with_list(before.past if before else b"", fields)
        items = fields["items"]
        rest = _packed({"items": items[HEAD:]}) if len(items) > HEAD else b""
        self._lists[fields["user"]] = Kept(published_ms, _packed({**fields, "items": items[:HEAD]}), rest, past)
        return fields, told

    def put_item(self, value: bytes) -> None:
        """Keep an item. Raises InvalidRecord."""
        one = item(decode(value))
        packed = zlib.compress(value, _FASTEST) if len(value) >= _WORTH_PACKING_BYTES else value
        self._items[one.item] = (one.title, packed)
        (self.retired.add if one.retired else self.retired.discard)(one.item)

    def forget_list(self, user: str) -> None:
        """A tombstone: the user is gone."""
        self._lists.pop(user, None)

    def forget_item(self, name: str) -> None:
        """A tombstone: the item is gone."""
        self._items.pop(name, None)
        self.retired.discard(name)

    def kept(self, user: str) -> Kept | None:
        """What is known of a user."""
        return self._lists.get(user)

    def past(self, kept: Kept) -> list[dict[str, Any]]:
        """His past interactions, newest first."""
        return self._past.unpacked(kept.past)

    def title(self, name: str) -> str:
        """The item's title; empty where none is known."""
        found = self._items.get(name)
        return found[0] if found else ""

    def item(self, name: str) -> Item | None:
        """The whole item."""
        found = self._items.get(name)
        if found is None:
            return None
        _, packed = found
        # JSON begins with a bracket or white space, zlib's stream with 0x78.
        return item(decode(zlib.decompress(packed) if packed[:1] == b"\x78" else packed))

    @property
    def users(self) -> int:
        """How many users have a list."""
        return len(self._lists)

    @property
    def items(self) -> int:
        """How many items are known."""
        return len(self._items)


def checked(fields: dict[str, Any]) -> dict[str, Any]:
    """A list whose fields have the types of the contract; optional ones that have not are dropped. Raises InvalidRecord."""
    for name, kind in (("id", str), ("user", str), ("at", int), ("trigger", str), ("items", list)):
        if not isinstance(fields.get(name), kind):
            raise InvalidRecord("wrong-field", f"{name} = {str(fields.get(name))[:80]!r} is no {kind.__name__}")
    for entry in fields["items"]:
        if not (isinstance(entry, dict) and isinstance(entry.get("item"), str) and isinstance(entry.get("score"), int | float)):
            raise InvalidRecord("wrong-field", f"items has {str(entry)[:80]!r}; wanted are objects with item and score")
    last = fields.get("last")
    fields["last"] = last if isinstance(last, dict) and isinstance(last.get("item"), str) else None
    fields["window"] = window(fields.get("window"))
    fields["attention"] = [pair for pair in _list(fields.get("attention")) if _is_pair(pair)]
    fields["model"] = _dict(fields.get("model"))
    return fields


def window(value: object) -> dict[str, Any]:
    """A window of the contract from whatever is there."""
    fields = _dict(value)
    gap = fields.get("gap_seconds")
    posts = {name: count for name, count in _dict(fields.get("posts")).items() if isinstance(count, int)}
    topics = {name: list(filter(_is_pair, _list(pairs))) for name, pairs in _dict(fields.get("topics")).items()}
    return {"gap_seconds": gap if isinstance(gap, int | float) else None, "posts": posts, "topics": topics}


def why(value: object) -> dict[str, Any]:
    """The terms of a score, and what posts moved, of the contract from whatever is there."""
    fields = _dict(value)
    terms = {name: term for name, term in fields.items() if name != "moved" and isinstance(term, int | float)}
    return terms | ({"moved": moved} if (moved := _moved(fields.get("moved"))) else {})


def _moved(value: object) -> dict[str, Any]:
    found = {}
    for network, one in _dict(value).items():
        by, topics = _dict(one).get("by"), _dict(_dict(one).get("topics"))
        if isinstance(by, int | float):
            parts = {topic: part for topic, part in topics.items() if _is_topic(topic) and isinstance(part, int | float)}
            found[network] = {"by": by, "topics": parts}
    return found


def _is_topic(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 10


def _packed(fields: dict[str, Any]) -> bytes:
    return zlib.compress(encode(fields), _FASTEST)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], int | float)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

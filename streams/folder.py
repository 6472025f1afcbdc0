"""A data folder: `posts.jsonl[.gz]`, `events.jsonl[.gz]`, `items.jsonl[.gz]`, the records of DESIGN section 5 a line each.

Every record gets the place it would have on a fresh log (its user's partition, the next offset there), so that a run from files meets
the same order as one through Kafka.
"""

import gzip
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from aiokafka.partitioner import murmur2

from streams.align import Held, in_order
from streams.errors import DataError
from streams.records import Interaction, InvalidRecord, Item, Post, Source, decode, interaction, item, post
from streams.settings import Settings

TRAINING, VALIDATION, TEST = "train", "validation", "test"
_SHARES = (0.7, 0.8)  # of a user's interactions: up to the first to train, up to the second to validate, the rest to test
_Made = TypeVar("_Made")
_NOWHERE = Source("", 0, 0)
_ALWAYS_MS = 1 << 60  # files carry their own times; no record timestamp bounds them


@dataclass(frozen=True, slots=True)
class Part:
    """A record, the part of the data it belongs to, and its line as it stands in the file."""

    record: Post | Interaction
    part: str


class Folder:
    """The files of one data folder, checked when they are read."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError(f"no data folder {path}; name one with events.jsonl[.gz] and, where there are posts, posts.jsonl[.gz]")
        self.path = path

    def has(self, name: str) -> bool:
        """Whether there is a file of `posts`, `events` or `items`."""
        return self._file(name) is not None

    def posts(self) -> Iterator[Post]:
        """Posts in file order; their source is not set."""
        return (self._post(number, line) for number, line in self._lines("posts"))

    def interactions(self) -> Iterator[Interaction]:
        """Interactions in file order; their source is not set."""
        if self._file("events") is None:
            raise DataError(f"no events.jsonl[.gz] in {self.path}; there is nothing to learn without interactions")
        return (self._interaction(number, line) for number, line in self._lines("events"))

    def items(self) -> dict[str, Item]:
        """What the folder says of the items, by item; empty where there is no such file."""
        read = (self._item(number, line) for number, line in self._lines("items"))
        return {one.item: one for one in read}

    def each(self, name: str) -> Iterator[tuple[int, Post | Interaction | Item | DataError]]:
        """Line number and record of every line of `posts`, `events` or `items`, or what is wrong with it."""
        parse: dict[str, Callable[[int, bytes], Post | Interaction | Item]] = {
            "posts": self._post, "events": self._interaction, "items": self._item,
        }  # fmt: skip
        number = 0
        try:
            for number, line in self._lines(name):
                try:
                    yield number, parse[name](number, line)
                except DataError as error:
                    yield number, error
        except DataError as error:  # of the file itself
            yield number, error

    def _post(self, number: int, line: bytes) -> Post:
        fields = self._fields("posts", number, line)
        network = fields.get("network")
        if not isinstance(network, str) or not network:
            raise DataError(f"{self.path}/posts line {number}: network = {network!r}; name the source network")
        return self._checked(partial(post, network=network, source=_NOWHERE, timestamp_ms=_ALWAYS_MS), "posts", number, fields)

    def _interaction(self, number: int, line: bytes) -> Interaction:
        fields = self._fields("events", number, line)
        return self._checked(partial(interaction, source=_NOWHERE, timestamp_ms=_ALWAYS_MS), "events", number, fields)

    def _item(self, number: int, line: bytes) -> Item:
        return self._checked(item, "items", number, self._fields("items", number, line))

    def _fields(self, name: str, number: int, line: bytes) -> dict[str, Any]:
        try:
            return decode(line)
        except InvalidRecord as error:
            raise DataError(f"{self.path}/{name} line {number}: {error}") from error

    def _checked(self, make: Callable[[dict[str, Any]], _Made], name: str, number: int, fields: dict[str, Any]) -> _Made:
        if name != "items" and fields.get("at") is None:
            raise DataError(f"{self.path}/{name} line {number}: no 'at'; a file has no timestamp of its own to fall back to")
        try:
            return make(fields)
        except InvalidRecord as error:
            raise DataError(f"{self.path}/{name} line {number}: {error}") from error

    def _file(self, name: str) -> Path | None:
        candidates = [self.path / f"{name}.jsonl", self.path / f"{name}.jsonl.gz"]
        return next((file for file in candidates if file.exists()), None)

    def _lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        file = self._file(name)
        if file is None:
            return
        try:
            with _open(file) as lines:
                yield from enumerate(lines, start=1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{file} cannot be read: {error}") from error


def _open(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def split(folder: Folder, *, by_time: bool = False, keep: tuple[Set[str], Set[str]] | None = None) -> list[Part]:
    """All records with their part: each user's oldest 70 % train, the next 10 % validate, the last 20 % test.

    A post belongs to the part of the interaction whose window it falls in; posts after the last interaction are test.
    In time order; interactions precede posts of the same time, and those of one time stand as in the file.
    `by_time` cuts everybody at the moment that has 70 % (80 %) of all interactions before it; `keep` names users and items to stay.
    """
    interactions = sorted(folder.interactions(), key=lambda one: one.at)
    posts = folder.posts()
    if keep is not None:
        users, items = keep
        interactions = [one for one in interactions if one.user in users and one.item in items]
        posts = (one for one in posts if one.user in users)
    if by_time and interactions:
        parts = _cut_at(interactions, posts, *(interactions[int(len(interactions) * share)].at for share in _SHARES))
    else:
        parts = _cut_by_user(interactions, posts)
    return sorted(parts, key=lambda one: one.record.at)


def _cut_at(interactions: Iterable[Interaction], posts: Iterable[Post], first: int, second: int) -> Iterator[Part]:
    records: Iterator[Post | Interaction] = chain(interactions, posts)
    for one in records:
        yield Part(one, _part(one.at, (first, second)))


def _cut_by_user(interactions: Sequence[Interaction], posts: Iterable[Post]) -> Iterator[Part]:
    by_user: defaultdict[str, list[Interaction]] = defaultdict(list)
    for one in interactions:
        by_user[one.user].append(one)
    cuts = {user: (int(len(own) * _SHARES[0]), int(len(own) * _SHARES[1])) for user, own in by_user.items()}
    borders = {user: (_border(own, cuts[user][0]), _border(own, cuts[user][1])) for user, own in by_user.items()}
    seen: Counter[str] = Counter()
    for one in interactions:
        yield Part(one, _part(seen[one.user], cuts[one.user]))
        seen[one.user] += 1
    for written in posts:
        yield Part(written, _part(written.at, borders.get(written.user, (-1, -1))))


def _border(interactions: list[Interaction], cut: int) -> int:
    """The time from which a user's posts belong to interaction `cut` or a later one."""
    return interactions[cut - 1].at if cut else -1


def _part(value: int, borders: tuple[int, int]) -> str:
    if value < borders[0]:
        return TRAINING
    return VALIDATION if value < borders[1] else TEST


def on_log(parts: Iterable[Part], settings: Settings) -> list[Part]:
    """The records with the sources they get on empty Kafka topics, in the order the worker would meet them."""
    offsets: Counter[tuple[str, int]] = Counter()
    records: list[Held] = []
    names: dict[Source, str] = {}
    for one in parts:
        kafka_topic = settings.kafka.target if isinstance(one.record, Interaction) else _kafka_topic(one.record, settings)
        place = (kafka_topic, partition_of(one.record.user, settings.kafka.partitions))
        source = Source(*place, offsets[place])
        offsets[place] += 1
        names[source] = one.part
        records.append(replace(one.record, source=source))
    return [Part(record, names[record.source]) for record in in_order(records) if isinstance(record, Post | Interaction)]


def _kafka_topic(record: Post, settings: Settings) -> str:
    try:
        return settings.networks[record.network]
    except KeyError as error:
        known = ", ".join(settings.networks)
        raise DataError(f"posts of network {record.network!r}, but the settings know {known}; add it under [networks]") from error


@lru_cache(maxsize=100_000)  # the hash is Python of the client's own: 10 us a name
def partition_of(user: str, partitions: int) -> int:
    """The partition that Kafka's Java client and aiokafka give to this key."""
    return int((murmur2(user.encode()) & 0x7FFFFFFF) % partitions)

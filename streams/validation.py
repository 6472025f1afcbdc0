"""What is wrong with a data folder, all of it: line numbers and remedies."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.errors import DataError
from streams.folder import TEST, TRAINING, VALIDATION, Folder, split
from streams.records import Interaction, Item, Post

_EARLIEST_MS = 100_000_000_000  # 1973; a smaller number is in seconds
_EARLIEST_USE = 3  # interactions of a user that fill a training and a test part


@dataclass(slots=True)
class Found:
    """Problems must be mended; notes say what will be missing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def validate(folder: Folder) -> Found:
    """Read everything and keep going."""
    found = Found()
    posts, interactions = list(_records(folder, "posts", found)), list(_records(folder, "events", found))
    items = list(_records(folder, "items", found))
    if not folder.has("events"):
        found.problems.append(f"no events.jsonl[.gz] in {folder.path}; there is nothing to learn without interactions")
    elif not interactions:
        found.problems.append(f"no interaction in events.jsonl[.gz] of {folder.path}; there is nothing to learn without any")
    found.counts = {"posts": len(posts), "interactions": len(interactions), "items": len(items)}
    _check_order("posts", posts, found)
    _check_order("events", interactions, found)
    _check_twice(posts, interactions, items, found)
    _note(posts, interactions, items, found)
    if interactions and not found.problems:
        _check_parts(folder, found)
    return found


def _records(folder: Folder, name: str, found: Found) -> Iterator[tuple[int, Post | Interaction | Item]]:
    for number, record in folder.each(name):
        if isinstance(record, DataError):
            found.problems.append(f"{record}; mend or leave out the line")
        else:
            yield number, record


Numbered = list[tuple[int, Post | Interaction | Item]]


def _check_order(name: str, records: Numbered, found: Found) -> None:
    last = 0
    for number, record in records:
        if isinstance(record, Item):
            continue
        if record.at < _EARLIEST_MS:
            found.problems.append(f"{name} line {number}: at = {record.at} is before 1973; times are in milliseconds")
        if record.at < last:
            found.problems.append(f"{name} line {number}: at = {record.at} comes after {last}; sort the lines by at")
        last = max(last, record.at)


def _check_twice(posts: Numbered, interactions: Numbered, items: Numbered, found: Found) -> None:
    """The same interaction or item twice is a mistake; people do post the same text twice."""
    for name, records in (("events", interactions), ("items", items)):
        for number, first in _twice(records):
            found.problems.append(f"{name} line {number}: the same as line {first}; leave one of them out")
    again = len(list(_twice(posts)))
    if again:
        found.notes.append(f"{again} posts repeat an earlier one of the same user and time")


def _twice(records: Numbered) -> Iterator[tuple[int, int]]:
    first: dict[object, int] = {}
    for number, record in records:
        key = record.item if isinstance(record, Item) else record
        if key in first:
            yield number, first[key]
        first.setdefault(key, number)


def _note(posts: Numbered, interactions: Numbered, items: Numbered, found: Found) -> None:
    takers = Counter(one.user for _, one in interactions if isinstance(one, Interaction))
    taken = {one.item for _, one in interactions if isinstance(one, Interaction)}
    authors = {one.user for _, one in posts if isinstance(one, Post)}
    networks = Counter(one.network for _, one in posts if isinstance(one, Post))
    known = {one.item: one for _, one in items if isinstance(one, Item)}
    few = sum(count < _EARLIEST_USE for count in takers.values())
    silent, bare = len(takers.keys() - authors), sum(not (one.title or one.text) for one in known.values())
    said = (
        (silent and posts, f"{silent} of {len(takers)} users with interactions have no posts; their windows stay empty"),
        (few, f"{few} users have fewer than {_EARLIEST_USE} interactions; they take no part in training"),
        (len(authors - takers.keys()), f"{len(authors - takers.keys())} authors of posts have no interactions"),
        (len(taken - known.keys()) and items, f"{len(taken - known.keys())} items that were taken are not in items.jsonl"),
        (bare, f"{bare} items have neither title nor text"),
        (not posts, "no posts; the model sees interactions and gaps only"),
        (posts, f"posts by network: {', '.join(f'{name} {count:,}' for name, count in networks.most_common())}"),
    )
    found.notes += [text for holds, text in said if holds]


def _check_parts(folder: Folder, found: Found) -> None:
    counts = Counter(one.part for one in split(folder) if isinstance(one.record, Interaction))
    for part in (TRAINING, VALIDATION, TEST):
        if not counts[part]:
            found.problems.append(f"the {part} part is empty; users need ten interactions to fill all three parts")

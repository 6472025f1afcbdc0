"""The synthetic world: reproducible, well-formed, and with something to learn in it."""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from streams.errors import DataError
from streams.synth import World, write

_SMALL = World(users=30, items=60, seed=3, days=40, interactions=15)
_FIELDS = {
    "posts": {"user": str, "network": str, "at": int, "text": str},
    "events": {"user": str, "item": str, "at": int, "action": str},
    "items": {"item": str, "title": str, "text": str},
}


def _lines(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small world for the tests that only read it."""
    folder = tmp_path_factory.mktemp("small")
    write(_SMALL, folder)
    return folder


def test_same_seed_same_bytes(small: Path, tmp_path: Path) -> None:
    """A world is a function of its numbers; another seed is another world."""
    write(_SMALL, tmp_path / "again")
    write(World(users=30, items=60, seed=4, days=40, interactions=15), tmp_path / "other")
    for name in _FIELDS:
        file = f"{name}.jsonl.gz"
        assert (tmp_path / "again" / file).read_bytes() == (small / file).read_bytes()
        assert (tmp_path / "other" / file).read_bytes() != (small / file).read_bytes()


@pytest.mark.parametrize("name", list(_FIELDS))
def test_lines_have_the_fields_of_the_contract(small: Path, name: str) -> None:
    """Every line has exactly the fields of a data folder, none of them empty."""
    lines = _lines(small, name)
    assert lines
    for line in lines:
        assert {field: type(value) for field, value in line.items()} == _FIELDS[name]
        assert all(value != "" for value in line.values())


def test_order_networks_and_items(small: Path, tmp_path: Path) -> None:
    """Sorted by time; two networks; nobody meets an item twice; every item of an event is in the catalogue."""
    posts, events, items = (_lines(small, name) for name in _FIELDS)
    assert [one["at"] for one in posts] == sorted(one["at"] for one in posts)
    assert [one["at"] for one in events] == sorted(one["at"] for one in events)
    assert {one["network"] for one in posts} == {"twitter", "gplus"}
    assert max(Counter((one["user"], one["item"]) for one in events).values()) == 1
    assert {one["item"] for one in events} <= {one["item"] for one in items}
    written = write(_SMALL, tmp_path)
    assert (written.posts, written.events, written.items) == (len(posts), len(events), len(items))


def test_posts_tell_what_comes_next(tmp_path: Path) -> None:
    """The words of a user's last post share more with the next item's description than with another one's."""
    write(World(seed=1, users=60), tmp_path)
    words = {one["item"]: set(one["text"].lower().rstrip(".").split()) for one in _lines(tmp_path, "items")}
    posts = defaultdict(list)
    for post in _lines(tmp_path, "posts"):
        posts[post["user"]].append(post)
    right = wrong = 0
    events = _lines(tmp_path, "events")
    for event, other in zip(events, events[1:] + events[:1], strict=True):
        said = [one["text"] for one in posts[event["user"]] if one["at"] < event["at"]]
        if said:
            heard = set(said[-1].lower().split())
            right += len(heard & words[event["item"]])
            wrong += len(heard & words[other["item"]])
    assert right > 1.1 * wrong


@pytest.mark.parametrize("field", ["users", "items", "days", "interactions"])
def test_an_empty_world_is_refused(field: str) -> None:
    """Zero of anything: the name and the value in the message."""
    with pytest.raises(DataError, match=f"{field} = 0"):
        World(**{field: 0})


def test_a_tiny_world_is_no_special_case(tmp_path: Path) -> None:
    """One user and one item: one interaction at most, and no endless search for more."""
    assert write(World(users=1, items=1, days=1, interactions=5), tmp_path).events <= 1

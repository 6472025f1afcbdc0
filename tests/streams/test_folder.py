"""Promises of streams/folder.py."""

import gzip
import json
from pathlib import Path

import pytest

from streams.errors import DataError
from streams.folder import Folder, on_log, partition_of, split
from streams.settings import Settings
from tests.streams.small import DAY


def _folder(path: Path, events: list[dict[str, object]], posts: list[dict[str, object]]) -> Folder:
    (path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events), "utf-8")
    with gzip.open(path / "posts.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in posts)
    return Folder(path)


def test_the_oldest_train_and_the_latest_test(tmp_path: Path) -> None:
    """Of ten interactions seven train, one validates, two test; a post goes with the window it falls in."""
    events: list[dict[str, object]] = [{"user": "u", "item": str(n), "at": n * DAY} for n in range(10)]
    posts: list[dict[str, object]] = [
        {"user": "u", "network": "twitter", "at": at, "text": "t"} for at in (0, 6 * DAY - 1, 6 * DAY, 7 * DAY, 99 * DAY)
    ]
    parts = split(_folder(tmp_path, events, posts))
    assert ["train"] * 7 + ["validation"] + ["test"] * 2 == [one.part for one in parts if hasattr(one.record, "item")]
    assert ["train", "train", "validation", "test", "test"] == [one.part for one in parts if hasattr(one.record, "text")]


def test_sources_are_those_of_a_fresh_log(tmp_path: Path) -> None:
    """Records get their user's partition and the next offset there, and come in event-time order, interactions first."""
    events: list[dict[str, object]] = [{"user": f"u{n}", "item": "i", "at": DAY} for n in range(6)]
    posts: list[dict[str, object]] = [{"user": "u1", "network": "gplus", "at": DAY, "text": "t"}]
    ordered = on_log(split(_folder(tmp_path, events, posts)), Settings())
    sources = [one.record.source for one in ordered]
    assert "gplus-posts" == sources[-1].kafka_topic
    assert sorted(sources[:-1], key=lambda one: (one.partition, one.offset)) == sources[:-1]
    assert all(partition_of(one.record.user, 4) == one.record.source.partition for one in ordered)


def test_keys_go_where_kafka_puts_them() -> None:
    """The partition of a key is that of the Java client (murmur2)."""
    # Kafka's own test of murmur2 has these keys with the hashes -973932308, -790332482 and -985981536.
    assert [12, 14, 0] == [partition_of(key, 16) for key in ("21", "foobar", "a-little-bit-long-string")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ('{"user":"u","at":1}', "line 2: no 'item'"),
        ('{"user":"u","item":"i"}', "line 2: no 'at'"),
        ('{"user":"u","item":"i","at":-1}', "line 2: at = -1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    """The error has the file, the line and what is wrong."""
    (tmp_path / "events.jsonl").write_text('{"user":"u","item":"i","at":1}\n' + line + "\n", "utf-8")
    with pytest.raises(DataError, match=said):
        list(Folder(tmp_path).interactions())


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    """No folder, no events: one sentence that says what to do; no posts is fine."""
    with pytest.raises(DataError, match="no data folder"):
        Folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no events"):
        list(Folder(tmp_path).interactions())
    assert [] == list(Folder(tmp_path).posts())

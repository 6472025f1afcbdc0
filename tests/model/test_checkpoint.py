"""Checkpoints on disk."""

import json
from pathlib import Path

import numpy as np
import pytest

from model import CheckpointError, Recommender
from tests.model.small import Stream, recommender, small


def _learned() -> tuple[Recommender, Stream]:
    one = recommender(small(dtype="float32", users_cap=4))
    stream = Stream(one)
    for users in (("ann", "new"), ("bob",), ("newer", "ann")):
        one.learn(stream.lesson(users))
    return one, stream


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path: Path) -> None:
    """After more lessons, with growth and eviction, both have the same weights, bit for bit."""
    one, stream = _learned()
    one.save(tmp_path / "a", {"next_lesson": 3, "topics": "abc"})
    other, extra = Recommender.load(tmp_path / "a")
    assert {"next_lesson": 3, "topics": "abc"} == extra
    assert (one.state_hash(), one.lessons, one.version) == (other.state_hash(), other.lessons, other.version)
    for users in (("cid", "new"), ("last", "ann"), ("bob",)):
        lesson = stream.lesson(users)
        assert one.learn(lesson) == other.learn(lesson)
    assert one.state_hash() == other.state_hash()


def test_a_folder_can_be_written_again(tmp_path: Path) -> None:
    """The new checkpoint takes the old one's place and nothing else stays behind."""
    one, stream = _learned()
    one.save(tmp_path / "a", {})
    one.learn(stream.lesson(("ann",)))
    one.save(tmp_path / "a", {})
    assert one.state_hash() == Recommender.load(tmp_path / "a")[0].state_hash()
    assert ["a"] == [path.name for path in tmp_path.iterdir()]


def test_a_write_that_breaks_off_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until everything is on disk the folder is as it was; what was left lying does not hinder the next write."""
    one, stream = _learned()
    one.save(tmp_path / "a", {})
    before = one.state_hash()
    one.learn(stream.lesson(("ann",)))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            one.save(tmp_path / "a", {})
    assert before == Recommender.load(tmp_path / "a")[0].state_hash()
    one.save(tmp_path / "a", {})
    assert one.state_hash() == Recommender.load(tmp_path / "a")[0].state_hash()


@pytest.mark.parametrize("name", ["tensors.safetensors", "model.json"])
def test_a_cut_or_altered_file_is_refused(tmp_path: Path, name: str) -> None:
    """One byte changed anywhere, or the end missing, is a CheckpointError."""
    _learned()[0].save(tmp_path / "a", {"note": "x"})
    path = tmp_path / "a" / name
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(len(content), size=60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(CheckpointError):
            Recommender.load(tmp_path / "a")
        path.write_bytes(content[:place])
        with pytest.raises(CheckpointError):
            Recommender.load(tmp_path / "a")
    path.unlink()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Recommender.load(tmp_path / "a")


def test_a_newer_or_foreign_file_is_refused(tmp_path: Path) -> None:
    """The message says which it is."""
    _learned()[0].save(tmp_path / "a", {})
    path = tmp_path / "a" / "model.json"
    facts = json.loads(path.read_bytes())
    for change, words in (({"format": 2}, "has format 2"), ({"kind": "other"}, "something else")):
        path.write_text(json.dumps({**facts, **change}), encoding="utf-8")
        with pytest.raises(CheckpointError, match=words):
            Recommender.load(tmp_path / "a")


def test_state_hash_sees_every_part() -> None:
    """A weight, a name's last use, a count: each changes it."""
    hashes = {recommender().state_hash(), recommender(small(past=4)).state_hash(), recommender(seed=2).state_hash()}
    one = recommender()
    one.count_only(("v1",), (0,), ("ann",))
    hashes.add(one.state_hash())
    one.count_only(("v1",), (0,), ("ann",))
    hashes.add(one.state_hash())
    assert 5 == len(hashes)

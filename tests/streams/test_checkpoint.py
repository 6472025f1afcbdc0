"""Promises of streams/checkpoint.py."""

import resource
from pathlib import Path

from streams.checkpoint import Checkpoints
from streams.settings import WorkerSettings
from tests.streams.small import line

_SETTINGS = WorkerSettings(checkpoints_kept=2)


def _checkpoints(folder: Path, log: str) -> Checkpoints:
    return Checkpoints(folder, {"lessons": log}, _SETTINGS)


def test_checkpoints_of_another_log_are_left_alone(tmp_path: Path) -> None:
    """Numbers of one log mean nothing on another: neither is taken, counted or deleted for the other."""
    recommender = line().recommender
    one, other = _checkpoints(tmp_path, "one"), _checkpoints(tmp_path, "other")
    for number in (900, 901):
        assert other.write(recommender, number, 0, 0.0)
    for number in (1, 2, 3):
        assert one.write(recommender, number, 0, 0.0)
    assert ["2", "3"] == [path.name.lstrip("0") for path in one.paths()]
    assert (2, 900) == (one.oldest, other.oldest)
    assert ["900", "901"] == [path.name.lstrip("0") for path in other.paths()]
    found = one.newest(1000)
    assert found is not None
    assert 3 == found[1]
    assert None is _checkpoints(tmp_path, "third").newest(1000)


def test_none_is_written_over_that_of_another_log(tmp_path: Path) -> None:
    """Two logs that come to the same number in one folder: the first keeps its checkpoint, the second goes on without."""
    recommender = line().recommender
    one, other = _checkpoints(tmp_path, "one"), _checkpoints(tmp_path, "other")
    assert one.write(recommender, 7, 0, 0.0)
    assert not other.write(recommender, 7, 0, 0.0)
    assert 1 == len(one.paths())
    assert None is other.newest(1000)


def test_one_that_is_ahead_of_the_log_is_not_taken(tmp_path: Path) -> None:
    """A checkpoint that has learned lessons which are not in Kafka belongs to a lost future."""
    checkpoints = _checkpoints(tmp_path, "one")
    for number in (5, 8):
        checkpoints.write(line().recommender, number, 0, 0.0)
    found = checkpoints.newest(7)
    assert found is not None
    assert 5 == found[1]


def test_one_that_cannot_be_read_is_not_among_those_kept(tmp_path: Path) -> None:
    """The one before it stays, with the lessons after it, until there are as many readable ones as are kept."""
    recommender, checkpoints = line().recommender, _checkpoints(tmp_path, "one")
    for number, oldest in ((1, 0), (2, 1)):  # the artifact is the one before the first
        assert checkpoints.write(recommender, number, 0, 0.0)
        assert oldest == checkpoints.oldest
    (checkpoints.paths()[-1] / "tensors.safetensors").write_bytes(b"cut")
    found = checkpoints.newest(7)
    assert found is not None
    assert (1, 1) == (found[1], checkpoints.broken)
    for number, oldest in ((3, 1), (4, 3)):
        assert checkpoints.write(recommender, number, 0, 0.0)
        assert (oldest, 2) == (checkpoints.oldest, checkpoints.kept)
    assert ["3", "4"] == [path.name.lstrip("0") for path in checkpoints.paths()]


def test_nothing_is_left_of_one_that_was_not_written_to_its_end(tmp_path: Path) -> None:
    """Neither where the disk takes no more, which is tried again and again, nor of a worker that was killed while it wrote."""
    recommender, checkpoints = line().recommender, _checkpoints(tmp_path, "one")
    assert checkpoints.write(recommender, 1, 0, 0.0)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        assert not checkpoints.write(recommender, 2, 0, 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    (kept,) = (tmp_path / "online").iterdir()
    kept.with_name(f".{2:017d}.partial").mkdir()
    assert checkpoints.write(recommender, 3, 0, 0.0)
    assert ["1", "3"] == sorted(path.name.lstrip("0") for path in (tmp_path / "online").iterdir())

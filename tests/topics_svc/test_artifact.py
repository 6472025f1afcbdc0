"""Artifacts: what is saved is loaded, anything else is refused with one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from topics_svc import ArtifactError, TopicService
from topics_svc.artifact import ARRAYS, TEXT


@pytest.fixture
def saved(service: TopicService, tmp_path: Path) -> Path:
    """A saved model."""
    service.save(tmp_path / "deep" / "topics")
    return tmp_path / "deep" / "topics"


def test_round_trip(service: TopicService, saved: Path) -> None:
    """A loaded model is the saved one: fingerprint, configuration, labels, and inference bit for bit."""
    loaded = TopicService.load(saved)
    assert service.fingerprint == loaded.fingerprint
    assert service.config == loaded.config
    assert service.lexicon == loaded.lexicon
    assert service.labels(1, 5) == loaded.labels(1, 5)
    expected, found = service.infer("w1x1 b2 w2x1", np.ones(4)), loaded.infer("w1x1 b2 w2x1", np.ones(4))
    assert expected is not None
    assert found is not None
    assert np.array_equal(expected, found)


def test_save_replaces(service: TopicService, saved: Path) -> None:
    """Saving again replaces the artifact and leaves nothing beside it; the bytes are the same."""
    before = {file.name: file.read_bytes() for file in saved.iterdir()}
    service.save(saved)
    assert before == {file.name: file.read_bytes() for file in saved.iterdir()}
    assert [saved] == list(saved.parent.iterdir())


def test_a_failed_save_leaves_the_old_one(service: TopicService, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails in the middle, the old artifact is still whole and no half is left."""

    def full(_file: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("topics_svc.artifact._write_through", full)
    with pytest.raises(OSError, match="No space"):
        service.save(saved)
    assert [saved] == list(saved.parent.iterdir())
    assert service.fingerprint == TopicService.load(saved).fingerprint


def test_save_spares_other_folders(service: TopicService, tmp_path: Path) -> None:
    """A folder with something else in it, or a file, is not overwritten."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match="no topics artifact"):
        service.save(tmp_path)
    with pytest.raises(ArtifactError, match="no topics artifact"):
        service.save(tmp_path / "thesis.tex")
    assert "years of work" == (tmp_path / "thesis.tex").read_text()


def text_with(**changes: object) -> Callable[[Path], None]:
    """A change of fields of the JSON, checksum left as it was."""

    def change(path: Path) -> None:
        about = json.loads((path / TEXT).read_bytes())
        (path / TEXT).write_text(json.dumps({**about, **changes}))

    return change


def cut(name: str, share: float) -> Callable[[Path], None]:
    """Truncate a file."""

    def change(path: Path) -> None:
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: int(len(content) * share)])

    return change


def flip(name: str) -> Callable[[Path], None]:
    """Alter one byte in the middle of a file."""

    def change(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (path / name).write_bytes(bytes(content))

    return change


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "arrays truncated": (cut(ARRAYS, 0.5), "truncated or was altered"),
    "arrays empty": (cut(ARRAYS, 0), "truncated or was altered"),
    "arrays altered": (flip(ARRAYS), "truncated or was altered"),
    "arrays gone": (lambda path: (path / ARRAYS).unlink(), "cannot be read"),
    "text truncated": (cut(TEXT, 0.5), "cannot be read"),
    "text altered": (text_with(split_hashtags=True), "altered"),
    "text gone": (lambda path: (path / TEXT).unlink(), f"has no {TEXT}"),
    "text is a list": (lambda path: (path / TEXT).write_text("[]"), "is a JSON list"),
    "text is binary": (lambda path: (path / TEXT).write_bytes(b"\xff\xfe\x00"), "cannot be read"),
    "foreign": (lambda path: (path / TEXT).write_text('{"name": "package.json"}'), "format None"),
    "newer": (text_with(version=2), "version 2"),
    "another tokenizer": (text_with(tokenizer=99), "tokenizer 99"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage(saved: Path, damage: str) -> None:
    """Truncated, altered, foreign and newer artifacts are refused with one sentence that names the file."""
    break_it, message = DAMAGE[damage]
    break_it(saved)
    with pytest.raises(ArtifactError, match=message) as caught:
        TopicService.load(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    """A place without an artifact is refused."""
    with pytest.raises(ArtifactError, match="fit one first"):
        TopicService.load(tmp_path / "nowhere")

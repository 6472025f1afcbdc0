"""A stopped fit goes on."""

from pathlib import Path

import pytest

from tests.topics_svc.corpora import drawn
from topics_svc import ArtifactError, TopicConfig, fit

POSTS = drawn(300, 3, 6, 1)[0]
CONFIG = TopicConfig(topics=3, sweeps=36, average_last=12, optimise_every=8, seed=2)


class Stopped(Exception):
    """What stops a fit in these tests."""


def stop_at(sweep: int) -> "Stopper":
    """A progress callback that stops a fit."""
    return Stopper(sweep)


class Stopper:
    """Counts sweeps and raises at one."""

    def __init__(self, at: int) -> None:
        self.at, self.sweeps = at, list[int]()

    def __call__(self, sweep: int, _likelihood: float, _speed: float) -> None:
        self.sweeps.append(sweep)
        if sweep == self.at:
            raise Stopped


@pytest.mark.parametrize("at", [15, 33])
def test_same_result(at: int, tmp_path: Path) -> None:
    """Stopped before or within the averaging and started again, a fit ends as if it had never stopped, and removes the file."""
    expected = fit(POSTS, CONFIG)
    with pytest.raises(Stopped):
        fit(POSTS, CONFIG, stop_at(at), resume=tmp_path / "deep" / "chain")
    seen = Stopper(-1)
    found = fit(POSTS, CONFIG, seen, resume=tmp_path / "deep" / "chain")
    assert list(range(at // 10 * 10 + 1, 37)) == seen.sweeps
    assert expected.fingerprint == found.fingerprint
    assert expected.about == found.about
    assert [] == list((tmp_path / "deep").iterdir())


def test_of_other_posts(tmp_path: Path) -> None:
    """The state of other posts, of another configuration, or of nothing is refused."""
    with pytest.raises(Stopped):
        fit(POSTS, CONFIG, stop_at(11), resume=tmp_path / "chain")
    with pytest.raises(ArtifactError, match="other posts"):
        fit(POSTS[:-1], CONFIG, resume=tmp_path / "chain")
    with pytest.raises(ArtifactError, match="other posts"):
        fit(POSTS, TopicConfig(topics=3), resume=tmp_path / "chain")
    (tmp_path / "chain").write_bytes((tmp_path / "chain").read_bytes()[:100])
    with pytest.raises(ArtifactError, match="cannot be read"):
        fit(POSTS, CONFIG, resume=tmp_path / "chain")

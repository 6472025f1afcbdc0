"""Artifacts: a model and the topics it may be used with."""

from pathlib import Path

import pytest

from model import ModelConfig, Recommender
from streams import assemble
from streams.errors import ArtifactError
from streams.line import Line
from streams.settings import LineSettings, Settings
from streams.state import Users
from tests.topics_svc.corpora import drawn
from topics_svc import TopicConfig, TopicService, fit
from topics_svc.refit import refit

POSTS = drawn(600, 3, 9, 0)[0]


@pytest.fixture(scope="module")
def topics() -> TopicService:
    """Topics of a small corpus."""
    return fit(POSTS, TopicConfig(topics=3, sweeps=10, average_last=2))


@pytest.fixture
def saved(tmp_path: Path, topics: TopicService) -> Path:
    """An artifact trained on them."""
    config = ModelConfig(("twitter",), 3, factors=2, hidden=2)
    assemble.save(tmp_path / "artifact", Line(Recommender(config), topics, LineSettings(), Users(config)), Settings())
    return tmp_path / "artifact"


def test_refitted_topics_are_taken(saved: Path, topics: TopicService, caplog: pytest.LogCaptureFixture) -> None:
    """A model takes topics refitted from its own, and the distance is said."""
    new, drift = refit(topics, POSTS[::-1])
    new.save(saved / "topics")
    loaded = assemble.load(saved, LineSettings(topics_distance=1.0)).topics
    assert loaded is not None
    assert new.fingerprint == loaded.fingerprint
    assert f"mean distance {drift.mean:.3f}" in caplog.text


def test_topics_too_far_are_refused(saved: Path, topics: TopicService) -> None:
    """Beyond the limit they are refused by name, with both numbers."""
    new, drift = refit(topics, POSTS[::-1])
    new.save(saved / "topics")
    with pytest.raises(ArtifactError, match=f"moved by {drift.mean:.3f}, more than the 0.0"):
        assemble.load(saved, LineSettings(topics_distance=0.0))


def test_foreign_topics_are_refused(saved: Path) -> None:
    """Topics that do not descend from the model's are refused whatever the limit."""
    fit(POSTS, TopicConfig(topics=3, sweeps=10, average_last=2, seed=1)).save(saved / "topics")
    with pytest.raises(ArtifactError, match="not even refitted from them"):
        assemble.load(saved, LineSettings(topics_distance=1.0))

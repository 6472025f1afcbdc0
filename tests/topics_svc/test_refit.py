"""Warm start on newer posts."""

import numpy as np
import pytest

from tests.topics_svc.corpora import drawn
from topics_svc import ConfigError, TopicConfig, TopicService, fit
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import read
from topics_svc.refit import drifted, placed, refit


def test_topics_keep_their_numbers(service: TopicService) -> None:
    """Refitted to other posts of the same world, topic k is still topic k, and near."""
    new, drift = refit(service, drawn(1500, 4, 20, 0)[0][::-1])
    assert (0, 1, 2, 3) == drift.nearest_K
    assert () == drift.born == drift.died
    assert 0.3 > drift.mean
    assert [service.labels(k, 1)[0].split("x")[0] for k in range(4)] == [new.labels(k, 1)[0].split("x")[0] for k in range(4)]
    assert service.fingerprint == new.about["from"] != new.fingerprint


def test_distance_from_ancestors(service: TopicService) -> None:
    """Refitted topics know how far they are, at most, from all they descend from, and nothing of others."""
    child, first = refit(service, drawn(1500, 4, 20, 0)[0][::-1])
    grandchild, second = refit(child, drawn(1500, 4, 20, 1)[0])
    assert 0.0 == service.moved_from(service.fingerprint)
    assert first.mean == child.moved_from(service.fingerprint)
    assert first.mean + second.mean == grandchild.moved_from(service.fingerprint)
    assert service.moved_from(child.fingerprint) is None


def test_new_words_enter(service: TopicService) -> None:
    """A word that came up since belongs to the topic it is used with."""
    posts = [(author, f"{text} novel" if "w2x1 " in text else text) for author, text in drawn(2000, 4, 20, 0)[0]]
    new, _ = refit(service, posts)
    found = new.infer("novel")
    assert service.infer("novel") is None
    assert found is not None
    assert service.infer("w2x1 w2x2").argmax() == found.argmax()  # type: ignore[union-attr]


def test_born_and_died(service: TopicService) -> None:
    """A topic whose words are all gone died; the one that took its place was born."""
    posts = [(author, text.replace("w3x", "fresh")) for author, text in drawn(2000, 4, 20, 0)[0]]
    new, drift = refit(service, posts)
    gone = next(k for k in range(4) if service.labels(k, 1)[0].startswith("w3"))
    assert (gone,) == drift.died
    assert 1 == len(drift.born)
    assert new.labels(drift.born[0], 1)[0].startswith("fresh")


def test_distance_to_itself(service: TopicService) -> None:
    """A model is at distance 0 of itself."""
    assert [0.0] * 4 == pytest.approx(list(drifted(service, service).distances_K), abs=1e-6)


def test_started_counts_add_up(service: TopicService) -> None:
    """Counts of a warm start are those of its topics and switches; after a sweep every post with words is counted."""
    posts = [*drawn(200, 4, 20, 1)[0], ("a", "unseen unseen2"), ("a", "unseen unseen2"), ("a", "")]
    lexicon, corpus = read(posts, TopicConfig(min_posts=2, stop_languages=()))
    sampler = Sampler(corpus, service.config)
    sampler.start(*placed(service, lexicon, corpus))
    counted = np.repeat(sampler.counts.z_D >= 0, np.diff(corpus.starts_D))
    assert counted.sum() == sampler.counts.totals.sum() < len(corpus.words_N)
    sampler.sweep()
    assert len(corpus.words_N) == sampler.counts.totals.sum() == sampler.counts.n_VK.sum() + sampler.counts.b_V.sum()
    assert np.array_equal(np.bincount(corpus.words_N, minlength=len(lexicon)), sampler.counts.n_VK.sum(1) + sampler.counts.b_V)


def test_other_number_of_topics(service: TopicService) -> None:
    """Another K is refused."""
    with pytest.raises(ConfigError, match="keeps the 4 topics"):
        refit(service, [("a", "b")], TopicConfig(topics=5))


def test_deterministic(service: TopicService) -> None:
    """The same refit twice gives the same fingerprint, which is not that of a cold fit."""
    posts = drawn(300, 4, 20, 2)[0]
    first, second = (refit(service, posts)[0].fingerprint for _ in range(2))
    assert first == second != fit(posts, service.config).fingerprint

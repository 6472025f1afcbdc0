"""Quality of a model on posts."""

import json
import math

import numpy as np
import pytest

from tests.topics_svc.corpora import drawn
from topics_svc import TopicService
from topics_svc.quality import measure


def test_of_a_drawn_world(service: TopicService) -> None:
    """Shares sum to one, topics are coherent and sure, perplexity beats that of a uniform draw; JSON can hold it all."""
    posts = drawn(2000, 4, 20, 0)[0]
    quality = measure(service, ((author, text, n % 5 == 0) for n, (author, text) in enumerate(posts)))
    assert (2000, 400) == (quality["posts"], quality["held_out"])
    assert 1.0 == pytest.approx(sum(row["share"] for row in quality["topics"]))
    assert 0.8 < quality["confidence"] <= 1.0
    assert 1 < quality["perplexity"] < len(service.lexicon)
    for k, row in enumerate(quality["topics"]):
        assert service.labels(k, 10) == row["words"]
        assert 0.0 < row["npmi"] <= 1.0
        assert 3 == len(set(row["examples"]))
    assert quality == json.loads(json.dumps(quality))


def test_perplexity_is_exact(service: TopicService) -> None:
    """For one held-out post it is the mixture likelihood of its words, computed plainly."""
    estimates, ids = service.estimates, service.lexicon.list_ids("w1x1 b2 w1x1")
    mixture_VK = (1 - estimates.pi) * estimates.background[:, None] + estimates.pi * estimates.phi
    likelihood = float(mixture_VK[ids].prod(0).mean())
    found = measure(service, [("a", "w1x1 b2 w1x1", True)])["perplexity"]
    assert math.exp(-math.log(likelihood) / 3) == pytest.approx(found, rel=1e-5)


def test_npmi_by_hand(service: TopicService) -> None:
    """Two labels that are always together and never alone have NPMI 1; labels never together have -1."""
    first, second, third = service.labels(0, 3)
    quality = measure(service, [("a", f"{first} {second}", False)] * 3 + [("a", third, False)])
    expected = np.mean([1.0, -1.0, -1.0])
    assert expected == pytest.approx(quality["topics"][0]["npmi"])


def test_without_known_words(service: TopicService) -> None:
    """Posts without known words are counted and leave the rest unknown."""
    quality = measure(service, [("a", "zzz", True)])
    assert (1, 1, None) == (quality["posts"], quality["without_known_words"], quality["perplexity"])
    assert quality["topics"][0]["npmi"] is None

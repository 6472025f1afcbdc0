"""A fit from end to end, and the inputs that go wrong."""

from collections.abc import Iterator

import numpy as np
import pytest

import topics_svc
from tests.topics_svc.corpora import drawn
from topics_svc import CorpusError, InputError, TopicConfig, TopicError, TopicService, fit

QUICK = TopicConfig(topics=3, sweeps=3, average_last=2)


def test_exported_names() -> None:
    """The package offers these names."""
    expected = ["ArtifactError", "ConfigError", "CorpusError", "InputError", "TopicConfig", "TopicError", "TopicService", "fit"]
    assert expected == sorted(topics_svc.__all__)


def test_finds_the_topics(service: TopicService) -> None:
    """Each topic of the drawn world is one topic of the fit: its labels are that topic's words."""
    owners = [{label.split("x")[0] for label in service.labels(k, 8)} for k in range(4)]
    assert [1, 1, 1, 1] == [len(owner) for owner in owners]
    assert {"w0", "w1", "w2", "w3"} == set().union(*owners)


def test_progress() -> None:
    """Progress is told after every sweep, with a finite likelihood that rises in the long run."""
    told: list[tuple[int, float, float]] = []
    fit(drawn(300, 3, 5, 2)[0], TopicConfig(topics=3, sweeps=12, average_last=2), lambda *one: told.append(one))
    assert list(range(1, 13)) == [sweep for sweep, _, _ in told]
    assert told[0][1] < told[-1][1] < 0
    assert all(speed > 0 for _, _, speed in told)


def test_plateau() -> None:
    """With a plateau the chain stops before its last sweep, and averages nevertheless."""
    pairs = drawn(300, 3, 5, 2)[0]
    service = fit(pairs, TopicConfig(topics=3, sweeps=400, average_last=3, plateau=0.01))
    assert 400 > service.about["sweeps"]
    assert service.about["tokens"] == pytest.approx(service.estimates.n_VK.sum() + service.estimates.b_V.sum())


def test_optimised_priors() -> None:
    """Estimated priors leave their start and raise the likelihood."""
    pairs = drawn(500, 3, 5, 2)[0]
    kept = fit(pairs, TopicConfig(topics=3, sweeps=40, average_last=5))
    moved = fit(pairs, TopicConfig(topics=3, sweeps=40, average_last=5, optimise_every=5))
    assert (0.5, 0.01) == (kept.estimates.alpha, kept.estimates.beta)
    assert 0.01 < moved.estimates.beta
    assert kept.about["log_likelihood"] < moved.about["log_likelihood"]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no post"),
        ([("a", "word")], "no word is left"),
        ([("a", "🙂 ?!"), ("a", "")], "no word is left"),
        ([("a", "the same text")] * 100, "no word is left"),
    ],
    ids=["empty", "one post", "no words", "all identical"],
)
def test_nothing_to_fit(pairs: list[tuple[str, str]], message: str) -> None:
    """A corpus without posts or without words after the cuts is refused with the remedy."""
    with pytest.raises(CorpusError, match=message):
        fit(pairs, QUICK)


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "one two")] * 2,
        [("a", "one two three"), ("b", "one two"), ("c", "three one")],
        [("a", text) for _, text in drawn(50, 3, 5, 2)[0]],
        [("a", "good day"), ("a", ""), ("a", "good day")],
        [("\ud800", "surrogate \ud800 author"), ("\ud800", "surrogate author")],
        [("a", "big " * 250_000), ("a", "big deal"), ("b", "deal")],
    ],
    ids=["two posts", "more topics than posts allow", "one user", "an empty post", "lone surrogates", "a megabyte"],
)
def test_small_corpora(pairs: list[tuple[str, str]]) -> None:
    """Odd corpora give a defined model: finite estimates whose counts sum to what was read."""
    config = TopicConfig(topics=7, sweeps=3, average_last=2)
    service = fit(pairs, config)
    assert len(pairs) == service.about["posts"]
    assert service.about["tokens"] == pytest.approx(service.estimates.n_VK.sum() + service.estimates.b_V.sum())
    assert np.isfinite(service.estimates.table()).all()
    found = service.infer(service.lexicon.words[0])
    assert found is not None
    assert (7,) == found.shape


def test_one_topic() -> None:
    """With K = 1 every known post has the distribution (1)."""
    service = fit(drawn(50, 2, 3, 1)[0], TopicConfig(topics=1, sweeps=3))
    found = service.infer("w1x1", np.array([3.0]))
    assert found is not None
    assert [1.0] == found.tolist()


@pytest.mark.parametrize("pairs", [[("a", None)], [(1, "text")], ["text only"], [("a", "b", "c")], [None], [("a", b"bytes")]])
def test_no_pairs(pairs: list[tuple[str, str]]) -> None:
    """Anything but pairs of strings is refused by name."""
    with pytest.raises(InputError):
        fit(pairs, QUICK)


def test_memory_is_bounded() -> None:
    """A corpus above the stated memory is refused while it is read, not after."""
    taken = 0

    def endless() -> Iterator[tuple[str, str]]:
        nonlocal taken
        while True:
            taken += 1
            yield "a", f"word {taken % 100} " * 50

    with pytest.raises(CorpusError, match="max_memory_mb"):
        fit(endless(), TopicConfig(topics=3, max_memory_mb=2))
    assert 10_000 > taken


def test_labels_of_no_topic(service: TopicService) -> None:
    """A topic that is not there is refused."""
    with pytest.raises(InputError, match=r"choose 0\.\.3"):
        service.labels(4, 3)


def test_errors_are_value_errors() -> None:
    """Every error of the package is a ValueError under one name."""
    assert issubclass(TopicError, ValueError)
    for name in ("ArtifactError", "ConfigError", "CorpusError", "InputError"):
        assert issubclass(getattr(topics_svc, name), TopicError)

"""Fold-in: closed form, exact oracle, properties."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topics_svc.corpora import drawn
from topics_svc import InputError, TopicService
from topics_svc.arrays import Doubles, Floats
from topics_svc.posterior import Estimates

IDS = st.lists(st.integers(0, 60), min_size=1, max_size=30)
COUNTS = st.lists(st.floats(0, 1e6, width=32), min_size=4, max_size=4)


def theta(service: TopicService, ids: Sequence[int], counts: Sequence[float] | Doubles | None = None) -> Doubles:
    """Posterior of word numbers as float64."""
    found = service.infer_ids(np.array(ids, np.int32), None if counts is None else np.array(counts))
    assert found is not None
    return found.astype(np.float64)


def exact(estimates: Estimates, ids: Sequence[int], prior: Sequence[float]) -> list[float]:
    """The collapsed predictive: all switch settings summed, counts growing inside the post."""
    n_words, n_topics = estimates.n_VK.shape
    sums_K, b_sum = estimates.n_VK.sum(0), estimates.b_V.sum()
    weights = []
    for k in range(n_topics):
        total = 0.0
        for switches in product((0, 1), repeat=len(ids)):
            inside: list[int] = []
            outside: list[int] = []
            term = 1.0
            for v, one in zip(ids, switches, strict=True):
                topical, background = sums_K.sum() + len(inside), b_sum + len(outside)
                share = (topical if one else background) + estimates.gamma
                term *= share / (topical + background + 2 * estimates.gamma)
                if one:
                    above = estimates.n_VK[v, k] + inside.count(v) + estimates.beta
                    term *= above / (sums_K[k] + len(inside) + n_words * estimates.beta)
                    inside.append(v)
                else:
                    above = estimates.b_V[v] + outside.count(v) + estimates.beta_background
                    term *= above / (b_sum + len(outside) + n_words * estimates.beta_background)
                    outside.append(v)
            total += term
        weights.append(prior[k] * total)
    return [weight / sum(weights) for weight in weights]


def test_closed_form(service: TopicService) -> None:
    """p(z = k | words) is prior times the product of the two-part mixtures (ALGORITHMS 1.5), with and without running counts."""
    estimates, ids = service.estimates, [3, 17, 17, 40]
    mixture_VK = (1 - estimates.pi) * estimates.background[:, None] + estimates.pi * estimates.phi
    for counts in (None, [5.0, 0.0, 1.5, 0.25]):
        prior_K = np.full(4, 0.25) if counts is None else (np.array(counts) + 0.5) / (sum(counts) + 4 * 0.5)
        expected_K = prior_K * mixture_VK[ids].prod(0)
        assert (expected_K / expected_K.sum()) == pytest.approx(theta(service, ids, counts), abs=2e-6)


def test_exact_predictive_is_near(service: TopicService) -> None:
    """For posts of up to six words the closed form is the exact collapsed predictive within a small total variation."""
    random, distances = np.random.default_rng(1), []
    for _, text in drawn(100, 4, 20, 1)[0]:
        ids = service.lexicon.list_ids(text)[:6]
        counts = random.gamma(1.0, 3.0, 4)
        expected = exact(service.estimates, ids, (counts + service.estimates.alpha).tolist())
        distances.append(0.5 * np.abs(np.array(expected) - theta(service, ids, counts)).sum())
    assert 5e-3 > np.mean(distances)
    assert 5e-2 > np.max(distances)


def test_estimates_are_distributions(service: TopicService) -> None:
    """Each phi sums to one by topic, the background to one, and pi lies between."""
    assert np.ones(4) == pytest.approx(service.estimates.phi.sum(0))
    assert 1.0 == pytest.approx(service.estimates.background.sum())
    assert 0 < service.estimates.pi < 1


@given(ids=IDS, counts=st.none() | COUNTS)
def test_sums_to_one(service: TopicService, ids: list[int], counts: list[float] | None) -> None:
    """A posterior has K finite shares of at least 0 that sum to one."""
    found = theta(service, ids, counts)
    assert (4,) == found.shape
    assert 1.0 == pytest.approx(found.sum(), abs=1e-5)
    assert (found >= 0).all()


@given(ids=IDS, seed=st.integers(0, 99), counts=st.none() | COUNTS)
def test_order_of_words_does_not_matter(service: TopicService, ids: list[int], seed: int, counts: list[float] | None) -> None:
    """A permutation of the words gives the same posterior up to rounding."""
    shuffled = np.random.default_rng(seed).permutation(ids).tolist()
    assert theta(service, ids, counts) == pytest.approx(theta(service, shuffled, counts), abs=1e-4)


@given(ids=IDS, k=st.integers(0, 3))
def test_a_topical_word_moves_mass(service: TopicService, ids: list[int], k: int) -> None:
    """One more word whose table row is highest at topic k never lowers topic k."""
    row_V = service.estimates.phi[:, k] / service.estimates.phi.max(1)
    word = int(np.argmax(np.where(row_V == 1.0, service.estimates.n_VK[:, k], -1)))
    assert theta(service, ids)[k] <= theta(service, [*ids, word])[k] + 1e-6


@given(posts=st.lists(st.lists(st.integers(0, 60), max_size=8), max_size=6), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_batch_equals_one_by_one(service: TopicService, posts: list[list[int]], seed: int) -> None:
    """A batch gives bit for bit what single calls give."""
    words = service.lexicon.words
    texts = [" ".join(words[v] for v in ids) for ids in posts]
    counts = np.random.default_rng(seed).gamma(1.0, 1.0, (len(posts), 4)).astype(np.float32)
    singles = [service.infer(text, counts[b]) for b, text in enumerate(texts)]
    for one, many in zip(singles, service.infer_many(texts, counts), strict=True):
        assert (one is None) == (many is None)
        assert one is None or many is None or np.array_equal(one, many)


def test_first_post_of_an_author(service: TopicService) -> None:
    """Running counts of zero are the same as no counts."""
    assert np.array_equal(theta(service, [1, 2, 3], [0.0] * 4), theta(service, [1, 2, 3]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_float_types(service: TopicService, dtype: type[np.floating]) -> None:
    """Running counts may be float32 or float64."""
    found = service.infer("w1x1 w1x2", np.array([1, 2, 3, 4], dtype))
    assert found is not None
    assert np.float32 == found.dtype


def test_no_evidence(service: TopicService) -> None:
    """Without a known word there is no posterior: empty, unknown words, an unknown emoji, punctuation."""
    for text in ("", "zzz qqq", "🦑🦑", "?!", "@ann https://t.co/x"):
        assert service.infer(text, np.ones(4)) is None
    assert [None, None] == service.infer_many(["", "zzz"], None)


def test_long_and_repeated(service: TopicService) -> None:
    """500 words, and one topical word 500 times, give a finite posterior that is sure of itself."""
    for text in (" ".join(service.labels(2, 10) * 50), " ".join([service.labels(2, 1)[0]] * 500)):
        found = service.infer(text)
        assert found is not None
        assert 2 == int(found.argmax())
        assert 1.0 == pytest.approx(float(found[2]), abs=1e-5)


@pytest.mark.parametrize("counts", [np.ones(3), np.ones((1, 4)), [1, 1, 1, 1], np.array([1, np.nan, 1, 1]), np.array([1, -1, 1, 1.0]),
                                    np.array([np.inf, 0, 0, 0])])  # fmt: skip
def test_wrong_counts(service: TopicService, counts: object) -> None:
    """Running counts of a wrong shape, type or value are refused by name, alone and in a batch."""
    with pytest.raises(InputError, match="running counts"):
        service.infer("w1x1", counts)  # type: ignore[arg-type]
    if isinstance(counts, np.ndarray):
        with pytest.raises(InputError, match="counts"):
            service.infer_many(["w1x1"], [counts])
    with pytest.raises(InputError, match="counts"):
        service.infer_many(["w1x1", "w1x1"], np.ones((1, 4)))


def test_held_out_accuracy(service: TopicService) -> None:
    """On new posts of the same world the likeliest topic is nearly always the true one, better with running counts."""
    pairs, truth = drawn(2600, 4, 20, 0)
    running: dict[str, Floats] = {}
    cross = np.zeros((4, 4, 2))
    for (author, text), topic in zip(pairs, truth, strict=True):
        counts = running.setdefault(author, np.zeros(4, np.float32))
        for way, found in enumerate((service.infer(text), service.infer(text, counts))):
            if found is not None:
                cross[topic, found.argmax(), way] += 1
                if way:
                    counts += found
    plain, informed = (cross.max(1).sum(0) / cross.sum((0, 1))).tolist()
    assert 0.9 < plain < informed

"""Metrics of lists against hand-made numbers and plain loops."""

from itertools import combinations

import numpy as np
import pytest

from model.metrics.coverage import coverage
from model.metrics.diversity import diversity
from model.metrics.novelty import novelty, novelty_authors
from model.metrics.popularity_bias import popularity_rank

LISTS = np.array([[0, 1, 2], [3, 0, -1], [2, -1, -1]], np.int32)


def test_diversity_equals_the_double_loop() -> None:
    """1 - cosine, mean over all pairs; a zero vector is like nothing; fewer than two items have no diversity."""
    vectors_ID = np.abs(np.random.default_rng(0).standard_normal((4, 5)))
    vectors_ID[1] = 0
    norms = np.linalg.norm(vectors_ID, axis=1, keepdims=True)
    vectors_ID /= np.where(norms > 0, norms, 1)
    found = diversity(LISTS, vectors_ID)
    for row in range(2):
        items = [one for one in LISTS[row].tolist() if one >= 0]
        expected = np.mean([1 - float(vectors_ID[a] @ vectors_ID[b]) for a, b in combinations(items, 2)])
        assert pytest.approx(expected, abs=1e-12) == found[row]
    assert np.isnan(found[2])


def test_novelty_by_hand() -> None:
    """Items of 3, 1, 0, 7 of 7 users weigh 1, 2, 3 and 0 bits."""
    assert pytest.approx([2.0, 0.5, 3.0]) == novelty(LISTS, np.array([3, 1, 0, 7]), 7).tolist()


def test_novelty_of_the_authors() -> None:
    """Recall on what is to come, less recall on what was."""
    found = novelty_authors(LISTS[:2], [{0, 5}, set()], [{1, 2}, {3, 4}])
    assert pytest.approx([1.0 - 0.5, 0.5]) == found.tolist()


def test_coverage() -> None:
    """Four of eight items are shown."""
    assert 0.5 == coverage(LISTS, 8)


def test_popularity_rank() -> None:
    """Ranks 1 to 4 by counts; equals share the mean of theirs."""
    assert pytest.approx([(1 + 2.5 + 2.5) / 3, (4 + 1) / 2, 2.5]) == popularity_rank(LISTS, np.array([9, 5, 5, 1])).tolist()

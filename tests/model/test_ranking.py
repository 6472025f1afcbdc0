"""Ranks and lists against sorting."""

import numpy as np

from model import rank_of, top_k


def test_rank_is_pessimistic_among_those_left() -> None:
    """An item's rank is one more than all others left that score at least as much; excluding it does not remove it."""
    draw = np.random.default_rng(0)
    for _ in range(200):
        scores_I = draw.integers(0, 6, 20).astype(np.float32)
        item = int(draw.integers(20))
        excluded = [int(row) for row in draw.integers(0, 20, 5)]
        left = [row for row in range(20) if row != item and row not in excluded]
        assert 1 + sum(scores_I[row] >= scores_I[item] for row in left) == rank_of(scores_I, item, excluded)


def test_top_k_is_a_sort_by_score_then_row() -> None:
    """Equal scores stand in order of rows, also where the list is cut; excluded rows never stand in it."""
    draw = np.random.default_rng(1)
    for k, items in ((0, 20), (1, 20), (5, 20), (30, 20), (256, 600), (257, 600), (700, 600)):
        for _ in range(100 if items == 20 else 5):
            scores_I = draw.integers(0, items // 3, items).astype(np.float32)
            excluded = [int(row) for row in draw.integers(0, items, 5)]
            left = [row for row in range(items) if row not in excluded]
            assert sorted(left, key=lambda row: (-scores_I[row], row))[:k] == top_k(scores_I, k, excluded)


def test_what_is_no_number_stands_behind_all() -> None:
    """Wherever NaNs are, those that are numbers fill the list first."""
    draw = np.random.default_rng(2)
    for _ in range(50):
        scores_I = draw.normal(size=300).astype(np.float32)
        scores_I[draw.integers(0, 300, 60)] = np.nan
        numbers = np.flatnonzero(~np.isnan(scores_I))
        expected = numbers[np.argsort(-scores_I[numbers])]
        assert expected[:50].tolist() == top_k(scores_I, 50, [])
        assert expected.tolist() == top_k(scores_I, 256, [])[: len(expected)]


def test_nothing_left_is_an_empty_list() -> None:
    """All items excluded, or none there."""
    assert [] == top_k(np.ones(3, np.float32), 5, [0, 1, 2])
    assert [] == top_k(np.ones(0, np.float32), 5, [])

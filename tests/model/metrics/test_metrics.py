"""HR, NDCG and their means."""

import math

import pytest

from model import gain, hit, mean_over_users


def test_hit_is_within_the_first_k() -> None:
    """Ranks count from 1, and None is off the list."""
    assert [1, 1, 0, 0] == [hit(rank, 10) for rank in (1, 10, 11, None)]


def test_gain_is_discounted_by_the_log_of_the_rank() -> None:
    """The second place is worth .631, not 1."""
    assert [1.0, pytest.approx(1 / math.log2(3)), pytest.approx(1 / math.log2(11)), 0.0, 0.0] == [
        gain(rank, 10) for rank in (1, 2, 10, 11, None)
    ]


def test_mean_is_over_users_of_means_over_events() -> None:
    """A busy user counts as much as a quiet one."""
    assert 0.5 == mean_over_users([("ann", 1.0), ("bob", 0.0), ("bob", 0.0), ("bob", 0.0)])
    assert 0.0 == mean_over_users([])

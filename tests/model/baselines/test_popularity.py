"""Decayed popularity against a sum over all events."""

import numpy as np
import pytest

from model import Popularity
from model.baselines.popularity import HALF_LIFE_MS


def test_scores_are_the_decayed_sum_over_all_events() -> None:
    """In whatever order events come, each has halved for every week since."""
    draw = np.random.default_rng(0)
    events = [(int(row), int(at)) for row, at in zip(draw.integers(0, 4, 50), draw.integers(0, 10 * HALF_LIFE_MS, 50), strict=True)]
    popularity = Popularity()
    for row, at in events:
        popularity.learn([row], [at], 4)
    end = 11 * HALF_LIFE_MS
    expected = [sum(0.5 ** ((end - at) / HALF_LIFE_MS) for row, at in events if row == item) for item in range(4)]
    assert expected == pytest.approx(popularity.scores(end).tolist())


def test_a_week_halves() -> None:
    """One event counts 1 at its time and a half a week later."""
    popularity = Popularity()
    popularity.learn([1], [1000], 2)
    assert ([0.0, 1.0], [0.0, 0.5]) == (popularity.scores(1000).tolist(), popularity.scores(1000 + HALF_LIFE_MS).tolist())


def test_forgotten_rows_are_zero() -> None:
    """A row that changes hands starts at zero."""
    popularity = Popularity()
    popularity.learn([0, 1], [0, 0], 2)
    popularity.forget(0)
    assert [0.0, 1.0] == popularity.scores(0).tolist()

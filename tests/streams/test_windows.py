"""Promises of streams/windows.py."""

import numpy as np

from streams.windows import Window
from tests.streams.small import DAY


def test_a_window_counts_posts_and_sums_evidence() -> None:
    """A post without evidence counts as a post and adds nothing to the topics."""
    window = Window.empty(2, 3)
    window.add(0, np.array([1, 0, 0], np.float32))
    window.add(0, None)
    window.add(1, np.array([0, 0.5, 0.5], np.float32))
    assert [2, 1] == window.posts_N.tolist()
    assert [[1, 0, 0], [0, 0.5, 0.5]] == window.sums_NK.tolist()


def test_the_first_window_reaches_back_only_so_far() -> None:
    """Before the first interaction posts are kept by day, and days out of reach are left out."""
    window = Window.empty(1, 1)
    for day in (0, 20, 40):
        window.add_first(day * DAY, 0, np.ones(1, np.float32), reach_days=30)
    assert [20, 40] == sorted(window.days)
    assert 2 == window.merged(41 * DAY, 30).posts_N[0]
    assert 1 == window.merged(55 * DAY, 30).posts_N[0]

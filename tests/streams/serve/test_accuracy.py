"""Promises of streams/serve/accuracy.py."""

from typing import Any

import pytest

import model
from streams.serve.accuracy import Accuracy, gain, hit


def _last(scored: object, published: object = None, popularity: object = None) -> dict[str, Any]:
    return {"rank_scored": scored, "rank_published": published, "rank_popularity": popularity}


@pytest.mark.parametrize("rank", [None, 1, 2, 9, 10, 11, 99, 100, 101])
@pytest.mark.parametrize("cut", [10, 100])
def test_hits_and_gains_are_those_of_the_model(rank: int | None, cut: int) -> None:
    """The measures written here equal those that telemetry and evaluation use."""
    assert (model.hit(rank, cut), model.gain(rank, cut)) == (hit(rank, cut), gain(rank, cut))


def test_means_are_of_the_last_interactions() -> None:
    """An interaction that falls out of the window is taken back, exactly for hits and to rounding for gains."""
    accuracy = Accuracy(length=2)
    for rank in (1, None, 10, 20):
        accuracy.add(_last(rank), at=0)
    means = accuracy.means()
    assert (4, 0.5, 1.0) == (accuracy.events, means["scored_hr@10"], means["scored_hr@100"])
    assert pytest.approx((gain(10, 100) + gain(20, 100)) / 2) == means["scored_ndcg@100"]


def test_the_curve_stays_short() -> None:
    """However many interactions there were, a few hundred points are kept, the last ones."""
    accuracy = Accuracy(length=10)
    for at in range(20_000):
        accuracy.add(_last(1), at)
    assert 240 == len(accuracy.points)
    assert 20_000 == accuracy.points[-1]["events"]


@pytest.mark.parametrize("last", [{}, {"rank_scored": 1, "rank_published": 2}, _last(0), _last(-3), _last("1"), _last(1.5)])
def test_ranks_that_are_none_are_left_out(last: dict[str, Any]) -> None:
    """A list without the rank by popularity, or with an impossible rank, counts for nothing."""
    accuracy = Accuracy(length=10)
    accuracy.add(last, at=0)
    assert (0, {}) == (accuracy.events, accuracy.means())

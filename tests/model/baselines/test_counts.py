"""Popularity and co-occurrence by hand."""

import numpy as np
import pytest

from model import Step
from model.baselines.itemknn import ItemKNN
from model.baselines.recent import DAY_MS, Recent
from model.baselines.together import Together
from model.contract import Event, Training

STEP = Step(np.zeros(0, np.float32), 0.0)
START = 1_700_000_000_000


def _event(user: int, item: int, day: float) -> Event:
    return Event(user, START + int(day * DAY_MS), None, STEP, item)


def _recent(days: tuple[float, ...], events: list[Event], at: float) -> list[int]:
    """Items, best first."""
    ranker = Recent(days=days)
    ranker.fit(Training(2, 4, (), 0, 1.0, [], []))
    for one in events:
        ranker.learn([one], updates=False)
    return [int(one) for one in np.argsort(-ranker.rank([_event(0, 0, at)])[0])]


LOG = [_event(0, 0, 0.0), _event(0, 0, 0.1), _event(1, 0, 0.2), _event(0, 1, 4.0), _event(1, 1, 4.1), _event(0, 2, 8.0)]


def test_windows() -> None:
    """Trailing windows forget; an item without counts comes last; equals: longer window, all time, most recent."""
    assert [2, 1, 0, 3] == _recent((1, 7), LOG, 8.5)
    assert [1, 2, 0, 3] == _recent((7,), LOG, 8.5)
    assert [0, 1, 2, 3] == _recent((), LOG, 8.5)
    assert [0, 1, 2, 3] == _recent((1,), LOG, 30.0)


def test_pairs_by_hand() -> None:
    """After 0, 1, 2: pairs weigh .9 a step apart, followers 1 / distance; similarity divides by the roots of the counts."""
    together = Together(3, 0.9)
    for past, item in (((), 0), ((0,), 1), ((0, 1), 2)):
        together.learn(past, item)
    assert pytest.approx(1.0) == together.pairs_II[1, 0] == together.pairs_II[0, 1]
    assert pytest.approx(0.9) == together.pairs_II[2, 0]
    assert pytest.approx([0.0, 1.0, 0.5]) == together.next([0]).tolist()
    assert pytest.approx([1.0, 0.9, 1.0 + 0.9 * 0.9]) == together.near([0, 1]).tolist()


def test_item_knn_follows_the_user() -> None:
    """Who took what others took together is shown the rest of it."""
    ranker = ItemKNN()
    ranker.fit(Training(3, 5, (), 0, 1.0, [], []))
    for one in [_event(0, 0, 0), _event(0, 1, 1), _event(1, 2, 2), _event(1, 3, 3), _event(2, 2, 4)]:
        ranker.advance([one])
        ranker.learn([one], updates=True)
    assert 3 == int(ranker.rank([_event(2, 0, 5)])[0].argmax())

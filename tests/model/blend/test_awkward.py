"""Streams that are not as they should be: preset `full` goes on, and every score is a number."""

from dataclasses import replace

import numpy as np
import pytest

from model import Known, Recommender
from model.blend.history import KEPT, History
from tests.model.blend.test_blend import FULL, HOUR, START, Live, full
from tests.model.small import USERS


def _scores_are_numbers(live: Live) -> bool:
    return bool(np.isfinite(live.recommender.rank(live.wave(("ann", "nobody"))).scores_BI).all())


@pytest.mark.parametrize(
    "times", [[START] * 30, [0] * 30, [START, 0, START + 10**13, START, 1] * 6, list(range(START, START - 30 * HOUR, -HOUR))]
)
def test_any_time(times: list[int]) -> None:
    """All at one time, at the beginning of all times, jumping, running backwards."""
    live = Live(full())
    for number, at in enumerate(times):
        live.at = at
        live.recommender.learn(live.lesson((USERS[number % 3],), (f"v{number % 7}",)))
        assert _scores_are_numbers(live)


def test_one_tie_of_everything() -> None:
    """Hundreds of lessons of one time wait for its end; replayed they give the same state."""
    live = Live(full())
    lessons = [live.lesson((USERS[number % 3],), (f"v{number % 9}",), ends_tie=number == 299) for number in range(300)]
    other = full()
    for one in lessons:
        live.recommender.learn(one)
        other.replay(one.to_bytes())
    assert _scores_are_numbers(live)
    assert live.recommender.state_hash() == other.state_hash()


def test_one_item_only() -> None:
    """A catalogue of one item is ranked and learned."""
    live = Live(Recommender(FULL, USERS, ["v0"], seed=1))
    live.recommender.know(Known.of({"v0": ["alone"]}))
    for _ in range(10):
        live.recommender.learn(live.lesson(("ann", "bob"), ("v0", "v0")))
    assert (2, 1) == live.recommender.rank(live.wave(("ann", "bob"))).scores_BI.shape
    assert _scores_are_numbers(live)


def test_more_newcomers_than_rows() -> None:
    """Items and users beyond their caps come in every lesson and are made known besides; rows are taken over, no score is lost."""
    live = Live(full(replace(FULL, items_cap=9, users_cap=4)))
    lessons = []
    for number in range(40):
        lessons.append(Known.of({f"new{number}": ["word"], f"newer{number}": []}).to_bytes())
        live.recommender.replay(lessons[-1])
        one = live.lesson((f"user{number}", f"user{number + 1}"), (f"new{number}", f"own{number}"), ends_tie=number % 2 == 1)
        lessons.append(one.to_bytes())
        live.recommender.learn(one)
        assert _scores_are_numbers(live)
    other = full(replace(FULL, items_cap=9, users_cap=4))
    for value in lessons:
        other.replay(value)
    assert live.recommender.state_hash() == other.state_hash()


def test_a_user_with_a_hundred_thousand_events() -> None:
    """Of what he took so much is kept as the line keeps."""
    history = History(5_000)
    for number in range(100_000):
        history.learn(0, number % 5_000)
    assert KEPT == len(history.of(0))

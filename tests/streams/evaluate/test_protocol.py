"""The stream of an evaluation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model import ModelError
from model.contract import Query
from streams.evaluate.protocol import Protocol, stream
from tests.streams.evaluate.small import TEST, TRAIN, VALIDATION, Counting, cases


def test_strict_ties_rank_before_they_learn() -> None:
    """Everything of one time is ranked before any of it is learned; memories move on, a user's second one opens a wave."""
    ranker = Counting(4)
    stream(ranker, cases([(0, 1, 5, TRAIN), (0, 0, 10, TEST), (1, 0, 10, VALIDATION), (0, 2, 10, TEST), (2, 0, 20, TEST)]), Protocol())
    assert [
        ("advance", (0,), None), ("learn", (1,), False),
        ("rank", (0, 1), None), ("advance", (0, 1), None), ("rank", (0,), None), ("advance", (0,), None), ("learn", (0, 0, 2), True),
        ("rank", (2,), None), ("advance", (2,), None), ("learn", (0,), True),
    ] == ranker.calls  # fmt: skip


def test_order_learns_wave_by_wave() -> None:
    """In file order each wave is learned before the next one is ranked, whatever the times."""
    ranker = Counting(4)
    stream(ranker, cases([(0, 0, 10, TEST), (1, 0, 10, TEST), (2, 1, 10, TEST)]), Protocol(ties="order", wave=2))
    assert ["rank", "advance", "learn", "rank", "advance", "learn"] == [name for name, *_ in ranker.calls]


def test_ranks_are_pessimistic_without_owned_items() -> None:
    """Equals stand before the item taken; items the user owns do not; the training part has no rank."""
    found = stream(
        Counting(4), cases([(0, 1, 1, TRAIN), (1, 2, 2, TRAIN), (0, 0, 3, TEST), (0, 2, 4, TEST), (1, 2, 5, TEST)]), Protocol()
    )
    # u0 takes i0: i2 has a count, i3 is equal, i1 is his own. Then i2, best of i2 and i3. Then u1 takes i2, which he owns, again.
    assert [0, 0, 3, 1, 1] == found.rank_E.tolist()
    assert [[2, 0, 3, -1], [2, 3, -1, -1]] == found.lists_EK[2:4].tolist()


def test_owned_items_may_be_kept() -> None:
    """With `keep_owned` all items are ranked."""
    log = cases([(0, 1, 1, TRAIN), (0, 0, 3, TEST)])
    assert [0, 3] == stream(Counting(4), log, Protocol()).rank_E.tolist()
    assert [0, 4] == stream(Counting(4), log, Protocol(keep_owned=True)).rank_E.tolist()


class _Varying(Counting):
    def varied(self, scores_I: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """The best of a list of two gives way."""
        assert 2 == size
        found_I = scores_I.copy()
        found_I[np.argmax(scores_I)] = -1
        return found_I


def test_what_varies_lists_varies_ranks() -> None:
    """Where a system says what the end of a list is made of, lists and ranks are those of what it says."""
    log = cases([(1, 2, 1, TRAIN), (1, 3, 2, TRAIN), (2, 3, 3, TRAIN), (0, 2, 4, TEST), (1, 3, 5, TEST), (0, 3, 6, TEST)])
    found = stream(_Varying(4), log, Protocol(list_size=2))
    assert [[2, 0], [1, 0], [0, 1]] == found.lists_EK[3:].tolist()
    # i3, the best, has given way when it is taken at last; u1 owns it already and is asked about what is left, and it.
    assert [1, 1, 3] == found.rank_E[3:].tolist()


class _Broken(Counting):
    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Not a number."""
        return np.full((len(queries), self.items), np.nan, np.float32)


def test_scores_must_be_numbers() -> None:
    """A score that is no number stops the run and says whose it is."""
    with pytest.raises(ModelError, match=r"_Broken.rank gave scores .* not finite"):
        stream(_Broken(4), cases([(0, 1, 1, TRAIN), (0, 0, 3, TEST)]), Protocol())


EVENTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 6)), min_size=2, max_size=25)


@settings(deadline=None, derandomize=True)
@given(EVENTS, st.integers(0, 6), st.integers(0, 3))
def test_the_future_changes_nothing_before(events: list[tuple[int, int, int]], moment: int, item: int) -> None:
    """Other items after a moment leave every list and rank up to it as they were."""
    ordered = sorted(events, key=lambda one: one[2])
    log = cases([(user, taken, at, TEST) for user, taken, at in ordered])
    other = replace(log, events=tuple(replace(one, item=item) if one.at > moment else one for one in log.events))
    before = [row for row, one in enumerate(log.events) if one.at <= moment]
    first, second = (stream(Counting(4), one, Protocol()) for one in (log, other))
    assert first.rank_E[before].tolist() == second.rank_E[before].tolist()
    assert first.lists_EK[before].tolist() == second.lists_EK[before].tolist()

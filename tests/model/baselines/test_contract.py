"""What every system of the comparison promises (model/contract.py)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from model.baselines.rivals import RIVALS
from model.compared import Compared
from model.contract import Ranker
from tests.model.baselines.small import ITEMS, USERS, events, other_item, run, training

_SMALL: dict[str, Any] = {"hidden": 4, "embedding": 4, "epochs": 2, "features": 4, "factors": 4}


def _small(made: Callable[..., Ranker]) -> Callable[..., Ranker]:
    """With small sizes, of those settings that it has."""
    whole = made.func if isinstance(made, partial) else made
    names = {name for one in getattr(whole, "__mro__", ()) for name in getattr(one.__init__, "__annotations__", {})}
    return partial(made, **{name: value for name, value in _SMALL.items() if name in names})


SYSTEMS: dict[str, Callable[..., Ranker]] = {
    "paper": partial(Compared, {"hidden": 4, "factors": 4}, epochs=2), **{name: _small(made) for name, made in RIVALS.items()},
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMS)
class TestContract:
    """Each promise, for each system."""

    def test_scores_are_finite(self, name: str) -> None:
        """One finite number for each item, for several users at once, with and without posts, also before anything was taken."""
        for topics in (0, 3):
            log = events(90, topics=topics)
            ranker = SYSTEMS[name]()
            ranker.fit(training(log, topics))
            assert isinstance(ranker, Ranker)
            assert (1, ITEMS) == ranker.rank(log[:1]).shape
            run(ranker, log, 60)
            scores_BI = ranker.rank([next(one for one in log if one.user == user) for user in range(USERS)])
            assert (USERS, ITEMS, np.float32) == (*scores_BI.shape, scores_BI.dtype)
            assert np.isfinite(scores_BI).all()

    def test_same_seed_same_scores(self, name: str) -> None:
        """Two runs agree to the last bit, whatever else drew random numbers."""
        log, found = events(90), []
        for noise in range(2):
            torch.manual_seed(noise)
            ranker = SYSTEMS[name](seed=3)
            ranker.fit(training(log))
            found.append(run(ranker, log, 60))
        assert found[0] == found[1]

    def test_ranking_changes_nothing(self, name: str) -> None:
        """Ranking twice gives the same, and ranking more often leads to the same later on."""
        log, found = events(80), []
        for often in (1, 3):
            ranker = SYSTEMS[name]()
            ranker.fit(training(log))
            run(ranker, log[:70], 60)
            scores = [ranker.rank([log[70]]).tolist() for _ in range(often)]
            assert scores[0] == scores[-1]
            found.append(run(ranker, log[70:], 0))
        assert found[0] == found[1]

    def test_the_item_is_not_looked_at(self, name: str) -> None:
        """What is ranked does not depend on the item of the interaction, which the ranking precedes."""
        log = events(80)
        ranker = SYSTEMS[name]()
        ranker.fit(training(log))
        run(ranker, log[:70], 60)
        assert ranker.rank([log[70]]).tolist() == ranker.rank([other_item(log[70])]).tolist()

    def test_advancing_is_private(self, name: str) -> None:
        """Within a tie one user's interaction changes nothing for another: weights and statistics stay until `learn`."""
        log = events(80)
        ranker = SYSTEMS[name]()
        ranker.fit(training(log))
        run(ranker, log[:70], 60)
        mine = log[70]
        other = next(one for one in log if one.user != mine.user)
        before = ranker.rank([other]).tolist()
        ranker.rank([mine])
        ranker.advance([mine])
        assert before == ranker.rank([other]).tolist()

    def test_it_learns_from_the_stream(self, name: str) -> None:
        """An item that is taken again and again, by all, comes to stand before one that nobody takes."""
        log = events(60)
        ranker = SYSTEMS[name]()
        ranker.fit(training(log + events(75)[60:]))
        run(ranker, log, 60)
        for number in range(150):
            one = other_item(log[number % 60])
            taken = type(one)(one.user, log[-1].at + number * 1000, one.gap_seconds, one.step, 2)
            ranker.rank([taken])
            ranker.advance([taken])
            ranker.learn([taken], updates=True)
        scores_I = ranker.rank([taken])[0]
        assert scores_I[2] > scores_I[ITEMS - 1]

    def test_unknown_settings_are_refused(self, name: str) -> None:
        """A setting that the system does not have is an error, not silence."""
        with pytest.raises(TypeError):
            SYSTEMS[name](no_such_setting=1)


@pytest.mark.parametrize("name", [name for name, made in SYSTEMS.items() if getattr(made, "func", made) is not Compared])
def test_variants_can_be_made(name: str) -> None:
    """Every system has one to four variants, the same budget for all, and knows their settings."""
    made = SYSTEMS[name]
    while isinstance(made, partial):
        made = made.func
    variants = made.variants  # type: ignore[attr-defined]
    assert 1 <= len(variants) <= 4
    for settings in variants:
        SYSTEMS[name](**settings)

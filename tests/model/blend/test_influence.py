"""Attacks: what a bot, a crowd or a broken part may do, and what not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model import Known, Recommender
from model.blend.blend import Blend
from model.blend.event import Block
from model.blend.heads import RATES
from model.blend.history import History
from model.blend.influence import ITEM_HOURLY, USER_HOURLY, Influence
from model.blend.parts import PLACES
from model.blend.state import read, write
from tests.model.blend.test_blend import FULL, HOUR, START, Live, full, terms_of
from tests.model.small import ITEMS

CROWD = 3 * ITEM_HOURLY


def test_the_bounds() -> None:
    """So many of one user, and so many with one item, teach in an hour of event time; only a later hour starts anew."""
    bounds = Influence(2)
    assert USER_HOURLY == sum(bounds.teaches(0, number % 2, START) for number in range(10 * USER_HOURLY))
    assert bounds.teaches(0, 0, START + HOUR)
    there_and_back = [bounds.teaches(0, number % 2, START + number % 2 * HOUR) for number in range(10 * USER_HOURLY)]
    assert USER_HOURLY - 1 == sum(there_and_back)
    bounds = Influence(2)
    assert ITEM_HOURLY == sum(bounds.teaches(user, 0, START) for user in range(10 * ITEM_HOURLY))
    assert bounds.teaches(10 * ITEM_HOURLY, 1, START)
    bounds.forget(0)
    bounds.forget_user(0)
    assert bounds.teaches(0, 0, START)


def test_a_bot_teaches_no_more_than_its_share() -> None:
    """Ten thousand events of one user in an hour leave what a hundred of them leave."""
    one, other = _taught(), _taught()
    for recommender, count in ((one, 10_000), (other, USER_HOURLY)):
        for start in range(0, count, 500):
            items = ["v1"] * min(500, count - start)
            recommender.count_only(items, [START + 9 * HOUR] * len(items), ["bot"] * len(items), [()] * len(items))
        recommender.settle()
    live = Live(one)
    live.at = START + 9 * HOUR
    wave = live.wave(("ann",))
    assert np.isfinite(one.rank(wave).scores_BI).all()
    np.testing.assert_array_equal(terms_of(one.rank(wave))["trend"], terms_of(other.rank(wave))["trend"])


def test_a_time_of_which_nothing_teaches_passes() -> None:
    """A lesson of a bot that has had its share ends its time, has a loss, and leaves the statistics as they are."""
    live = Live(_taught())
    one, live.at = live.recommender, START + 9 * HOUR
    one.count_only(["v1"] * USER_HOURLY, [live.at] * USER_HOURLY, ["bot"] * USER_HOURLY, [()] * USER_HOURLY)
    one.settle()
    counts_SI = _blend(one).statistics.trend.counts_SI.copy()
    assert 0 < one.learn(live.lesson(("bot",), ("v2",)))
    np.testing.assert_array_equal(counts_SI, _blend(one).statistics.trend.counts_SI)


def test_a_crowd_on_one_item_is_bounded() -> None:
    """However many users hit one item in an hour, no more of them teach than the bound; the other items stay rankable."""
    one = _taught()
    before = _blend(one).statistics.neighbours.count_I.sum()
    users = [f"user{number}" for number in range(CROWD)]
    one.count_only(["v1"] * CROWD, [START + 9 * HOUR] * CROWD, users, [()] * CROWD)
    one.settle()
    assert before + ITEM_HOURLY == _blend(one).statistics.neighbours.count_I.sum()
    assert np.isfinite(one.rank(Live(one).wave(("ann", "bob"))).scores_BI).all()


@pytest.mark.parametrize("name", ["net", "trend", "tastes", "neighbours", "trail", "texts", "posts"])
def test_a_poisoned_part_is_dropped_and_mended(name: str) -> None:
    """A part that holds no numbers says nothing to the ranking, teaches the weights nothing, and is well after the next lesson."""
    live = Live(full())
    live.recommender.know(Known.of({item: [f"word{number % 3}"] for number, item in enumerate(ITEMS)}))
    live.run(10)
    _poison(_blend(live.recommender), name)
    blend = _blend(live.recommender)
    assert np.isfinite(live.recommender.rank(live.wave(("ann", "bob"))).scores_BI).all()
    assert not _block(live).good_BF[:, PLACES[name]].all()
    live.run(3)
    assert np.isfinite(blend.weights.weight_CW).all()
    assert _block(live).good_BF.all()


def test_what_a_user_has() -> None:
    """Distinct items; one whose row became another's is his no more, nor is anything once he is forgotten; kept in a state."""
    history = History(4)
    for item in (1, 2, 1, 3):
        history.learn(0, item)
    history.forget(2)
    history.learn(5, 2)
    other = History(4)
    other.turn_I = history.turn_I
    other.restore(history.entries())
    for one in (history, other):
        assert ({1, 3}, [2], []) == (set(one.of(0)), one.of(5), one.of(9))
    history.forget_user(0)
    assert [] == history.of(0)


def test_statistics_are_lifted() -> None:
    """Neighbours, peers and texts are logarithms of shares plus a floor: what nobody counted has the logarithm of the floor."""
    live = Live(full())
    live.recommender.know(Known.of({item: [f"word{number % 3}"] for number, item in enumerate(ITEMS)}))
    live.run(10)
    own_GBI = _block(live).own_GBI
    for name, floors in (("neighbours", (0.1, 0.1, 10, 0.1)), ("peers", (0.1, 10)), ("texts", (0.1,))):
        for row_BI, floor in zip(own_GBI[PLACES[name]], floors, strict=True):
            assert pytest.approx(np.log(floor), abs=1e-5) == row_BI.min()
            assert row_BI.max() > row_BI.min()
            np.testing.assert_allclose(row_BI.shape[1], (np.exp(row_BI) - floor).sum(axis=1), rtol=1e-4)


def test_parts_can_be_left_out() -> None:
    """A part that is left out gives no features, and whoever is not left out still speaks."""
    for name, where in PLACES.items():
        live = Live(full(replace(FULL, without=(name,))))
        live.run(6)
        block = _block(live)
        feature_FBI = np.concatenate([block.own_GBI, block.trend_HTI[:, block.time_B]])
        assert not feature_FBI[where].any()
        others = [other for key, other in PLACES.items() if key not in (name, "texts")]  # nothing here has a text
        assert all(feature_FBI[other].any() for other in others)
        assert np.isfinite(live.recommender.rank(live.wave(("ann",))).scores_BI).all()
    for name, moves in (("contexts", (True, True, False)), ("young", (True, False, True)), ("learning", (False, False, False))):
        live = Live(full(replace(FULL, without=(name,))))
        weights = _blend(live.recommender).weights
        start_CW = weights.weight_CW.copy()
        live.run(6)
        moved_CW = weights.weight_CW != start_CW
        assert moves == (moved_CW[0].any(), moved_CW[:, weights.features :].any(), moved_CW[1:].any())


def _taught() -> Recommender:
    live = Live(full())
    live.run(10)
    return live.recommender


def _blend(one: Recommender) -> Blend:
    assert one.blend is not None
    return one.blend


def _block(live: Live) -> Block:
    """The features of two users now."""
    one, wave = live.recommender, live.wave(("ann", "bob"))
    seen = one._seen(wave.users, wave.at, wave.past, wave.g_B, wave.x_BM)
    h_BH = one._tensor(one.rank(wave).h_BH)
    h_BED = _blend(one).view.seen(torch.stack([h_BH] * len(RATES), dim=1))
    ((_, block),) = _blend(one).statistics.blocks(lambda head: h_BED[:, head], wave.posted(), seen)
    return block


def _poison(blend: Blend, name: str) -> None:
    statistics = blend.statistics
    nan = float("nan")
    if name == "net":
        statistics.heads[1].W_IH[0, 0] = nan
    elif name == "trend":
        statistics.trend.counts_SI[1, 0] = nan
    elif name == "tastes":
        statistics.tastes.age_U2[:] = nan
    elif name == "neighbours":
        statistics.neighbours.count_I[:] = nan
    elif name == "texts":
        statistics.texts.profile_UW[:] = nan
    elif name == "trail":
        statistics.trail.profile_UD[:] = nan
    else:
        statistics.posts.W_IH[2] = nan
    read(blend, write(blend))  # as from a checkpoint
    statistics.changed()

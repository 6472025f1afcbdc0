"""Heads, trend, tastes and neighbours, each against its formula written out."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.blend.event import LAST, Asked, Seen
from model.blend.heads import Head
from model.blend.kernels import put_liking
from model.blend.lifts import to_lifted
from model.blend.neighbours import DECAYS, FEATURES, KEPT, Links, Neighbours
from model.blend.tastes import Tastes
from model.blend.trend import DAY_MS, FLOOR, HIGH_FLOOR, Trend
from model.threads import FEW
from tests.model.small import as_a_few_read


def test_a_head_takes_the_step_of_its_softmax() -> None:
    """G += g^2 (1 + |h|^2) from .1, then eta g / sqrt(G) (h, 1), for g = 1[i = y] - p, number by number."""
    draw = torch.Generator().manual_seed(0)
    W_IH, b_I, h_H = (torch.randn(size, generator=draw) for size in ((4, 3), (4,), (3,)))
    W_IH = as_a_few_read(W_IH)
    head = Head(0.3, W_IH, b_I)
    head.learn(h_H[None], [2])
    head.add()
    logits = [sum(float(W_IH[i, k] * h_H[k]) for k in range(3)) + float(b_I[i]) for i in range(4)]
    total = sum(math.exp(one) for one in logits)
    for i in range(4):
        g = (i == 2) - math.exp(logits[i]) / total
        G = 0.1 + g * g * (1 + sum(float(one) ** 2 for one in h_H))
        assert pytest.approx(float(b_I[i]) + 0.3 * g / math.sqrt(G), abs=1e-6) == float(head.b_I[i])
        for k in range(3):
            assert pytest.approx(float(W_IH[i, k]) + 0.3 * g / math.sqrt(G) * float(h_H[k]), abs=1e-6) == float(head.W_IH[i, k])


def test_steps_kept_apart_count_as_if_added() -> None:
    """Some by some or many at once, with given logits or its own, a head comes to the same weights and says the same meanwhile."""
    draw = torch.Generator().manual_seed(1)
    W_IH, b_I, h_BH = (torch.randn(size, generator=draw) for size in ((9, 4), (9,), (150, 4)))
    items = [int(one) for one in torch.randint(9, (150,), generator=draw)]
    at_once, by_five = Head(0.3, W_IH, b_I), Head(0.3, W_IH, b_I)
    at_once.learn(h_BH[:40], items[:40], list(at_once.log_shares(h_BH[:40]).numpy()))
    at_once.learn(h_BH[40:], items[40:])
    for first in range(0, len(items), FEW + 1):  # of fewer, weights are read rounded
        by_five.learn(h_BH[first : first + FEW + 1], items[first : first + FEW + 1])
        by_five.add()
    np.testing.assert_allclose(by_five.log_shares(h_BH), at_once.log_shares(h_BH), atol=1e-4)
    at_once.add()
    np.testing.assert_allclose(by_five.W_IH, at_once.W_IH, atol=1e-4)


def test_what_a_few_read_follows_the_weights() -> None:
    """Steps that were added, a new item and mended rows are in the rounded weights, which are kept between rankings."""
    draw = torch.Generator().manual_seed(2)
    head, h_BH = Head(0.3, *(torch.randn(size, generator=draw) for size in ((9, 4), (9,)))), torch.randn((40, 4), generator=draw)

    def poison() -> None:
        head.W_IH[3] = float("nan")
        head.mend()

    for change in (partial(head.learn, h_BH, [2] * 40), partial(head.place, 4, -1.0), partial(head.place, 9, 1.0), poison):
        head.log_shares(h_BH[:1])
        change()
        expected_BI = torch.log_softmax(h_BH[:1] @ as_a_few_read(head.W_IH).T + head.b_I, dim=1)
        assert (0, 4) == head.apart[1].shape
        np.testing.assert_allclose(head.log_shares(h_BH[:1]), expected_BI, atol=1e-5)


def test_a_head_is_mended() -> None:
    """Rows that hold no numbers start again from those given, the others stay."""
    head = Head(1.0, torch.ones(3, 2), torch.zeros(3))
    head.W_IH[1, 0], head.b_I[2] = float("nan"), float("inf")
    head.W_IH[0] = 5
    head.mend(Head(0.0, torch.full((3, 2), 7.0), torch.full((3,), 2.0)))
    assert [[5.0, 5.0], [7.0, 7.0], [7.0, 7.0]] == head.W_IH.tolist()
    assert [0.0, 2.0, 2.0] == head.b_I.tolist()


def test_the_anchor_never_moves() -> None:
    """A head of rate 0 stays the copy it was made as; the weights it was copied from are nobody's."""
    W_IH, b_I = torch.ones(3, 2), torch.zeros(3)
    anchor, head = Head(0.0, W_IH, b_I), Head(1.0, W_IH, b_I)
    for one in (anchor, head):
        one.learn(torch.ones(1, 2), [1])
        one.add()
    assert torch.equal(anchor.W_IH, W_IH)
    assert not torch.equal(head.W_IH, W_IH)
    assert torch.equal(torch.ones(3, 2), W_IH)


def test_a_new_item_starts_low() -> None:
    """Its row has no weights, the bias given, a fresh accumulator, whether it is a new row or was another's."""
    head = Head(1.0, torch.ones(3, 2), torch.zeros(3))
    head.learn(torch.ones(1, 2), [1])
    for row in (5, 1):
        head.place(row, -2.0)
        assert ([0.0, 0.0], -2.0) == (head.W_IH[row].tolist(), float(head.b_I[row]))
        assert pytest.approx(0.1) == float(head.G_I[row])


def test_trend_by_hand() -> None:
    """Counts halve by days and by events; a late interaction counts as if in time; age and idleness are in days."""
    trend = Trend(3)
    trend.learn(0, 10 * DAY_MS)
    trend.learn(1, 11 * DAY_MS)
    trend.learn(0, 10 * DAY_MS)
    later_FI, feature_FI = _trend(trend, 20 * DAY_MS, 12 * DAY_MS)
    expected = _lifted([[2 * 0.25, 0.5, 0.0]])[0]
    assert pytest.approx(expected.tolist(), abs=1e-6) == feature_FI[0].tolist()
    for row, half_life in ((4, 20), (5, 200), (6, 2000)):
        kept = 0.5 ** (1 / half_life)  # of an event after one more
        expected = _lifted([[kept**2 + 1, kept, 0.0]])[0]
        assert pytest.approx(expected.tolist(), abs=1e-6) == feature_FI[row].tolist()
    assert pytest.approx([-math.log(3), -math.log(2), 0.0]) == feature_FI[7].tolist()
    assert [0.0, 0.0, 1.0] == feature_FI[9].tolist()
    assert pytest.approx([math.log(3), math.log(2), 0.0], abs=1e-3) == feature_FI[10].tolist()
    assert pytest.approx([math.log(3), math.log(2), 0.0]) == [trend.age_of(row, 12 * DAY_MS) for row in range(3)]
    assert pytest.approx([-math.log(11), -math.log(10), 0.0]) == later_FI[7].tolist()
    np.testing.assert_array_equal(feature_FI, _trend(trend, 12 * DAY_MS)[0])
    trend.forget(0)
    assert [1.0, 0.0, 1.0] == _trend(trend, 12 * DAY_MS)[0, 9].tolist()


def _trend(trend: Trend, *times: int) -> NDArray[np.float32]:
    """The features at each time, (T, F, I)."""
    out_FTI = np.full((11, len(times), len(trend.first_I)), np.nan, np.float32)
    total_FT = np.full(out_FTI.shape[:2], np.nan, np.float32)
    trend.features(times, out_FTI, total_FT)
    np.testing.assert_allclose(out_FTI.sum(axis=2), total_FT, atol=1e-5)
    return out_FTI.transpose(1, 0, 2)


def test_tastes_by_hand() -> None:
    """The mean age of what a user takes, shrunk while little is known, times each item's; 0 for a stranger."""
    tastes, age_I = Tastes(), np.array([-1.0, 0.0, 4.0], np.float32)
    for age in (1.0, 4.0):
        tastes.learn(1, age)
    out_BI = np.full((3, 3), np.nan, np.float32)
    put_liking(tastes.factors([1, 0, -1]), age_I[None], np.zeros(3, np.int64), 0, 3, out_BI)
    mean = ((1 - 4) / 1.5 + (4 - 4) / 1.5) / 2
    np.testing.assert_allclose([mean * 2 / 5 * age_I, 0 * age_I, 0 * age_I], out_BI, atol=1e-6)
    tastes.forget_user(1)
    assert [0.0] == tastes.factors([1]).tolist()


def test_old_tastes_fade() -> None:
    """After as many new things as are counted, a user of old ones counts as one of new ones."""
    tastes = Tastes()
    for age in [7.0] * 100 + [1.0] * 100:
        tastes.learn(0, age)
    assert pytest.approx(-2, abs=0.2) == tastes.age_U2[0, 0]


def test_lifted_is_the_log_of_shares() -> None:
    """log(I s / sum s + .1); a statistic without any count says the same of all."""
    expected = [math.log(3 * 0.75 + 0.1), math.log(0.75 + 0.1), math.log(0.1)]
    assert pytest.approx(expected, rel=1e-6) == _lifted([[3.0, 1.0, 0.0]])[0].tolist()
    assert 1 == len(set(_lifted([[0.0] * 4])[0].tolist()))


def test_from_a_high_floor_only_what_stands_far_out_is_told_apart() -> None:
    """log(I s / sum s + 10): what nobody counted and what is near the mean say almost the same, what is far beyond it does not."""
    one_FI = np.tile(np.array([0.0] * 2 + [1.0] * 97 + [198.0], np.float32), (2, 1))
    low_I, high_I = _lifted(one_FI, FLOOR, HIGH_FLOOR)
    share = 100 / (97 + 198)
    assert pytest.approx([math.log(10), math.log(share + 10), math.log(198 * share + 10)], rel=1e-5) == high_I[[0, 2, 99]].tolist()
    assert low_I[2] - low_I[0] > 10 * (high_I[2] - high_I[0])
    assert high_I[99] - high_I[2] > 10 * (high_I[2] - high_I[0])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_statistic_that_is_no_number_is_none_when_lifted(bad: float) -> None:
    """One that is no number makes its row and its sum none, and no other."""
    one_FBI, total_FB = np.array([[[1.0] * 20], [[bad] + [1.0] * 19]], np.float32), np.zeros((2, 1), np.float32)
    to_lifted(one_FBI, 0, 1, np.array([FLOOR, FLOOR]), total_FB)
    assert [pytest.approx(20 * math.log(1.1), rel=1e-6), pytest.approx(math.nan, nan_ok=True)] == total_FB[:, 0].tolist()
    assert [True, False] == [bool(np.isfinite(row_1I).all()) for row_1I in one_FBI]


def _lifted(values: object, *floors: np.float32) -> NDArray[np.float32]:
    one_FBI = np.array(values, np.float32)[:, None]
    to_lifted(one_FBI, 0, 1, np.array(floors or [FLOOR] * len(one_FBI)), np.empty((len(one_FBI), 1), np.float32))
    return one_FBI[:, 0]


def test_neighbours_equal_the_dense_counts() -> None:
    """While an item has fewer neighbours than are kept, links are the full co-occurrence and succession tables."""
    random, items = np.random.default_rng(1), 12
    found, pairs = Neighbours(items), {decay: np.zeros((items, items)) for decay in DECAYS}
    follows, count = np.zeros((items, items)), np.zeros(items)
    pasts: dict[int, list[int]] = {}
    for _ in range(200):
        past, item = pasts.setdefault(int(random.integers(4)), []), int(random.integers(items))
        if item in past:
            continue
        found.learn(past, item)
        for apart, other in enumerate(past[: -LAST - 1 : -1]):
            for decay, counts in pairs.items():
                counts[item, other] += decay**apart
                counts[other, item] += decay**apart
            follows[other, item] += 1 / (apart + 1) if apart < 5 else 0
        count[item] += 1
        past.append(item)
        newest_first = past[: -LAST - 1 : -1]
        features = _near(found, past)
        for row, (decay, counts) in enumerate(pairs.items()):
            near = sum(counts[other] * decay**apart / math.sqrt(count[other]) for apart, other in enumerate(newest_first))
            np.testing.assert_allclose(near / np.sqrt(np.maximum(count, 1)), features[row], rtol=1e-5)
        np.testing.assert_array_equal(features[len(DECAYS) - 1], features[len(DECAYS)])
        after = sum(follows[other] / (apart + 1) / count[other] for apart, other in enumerate(past[:-6:-1]))
        np.testing.assert_allclose(after, features[-1], rtol=1e-5)


def _near(found: Neighbours, past: list[int]) -> NDArray[np.float32]:
    out_FBI = np.full((FEATURES, 1, len(found.count_I)), np.nan, np.float32)
    found.features(Asked.of([Seen(0, tuple(past), 0, 0)]), slice(0, 1), found.roots(), out_FBI)
    return out_FBI[:, 0]


def test_weak_links_give_way() -> None:
    """Of more neighbours than are kept the weakest goes; strong ones stay."""
    links = Links(KEPT + 10)
    for other in range(1, KEPT + 5):
        links.add(np.array([0]), other, np.array([[10.0 if other < 5 else 1.0]], np.float32))
    kept = set(links.item_IN[0].tolist())
    assert KEPT == len(kept)
    assert {1, 2, 3, 4, KEPT + 4} <= kept


def test_forgotten_items_leave_all_links() -> None:
    """A row that becomes another item's is nobody's neighbour."""
    found = Neighbours(3)
    found.learn([0], 1)
    found.learn([0, 1], 2)
    found.forget(1)
    assert 1 not in {*found.pairs.item_IN.ravel().tolist(), *found.next.item_IN.ravel().tolist()}
    assert 0 == _near(found, [0])[0, 1]

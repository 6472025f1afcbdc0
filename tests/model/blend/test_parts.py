"""Heads, trend, neighbours and weights, each against its formula written out."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.blend.heads import Head
from model.blend.neighbours import KEPT, LAST, Links, Neighbours
from model.blend.trend import DAY_MS, Trend, lifted
from model.blend.weights import AFTER_POSTS, AFTER_SILENCE, SHARED, SIMULTANEOUS, WITHIN_AN_HOUR, Weights, context_of


def test_a_head_takes_the_step_of_its_softmax() -> None:
    """G += g^2 (1 + |h|^2) from .1, then eta g / sqrt(G) (h, 1), for g = 1[i = y] - p, number by number."""
    draw = torch.Generator().manual_seed(0)
    W_IH, b_I, h_H = (torch.randn(size, generator=draw, dtype=torch.float64) for size in ((4, 3), (4,), (3,)))
    head = Head(0.3, W_IH, b_I)
    head.learn(h_H, 2)
    logits = [sum(float(W_IH[i, k] * h_H[k]) for k in range(3)) + float(b_I[i]) for i in range(4)]
    total = sum(math.exp(one) for one in logits)
    for i in range(4):
        g = (i == 2) - math.exp(logits[i]) / total
        G = 0.1 + g * g * (1 + sum(float(one) ** 2 for one in h_H))
        assert pytest.approx(float(b_I[i]) + 0.3 * g / math.sqrt(G), abs=1e-12) == float(head.b_I[i])
        for k in range(3):
            assert pytest.approx(float(W_IH[i, k]) + 0.3 * g / math.sqrt(G) * float(h_H[k]), abs=1e-12) == float(head.W_IH[i, k])


def test_the_anchor_never_moves() -> None:
    """A head of rate 0 stays the copy it was made as; the weights it was copied from are nobody's."""
    W_IH, b_I = torch.ones(3, 2), torch.zeros(3)
    anchor, head = Head(0.0, W_IH, b_I), Head(1.0, W_IH, b_I)
    for one in (anchor, head):
        one.learn(torch.ones(2), 1)
    assert torch.equal(anchor.W_IH, W_IH)
    assert not torch.equal(head.W_IH, W_IH)
    assert torch.equal(torch.ones(3, 2), W_IH)


def test_a_new_item_starts_low() -> None:
    """Its row has no weights, the bias given, a fresh accumulator, whether it is a new row or was another's."""
    head = Head(1.0, torch.ones(3, 2), torch.zeros(3))
    head.learn(torch.ones(2), 1)
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
    feature_FI = trend.features(12 * DAY_MS)
    expected = lifted(np.array([[2 * 0.25, 0.5, 0.0]]))[0]
    assert pytest.approx(expected.tolist(), abs=1e-6) == feature_FI[0].tolist()
    kept = 0.5 ** (1 / 200)  # of an event after one more
    expected = lifted(np.array([[kept**2 + 1, kept, 0.0]]))[0]
    assert pytest.approx(expected.tolist(), abs=1e-6) == feature_FI[4].tolist()
    assert pytest.approx([-math.log(3), -math.log(2), 0.0]) == feature_FI[6].tolist()
    assert [0.0, 0.0, 1.0] == feature_FI[8].tolist()
    trend.forget(0)
    assert [1.0, 0.0, 1.0] == trend.features(12 * DAY_MS)[8].tolist()


def test_lifted_is_the_log_of_shares() -> None:
    """log(I s / sum s + .1); a statistic without any count says the same of all."""
    expected = [math.log(3 * 0.75 + 0.1), math.log(0.75 + 0.1), math.log(0.1)]
    assert pytest.approx(expected) == lifted(np.array([[3.0, 1.0, 0.0]]))[0].tolist()
    assert 1 == len(set(lifted(np.zeros((1, 4)))[0].tolist()))


def test_neighbours_equal_the_dense_counts() -> None:
    """While an item has fewer neighbours than are kept, links are the full co-occurrence and succession tables."""
    random, items = np.random.default_rng(1), 12
    found, pairs, follows, count = Neighbours(items), np.zeros((items, items)), np.zeros((items, items)), np.zeros(items)
    pasts: dict[int, list[int]] = {}
    for _ in range(200):
        past, item = pasts.setdefault(int(random.integers(4)), []), int(random.integers(items))
        if item in past:
            continue
        found.learn(past, item)
        for apart, other in enumerate(past[: -LAST - 1 : -1]):
            pairs[item, other] += 0.95**apart
            pairs[other, item] += 0.95**apart
            follows[other, item] += 1 / (apart + 1) if apart < 5 else 0
        count[item] += 1
        past.append(item)
        near = sum(pairs[other] * 0.95**apart / math.sqrt(count[other]) for apart, other in enumerate(past[: -LAST - 1 : -1]))
        after = sum(follows[other] / (apart + 1) / count[other] for apart, other in enumerate(past[:-6:-1]))
        features = found.features(past)
        np.testing.assert_allclose(near / np.sqrt(np.maximum(count, 1)), features[0], rtol=1e-5)
        np.testing.assert_allclose(after, features[1], rtol=1e-5)


def test_weak_links_give_way() -> None:
    """Of more neighbours than are kept the weakest goes; strong ones stay."""
    links = Links(KEPT + 10)
    for other in range(1, KEPT + 5):
        links.add(np.array([0]), np.array([other]), np.array([10.0 if other < 5 else 1.0], np.float32))
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
    assert 0 == found.features([0])[0, 1]


def test_weights_follow_the_gradient() -> None:
    """The step is that of the log-likelihood among items not taken, by differences; taken items play no part."""
    random = np.random.default_rng(2)
    feature_FI, taken = random.standard_normal((3, 5)), [4]
    weights = Weights((0.5, -0.2, 0.1))

    def loss(weight_F: NDArray[np.float64]) -> float:
        score = [float(weight_F @ feature_FI[:, item]) for item in range(4)]
        return math.log(sum(math.exp(one) for one in score)) - score[1]

    start_F = weights.of(AFTER_POSTS)
    slope_F = [(loss(start_F + 1e-6 * one) - loss(start_F - 1e-6 * one)) / 2e-6 for one in np.eye(3)]
    assert pytest.approx(loss(start_F)) == weights.learn(feature_FI, 1, taken, AFTER_POSTS)
    for number, slope in enumerate(slope_F):
        step = 0.05 * slope / math.sqrt(1 + slope**2)
        assert pytest.approx(start_F[number] - 2 * step, abs=1e-6) == weights.of(AFTER_POSTS)[number]
        assert pytest.approx(start_F[number] - step, abs=1e-6) == weights.of(AFTER_SILENCE)[number]
    assert weights.weight_CF[SHARED].tolist() == weights.of(SIMULTANEOUS).tolist()


def test_contexts() -> None:
    """No gap; less than an hour; longer, with posts and without; a first interaction has no gap."""
    hour_g = 0.9
    assert SIMULTANEOUS == context_of(1.0, first=False, posts=True, hour_g=hour_g)
    assert WITHIN_AN_HOUR == context_of(0.95, first=False, posts=True, hour_g=hour_g)
    assert AFTER_POSTS == context_of(0.5, first=False, posts=True, hour_g=hour_g)
    assert AFTER_SILENCE == context_of(0.5, first=False, posts=False, hour_g=hour_g)
    assert AFTER_SILENCE == context_of(0.0, first=True, posts=False, hour_g=hour_g)

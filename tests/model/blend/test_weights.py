"""Weights of the features, against their formula written out."""

import math

import numpy as np
import pytest
import torch

from model.blend.event import Block, Floats, Seen
from model.blend.weights import (
    AFTER_POSTS,
    AFTER_SILENCE,
    CONTEXTS,
    KEPT,
    RATE,
    RIDGE,
    SHARED,
    SIMULTANEOUS,
    WITHIN_AN_HOUR,
    Doubles,
    Weights,
    context_of,
)


def test_weights_take_newton_steps() -> None:
    """The gradient is that of the log-likelihood among items not owned, by differences; shared row and context step alike."""
    feature_FI, owned = FEATURE_FI, [4, 1]
    weights, plain = Weights((0.5, -0.2, 0.1)), Plain((0.5, -0.2, 0.1))

    def loss(weight_W: Doubles) -> float:
        score = [float((weight_W[:3] + YOUNG_I[item] * weight_W[3:]) @ feature_FI[:, item]) for item in range(4)]
        return math.log(sum(math.exp(one) for one in score)) - score[1]

    for context in (AFTER_POSTS, AFTER_POSTS, AFTER_SILENCE):
        start_W = plain.weight_W + plain.offset_CW[context]
        slope_W = np.array([(loss(start_W + 1e-5 * one) - loss(start_W - 1e-5 * one)) / 2e-5 for one in np.eye(6)])
        assert [pytest.approx(loss(start_W), abs=1e-5)] == weights.learn(_block(context), [1], [owned], [True]).tolist()
        plain.step(slope_W, context)
        np.testing.assert_allclose(plain.weight_W + plain.offset_CW[context], weights.of(context).ravel(), atol=1e-5)
    np.testing.assert_allclose(plain.weight_W, weights.of(SIMULTANEOUS).ravel(), atol=1e-5)


YOUNG_I = np.array([False, True, True, False, False])
FEATURE_FI = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)


def _block(*contexts: int, feature_FI: Floats = FEATURE_FI) -> Block:
    """Events with the same features, of which the last two are those of their one time."""
    count, nothing = len(contexts), torch.zeros(0)
    seen = tuple(Seen(0, (), context, 0) for context in contexts)
    own_GBI, trend_HTI = np.repeat(feature_FI[:1, None], count, axis=1), feature_FI[1:, None].copy()
    time_B, good_BF = np.zeros(count, np.int64), np.ones((count, len(feature_FI)), np.bool_)
    return Block(nothing, nothing.numpy(), seen, time_B, own_GBI, trend_HTI, good_BF, YOUNG_I[None])


class Plain:
    """A <- lambda A + g g^T; w <- w - eta (A + epsilon)^-1 g, for the shared weights and those of a context."""

    def __init__(self, start_F: tuple[float, ...]) -> None:
        self.weight_W: Doubles = np.array([*start_F, 0, 0, 0])
        self.offset_CW = np.zeros((CONTEXTS, 6))
        self.curvatures = {row: np.zeros((6, 6)) for row in range(CONTEXTS)}

    def step(self, slope_W: Doubles, context: int) -> None:
        """One."""
        for row, weight_W in ((SHARED, self.weight_W), (context, self.offset_CW[context])):
            self.curvatures[row] = KEPT * self.curvatures[row] + np.outer(slope_W, slope_W)
            weight_W -= RATE * np.linalg.inv(self.curvatures[row] + RIDGE * np.eye(6)) @ slope_W


def test_weights_may_stand_still() -> None:
    """An interaction beyond somebody's influence has a loss and teaches nothing; no offsets for what is left out."""
    weights = Weights((0.5, -0.2, 0.1))
    first, second, third = weights.learn(_block(*[AFTER_POSTS] * 3), [1] * 3, [[]] * 3, [False, True, False])
    assert first == second
    assert second > third
    weights.contexts = False
    weights.learn(_block(*[SIMULTANEOUS] * 3), [1] * 3, [[]] * 3, [True] * 3)
    assert weights.weight_CW[SHARED].tolist() == pytest.approx(weights.of(SIMULTANEOUS).ravel().tolist())
    older = Weights((0.5, -0.2, 0.1))
    older.young = False
    older.learn(_block(AFTER_POSTS), [1], [[]], [True])
    assert [True, False] == older.of(AFTER_POSTS).any(axis=1).tolist()


@pytest.mark.parametrize("name", ["weight_CW", "curvature_CWW"])
def test_poisoned_weights_start_again(name: str) -> None:
    """A weight or curvature that is no number says nothing, and is well after an interaction; what is well goes on."""
    weights = Weights((0.5, -0.2, 0.1))
    getattr(weights, name)[SHARED, 1] = np.nan
    assert np.isfinite(weights.of(AFTER_POSTS)).all()
    for _ in range(2):
        assert np.isfinite(weights.learn(_block(AFTER_POSTS), [1], [[]], [True])).all()
    assert np.isfinite(weights.weight_CW).all()
    assert np.isfinite(weights.curvature_CWW).all()
    assert {0.5, 0.0}.isdisjoint(weights.weight_CW[SHARED, :1])


def test_a_feature_that_says_nothing_learns_nothing() -> None:
    """Where a feature is zero for all items its weights stay."""
    feature_FI, weights = FEATURE_FI.copy(), Weights((0.5, -0.2, 0.1))
    feature_FI[1] = 0
    weights.learn(_block(*[AFTER_POSTS] * 5, feature_FI=feature_FI), list(range(5)), [[]] * 5, [True] * 5)
    assert [pytest.approx(-0.2), 0] == weights.of(AFTER_POSTS)[:, 1].tolist()
    assert 0.5 != weights.of(AFTER_POSTS)[0, 0]


def test_contexts() -> None:
    """No gap; less than an hour; longer, with posts and without; a first interaction has no gap."""
    hour_g = 0.9
    assert SIMULTANEOUS == context_of(1.0, first=False, posts=True, hour_g=hour_g)
    assert WITHIN_AN_HOUR == context_of(0.95, first=False, posts=True, hour_g=hour_g)
    assert AFTER_POSTS == context_of(0.5, first=False, posts=True, hour_g=hour_g)
    assert AFTER_SILENCE == context_of(0.5, first=False, posts=False, hour_g=hour_g)
    assert AFTER_SILENCE == context_of(0.0, first=True, posts=False, hour_g=hour_g)

"""The network against the plain transcription, equation by equation."""

from typing import Any

import numpy as np
import pytest
import torch

from model import Step
from model.network import attention_weights
from tests.model import plain
from tests.model.small import LOOKS_BACK, SMALL, awkward, recommender, small

_PRECISE: dict[str, Any] = {"rtol": 0, "atol": 1e-10}
_ABLATIONS: list[dict[str, Any]] = [{}, {"second_order": False}, {"attention": False}, {"time_gates": False}]


def _both(**changes: object) -> list[tuple[Any, plain.PlainStep]]:
    config = small(**changes)
    one = recommender(config)
    steps = awkward(config)
    return list(zip(one.trace("bob", steps), plain.sequence(steps, one.weights(), 1, config), strict=True))


@pytest.mark.parametrize("changes", _ABLATIONS)
def test_eq_1_2_pooled_input(changes: dict[str, Any]) -> None:
    """V is the sum of all columns and of all their pairs, whatever windows are empty."""
    for traced, expected in _both(**changes):
        np.testing.assert_allclose(expected.v, traced.v_k, **_PRECISE)


def test_eq_2_pairs_in_linear_time_are_the_explicit_pairs() -> None:
    """The O(n) identity gives the sum over all pairs, raw counts included."""
    one = recommender(small(topics=60))
    x_M = np.random.default_rng(0).poisson(1.0, 120).astype(np.float64)
    (traced,) = one.trace("ann", [Step(x_M, 0.5)])  # type: ignore[arg-type]
    expected = plain.pooled(x_M, one.weights(), 0, one.config)
    np.testing.assert_allclose(expected, traced.v_k, rtol=1e-10, atol=1e-10)


def test_the_item_before_is_one_more_column() -> None:
    """In preset full eq. 1 and 2 have the column of the item taken before, and none where there is no such item or row."""
    one = recommender(small(**LOOKS_BACK))
    steps, items = awkward(one.config), ["v3", None, "v0", "unheard of", "v6", "v3", "v3"]
    rows = [-1 if item in (None, "unheard of") else int(item[1:]) for item in items]
    expected = plain.sequence(steps, one.weights(), 1, one.config, rows)
    for wanted, traced in zip(expected, one.trace("bob", steps, items), strict=True):
        np.testing.assert_allclose(wanted.v, traced.v_k, **_PRECISE)
        np.testing.assert_allclose(wanted.h, traced.h_H, **_PRECISE)


def test_eq_2_of_an_empty_window_is_the_user_alone() -> None:
    """Without posts the pair term is exactly zero."""
    one = recommender()
    (traced,) = one.trace("cid", [awkward()[0]])
    np.testing.assert_array_equal(one.weights()["E_user"][2], traced.v_k)


def test_eq_3_attention_weights() -> None:
    """Weights are the softmax of cosines over the past that is kept, oldest first."""
    for place, (traced, expected) in enumerate(_both()):
        assert min(place, SMALL.past) == len(traced.attention_n)
        np.testing.assert_allclose(expected.attention, traced.attention_n, **_PRECISE)


def test_eq_3_silent_window_attends_evenly() -> None:
    """A zero x has cosine 0 with everything, so its weights are equal."""
    traced = recommender().trace("ann", awkward())[4]
    np.testing.assert_allclose(np.full(3, 1 / 3), traced.attention_n, **_PRECISE)


def test_eq_3_nothing_seen_gives_zero_weights() -> None:
    """Without a past there is no NaN, only zeros."""
    weights_BTS = attention_weights(torch.ones(1, 1, 2), torch.ones(1, 3, 2), torch.zeros(1, 1, 3))
    np.testing.assert_array_equal(np.zeros((1, 1, 3)), weights_BTS.numpy())


def test_eq_4_what_attention_reads() -> None:
    """h_A is the weighted past, zero at the first step."""
    for traced, expected in _both():
        np.testing.assert_allclose(expected.h_A, traced.h_A_H, **_PRECISE)


@pytest.mark.parametrize("changes", _ABLATIONS)
def test_eq_5_6_7_cell_and_output(changes: dict[str, Any]) -> None:
    """C and h agree at every step, in the whole model and without each of its parts."""
    for traced, expected in _both(**changes):
        np.testing.assert_allclose(expected.C, traced.C_H, **_PRECISE)
        np.testing.assert_allclose(expected.h, traced.h_H, **_PRECISE)


def test_eq_5_no_gap_closes_the_input_gate() -> None:
    """With g = 1 and no attention, C is only what the forget gate leaves of it."""
    one = recommender(small(attention=False))
    steps = [awkward()[0], Step(np.zeros(8, np.float32), 1.0)]
    before, after = one.trace("ann", steps)
    assert bool((np.abs(after.C_H) < np.abs(before.C_H)).all())


def test_eq_8_logits_before_the_tanh() -> None:
    """Scores are W_r h + b_r."""
    for traced, expected in _both():
        np.testing.assert_allclose(expected.logits, traced.logits_I, **_PRECISE)


def test_without_topics_the_model_still_runs() -> None:
    """With no topics at all only the user, his gaps and his past speak."""
    config = small(topics=0)
    steps = awkward(config)
    one = recommender(config)
    for traced, expected in zip(one.trace("bob", steps), plain.sequence(steps, one.weights(), 1, config), strict=True):
        np.testing.assert_allclose(expected.h, traced.h_H, **_PRECISE)


def test_initial_weights_are_those_of_default_25() -> None:
    """Recurrent blocks are orthogonal, the forget bias is 1, the other biases are 0, embeddings have deviation 0.1."""
    from model import Recommender

    weights = Recommender(small(hidden=40, factors=30, topics=50), [f"u{row}" for row in range(200)], ["v"], 0).weights()
    for gate in ("i", "f", "o", "c", "Ai", "Ac"):
        np.testing.assert_allclose(np.eye(40), weights[f"U_{gate}"] @ weights[f"U_{gate}"].T, atol=1e-12)
        np.testing.assert_array_equal(np.full(40, float(gate == "f")), weights[f"b_{gate}"])
        assert np.abs(weights[f"W_{gate}"]).max() <= np.sqrt(6 / 70)
    assert abs(0.1 - weights["E_user"].std()) < 0.005
    assert abs(0.1 - weights["Y"].std()) < 0.005

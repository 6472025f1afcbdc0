"""Gradients and updates of one lesson."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from model import Lesson, ModelConfig, Recommender
from model.adam import BETA_2
from model.online import Batch, Gradients, gradients_of
from tests.model import plain
from tests.model.small import SMALL, Stream, recommender, small

_VARIANTS: list[dict[str, Any]] = [
    {}, {"logits": "identity"}, {"loss": "bce"}, {"loss": "bce", "logits": "identity"},
    {"second_order": False}, {"attention": False}, {"time_gates": False},
]  # fmt: skip


def _lesson(one: Recommender) -> Lesson:
    stream = Stream(one)
    for _ in range(4):
        lesson = stream.lesson(("ann", "bob", "cid"), ("v1", "v5", "v1"))
    return lesson


def _batch(lesson: Lesson) -> Batch:
    columns = [torch.tensor(one, dtype=torch.float64) for one in (lesson.x_BM, lesson.h_BH, lesson.C_BH, lesson.h_A_BH)]
    x, h, C, h_A = columns
    return Batch(torch.tensor([0, 1, 2]), torch.tensor([1, 5, 1]), x, torch.tensor(lesson.g_B)[:, None], h, C, h_A)


def _loss(one: Recommender, lesson: Lesson) -> float:
    """The mean loss of a lesson by the plain transcription."""
    weights, total = one.weights(), 0.0
    for row, item in enumerate((1, 5, 1)):
        x, h, C, h_A = (part[row].astype(np.float64) for part in (lesson.x_BM, lesson.h_BH, lesson.C_BH, lesson.h_A_BH))
        v = plain.pooled(x, weights, row, one.config)
        h, _ = plain.cell(v, float(lesson.g_B[row]), h, C, h_A, weights, one.config)
        total += plain.loss(plain.logits(h, weights), item, one.config)
    return total / 3


def _whole(gradients: Gradients, config: ModelConfig) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    H = config.hidden
    whole = {"Y": gradients.shared["Y"].numpy(), "E_user": gradients.e_Bk.numpy()}
    for row, gate in enumerate(("i", "f", "o", "c", "Ai", "Ac")):
        whole[f"W_{gate}"] = gradients.shared["W"][row * H : (row + 1) * H].numpy()
        whole[f"b_{gate}"] = gradients.shared["b"][row * H : (row + 1) * H].numpy()
        block = gradients.shared["U"] if row < 4 else gradients.shared["U_A"]
        whole[f"U_{gate}"] = block[row % 4 * H : (row % 4 + 1) * H].numpy()
    whole["W_r"] = (gradients.slope_BI.T @ gradients.h_BH).numpy()
    whole["b_r"] = gradients.slope_BI.sum(dim=0).numpy()
    return whole


@pytest.mark.parametrize("changes", _VARIANTS)
def test_eq_8_9_loss(changes: dict[str, Any]) -> None:
    """The loss of a lesson is that of the plain transcription, to ten digits."""
    one = recommender(small(**changes))
    lesson = _lesson(one)
    assert _loss(one, lesson) == pytest.approx(gradients_of(one.network, _batch(lesson)).loss, abs=1e-10)


@pytest.mark.parametrize("changes", _VARIANTS)
def test_gradients_are_finite_differences(changes: dict[str, Any]) -> None:
    """Every weight's gradient is what the plain loss does when that weight moves a little."""
    one = recommender(small(**changes))
    lesson = _lesson(one)
    draw = np.random.default_rng(0)
    for name, gradient in _whole(gradients_of(one.network, _batch(lesson)), one.config).items():
        weight = one.weights()[name]
        for _ in range(4):
            place = tuple(int(draw.integers(size)) for size in weight.shape)
            slope = 0.0
            for sign in (1, -1):
                moved = weight.copy()
                moved[place] += sign * 1e-5
                one.set_weights({name: moved})
                slope += sign * _loss(one, lesson) / 2e-5
            one.set_weights({name: weight})
            assert slope == pytest.approx(gradient[place], abs=1e-8), (name, place)


def test_gradcheck_of_the_whole_step() -> None:
    """Autograd through pooling, cell, logits and loss passes torch's own check for all inputs and weights at once."""
    one = recommender()
    batch = _batch(_lesson(one))
    network = one.network
    names = [name for name, _ in network.named_parameters() if name != "E_user"]

    def step(e_Bk: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        def forward() -> torch.Tensor:
            z = network.project(network.pool(batch.x_BM, e_Bk))
            h, _ = network.cell(z, batch.g_B1, batch.h_BH, batch.C_BH, batch.h_A_BH)
            return torch.nn.functional.cross_entropy(torch.tanh(network.logits(h)), batch.item_B)

        with _Swapped(network, dict(zip(names, weights, strict=True))):
            return forward()

    inputs = [network.E_user.detach()[batch.user_B], *(getattr(network, name).detach() for name in names)]
    assert torch.autograd.gradcheck(step, [one.clone().requires_grad_() for one in inputs])


class _Swapped:
    """Other tensors in the place of a module's parameters, for a while."""

    def __init__(self, network: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
        self._network, self._tensors = network, tensors

    def __enter__(self) -> None:
        self._kept = {name: self._network._parameters.pop(name) for name in self._tensors}
        for name, tensor in self._tensors.items():
            setattr(self._network, name, tensor)

    def __exit__(self, *_: object) -> None:
        for name, parameter in self._kept.items():
            delattr(self._network, name)
            self._network.register_parameter(name, parameter)


@pytest.mark.parametrize("clip_norm", [5.0, 0.01])
def test_learn_is_clipped_adam(clip_norm: float) -> None:
    """Two lessons of all users give the weights that torch's own clipping and Adam without momentum give from the same gradients."""
    config = small(clip_norm=clip_norm)
    one, other = recommender(config), recommender(config)
    stream = Stream(one)
    lessons = [stream.lesson(("ann", "bob", "cid"), ("v1", "v5", "v1")) for _ in range(2)]
    parameters = dict(other.network.named_parameters())
    adam = torch.optim.Adam(parameters.values(), lr=config.online_rate, betas=(0.0, BETA_2))
    for lesson in lessons:
        one.learn(lesson)
        batch = _batch(lesson)
        z = other.network.project(other.network.pool(batch.x_BM, other.network.E_user[batch.user_B]))
        h, _ = other.network.cell(z, batch.g_B1, batch.h_BH, batch.C_BH, batch.h_A_BH)
        adam.zero_grad()
        torch.autograd.backward([torch.nn.functional.cross_entropy(torch.tanh(other.network.logits(h)), batch.item_B)])
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), clip_norm)
        adam.step()
    for name, expected in other.weights().items():
        np.testing.assert_allclose(expected, one.weights()[name], rtol=0, atol=1e-7, err_msg=name)


def test_only_users_of_the_lesson_move() -> None:
    """A user's vector changes on his own account alone, also when moments of earlier lessons are there."""
    one = recommender()
    stream = Stream(one)
    one.learn(stream.lesson(("ann", "bob")))
    before = one.weights()["E_user"]
    one.learn(stream.lesson(("ann",)))
    after = one.weights()["E_user"]
    np.testing.assert_array_equal(before[1:], after[1:])
    assert bool((before[0] != after[0]).any())


def test_learn_gives_the_loss_before_the_update() -> None:
    """Learning the same lesson again starts lower, from where the first time ended."""
    one = recommender(small(online_rate=0.01))
    lesson = _lesson(one)
    assert _loss(one, lesson) == pytest.approx(one.learn(lesson), abs=1e-10)
    assert _loss(one, lesson) == pytest.approx(one.learn(lesson), abs=1e-10)


def test_more_iterations_stop_when_little_is_gained() -> None:
    """At a tiny rate the second iteration sees a fall under 1 % and the third never comes; at a high one all come."""
    for rate, updates in ((1e-6, 1.0), (0.05, 3.0)):
        one = recommender(small(online_iterations=3, online_rate=rate, logits="identity"))
        one.learn(_lesson(one))
        assert updates == float(one.moments.count)


def test_ablated_parts_do_not_learn() -> None:
    """Without attention its weights stay as they are."""
    one = recommender(replace(SMALL, attention=False))
    before = one.weights()
    one.learn(_lesson(one))
    after = one.weights()
    for gate in ("Ai", "Ac"):
        for letter in ("W", "U", "b"):
            np.testing.assert_array_equal(before[f"{letter}_{gate}"], after[f"{letter}_{gate}"])

"""The second cell: what it learns from lessons, beside the frozen one."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from model import Recommender
from model.adam import BETA_2
from model.blend.view import Teacher, View
from model.network import SHARED, Given
from model.second import EVERY, RATE, REPLAYED, SecondCell
from tests.model.blend.test_blend import FULL, Live, full
from tests.model.small import LOOKS_BACK, recommender, small

WAVES = EVERY // 2  # of two interactions each


def test_it_starts_as_a_copy_and_learns_after_so_many_interactions() -> None:
    """Up to one before EVERY interactions its weights are the frozen ones; with the last one they move."""
    live = Live(full())
    live.run(WAVES - 1)
    assert not _moved(live.recommender)
    live.run(1)
    assert {"Y", "W", "b"} == _moved(live.recommender)  # the memories here are empty, so there is no past to read with U and U_A
    assert 1 == int(_second(live.recommender).moments.count)


def test_a_step_is_that_of_adam_through_the_whole_softmax() -> None:
    """On one batch: autograd of the mean cross-entropy through head and cell, clipped, and torch's Adam, give the same weights."""
    one = recommender(small(**LOOKS_BACK))
    second, teacher = _second(one), _teacher(one)
    given, item_B = _given(one, EVERY), torch.arange(EVERY) % len(one.items)
    network = SecondCell(one.network, one.moments).network
    plain = dict(network.named_parameters())
    adam = torch.optim.Adam([plain[name] for name in SHARED], lr=RATE, betas=(0.0, BETA_2))
    assert EVERY == REPLAYED  # so all of them are drawn once more, and the mean is that over each once
    h_BH, _ = network.after(given)
    torch.nn.functional.cross_entropy(h_BH.float() @ teacher.W_ID.T + teacher.b_I, item_B).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([plain[name] for name in SHARED], one.config.clip_norm)
    adam.step()
    second.wait(given, torch.zeros(EVERY, dtype=torch.int64), item_B)
    second.settle(lambda: teacher)
    for name in SHARED:
        np.testing.assert_allclose(plain[name].detach(), getattr(second.network, name).detach(), atol=1e-6)


def test_one_by_one_or_together_it_learns_the_same() -> None:
    """However a time's interactions are cut into lessons, the same steps are taken."""
    one = recommender(small(**LOOKS_BACK))
    given, user_B, item_B = _given(one, 3 * EVERY), torch.zeros(3 * EVERY, dtype=torch.int64), torch.arange(3 * EVERY) % 7
    whole, parts = SecondCell(one.network, one.moments), SecondCell(one.network, one.moments)
    teacher = _teacher(one)
    whole.wait(given, user_B, item_B)
    whole.settle(lambda: teacher)
    for row in range(0, 3 * EVERY, 5):
        rows = list(range(row, min(row + 5, 3 * EVERY)))
        parts.wait(given.only(rows), user_B[rows], item_B[rows])
        parts.settle(lambda: teacher)
    for name in SHARED:
        np.testing.assert_allclose(getattr(whole.network, name).detach(), getattr(parts.network, name).detach(), atol=1e-6)


def test_what_is_remembered_holds_no_longer_than_the_weights() -> None:
    """Asked again it gives the same, after a step that of its new weights; other input is not taken for the same."""
    one = recommender(small(**LOOKS_BACK))
    second, given = _second(one), _given(one, EVERY)
    frozen_BVH, learned_BVH = _both(second, given)
    assert all(map(torch.equal, (frozen_BVH, learned_BVH), _both(second, _given(one, EVERY))))
    assert len(learned_BVH) > len(second.learned(given.only(slice(1))))
    second.wait(given, torch.zeros(EVERY, dtype=torch.int64), torch.arange(EVERY) % len(one.items))
    second.settle(partial(_teacher, one))
    assert torch.equal(frozen_BVH, _both(second, given)[0])
    assert torch.equal(second.network.after(given)[0], _both(second, given)[1])
    assert not torch.equal(learned_BVH, _both(second, given)[1])


def test_left_out_the_head_stands_on_the_frozen_cell() -> None:
    """Without the part, or without the net, nothing is kept and nothing learned; with it the head sees another h."""
    for name, learns in (("second", False), ("net", False), ("texts", True)):
        live = Live(full(replace(FULL, without=(name,))))
        live.run(WAVES + 1)  # to the end of a time
        assert learns == bool(_moved(live.recommender))
        assert learns == any(key.startswith("second.kept") for key in _second(live.recommender).state())


def test_nothing_of_the_forgotten_is_kept() -> None:
    """A user who is forgotten, and an item whose row becomes another's, leave nothing behind to learn from."""
    for forget in (SecondCell.forget_user, SecondCell.forget_item):
        one = recommender(small(**LOOKS_BACK))
        second, ones_B = _second(one), torch.ones(EVERY - 1, dtype=torch.int64)
        second.wait(_given(one, EVERY - 1), ones_B, ones_B)
        second.settle(partial(_teacher, one))
        forget(second, 1)
        kept = [value for name, value in second.state().items() if name.startswith("second.kept")]
        assert kept
        assert not any(value.any() for value in kept)
        second.wait(_given(one, 1), ones_B[:1], ones_B[:1])
        second.settle(partial(_teacher, one))
        assert 1 == int(second.moments.count)


@pytest.mark.parametrize("name", SHARED)
def test_poisoned_it_starts_again(name: str) -> None:
    """Weights that are no numbers say nothing to the ranking, and are the frozen ones after the next lesson."""
    live = Live(full())
    live.run(WAVES + 2)  # to the end of a time
    getattr(_second(live.recommender).network, name).data[:] = float("nan")
    _second(live.recommender).restore(_second(live.recommender).state())  # as from a checkpoint
    assert np.isfinite(live.recommender.rank(live.wave(("ann", "bob"))).scores_BI).all()
    live.run(1)
    assert not _moved(live.recommender)
    live.run(WAVES)
    assert np.isfinite(live.recommender.rank(live.wave(("ann", "bob"))).scores_BI).all()


def _second(one: Recommender) -> SecondCell:
    assert one.second is not None
    return one.second


def _both(second: SecondCell, given: Given) -> tuple[Tensor, Tensor]:
    """The h of the frozen cell and that of the second one."""
    return second.frozen(given)[0], second.learned(given)


def _teacher(one: Recommender) -> Teacher:
    W_r, b_r = one.network.W_r.detach().float(), one.network.b_r.detach().float()
    return Teacher(W_r, b_r, View.of(one.network.W_r))


def _moved(one: Recommender) -> set[str]:
    """Names of its weights that are not the frozen ones."""
    return {name for name in SHARED if not torch.equal(getattr(one.network, name), getattr(_second(one).network, name))}


def _given(one: Recommender, count: int) -> Given:
    draw, config = torch.Generator().manual_seed(7), one.config

    def some(size: int) -> Tensor:
        return torch.rand((count, size), generator=draw, dtype=torch.float64)

    H, k = config.hidden, config.factors
    return Given(some(config.width), (some(k), some(k)), some(1), some(H), some(H), some(H))

"""What is done for a few users at once is what is done for many, with weights rounded to a byte each."""

import numpy as np
import pytest
import torch
from torch import Tensor

from model import ModelConfig
from model.few import Cell, Rounded, put_logits
from model.network import SHARED, Given, Network
from model.threads import FEW
from tests.model.small import LOOKS_BACK, as_a_few_read, small

_FLOAT: dict[str, object] = {"dtype": "float32"}
_ROUGH = small(**_FLOAT)


@pytest.mark.parametrize("rows", [1, FEW])
@pytest.mark.parametrize(("outputs", "steps"), [(2, 0), (8, 1), (13, 9)])
def test_logits_are_those_of_the_rounded_weights_and_the_steps(rows: int, outputs: int, steps: int) -> None:
    """W x + b with W to a row's nearest 127th and steps as they are, whether or not they come in fours, wherever x stands."""
    draw = torch.Generator().manual_seed(outputs)
    sizes = (rows, 37), (outputs, 37), (outputs,), (steps, outputs), (steps, 37)
    x_BK, W_OK, b_O, step_PO, x_PK = (torch.randn(size, generator=draw) for size in sizes)
    step_PO /= 10  # as small beside the weights as steps are
    expected_BO = x_BK.double() @ (as_a_few_read(W_OK).double() + step_PO.double().T @ x_PK.double()).T + b_O.double()
    found_BO, again_BO = np.empty((2, rows, outputs), np.float32)
    others = Rounded.of(W_OK), b_O.numpy(), step_PO.numpy(), x_PK.numpy()
    put_logits(x_BK.numpy(), *others, found_BO)
    np.testing.assert_allclose(found_BO, expected_BO, atol=1e-5)
    put_logits(torch.stack([x_BK, x_BK], dim=1)[:, 1].numpy(), *others, again_BO)
    assert np.array_equal(found_BO, again_BO)


def test_a_row_that_holds_no_numbers_is_seen() -> None:
    """Its logit is no number, so that whoever looks at sums finds it; rows of zeros and of hardly anything have none but b."""
    W_OK = torch.tensor([[1.0, float("nan")], [float("inf"), 1.0], [2.0, -1.0], [0.0, 0.0], [1e-40, 0.0]])
    out_BO, none = np.empty((1, 5), np.float32), np.zeros((0, 5), np.float32)
    put_logits(np.ones((1, 2), np.float32), Rounded.of(W_OK), np.full(5, 3.0, np.float32), none, none, out_BO)
    np.testing.assert_allclose([[np.nan, np.nan, 4.0, 3.0, 3.0]], out_BO, atol=0.01)


@pytest.mark.parametrize(
    "config",
    [_ROUGH, *(small(**_FLOAT, **{one: False}) for one in ("second_order", "time_gates", "attention")), small(**_FLOAT, **LOOKS_BACK)],
    ids=["all", "no pairs", "no time gates", "no attention", "looks back"],
)
def test_a_step_is_that_of_the_network(config: ModelConfig) -> None:
    """The h and C of a few, with posts and without, after no gap, some gap and a first time."""
    network = Network(config, 3, 5, seed=2)
    for name in SHARED:
        one = getattr(network, name).detach()
        one.copy_(one + torch.randn(one.shape, generator=torch.Generator().manual_seed(3)) / 4)
        if name in ("W", "U", "U_A"):
            one.copy_(as_a_few_read(one))
    given = _given(config)
    for expected, found in zip(network.after(given), Cell.of(network).after(given), strict=True):
        np.testing.assert_allclose(found, expected.detach(), atol=2e-6)


def _given(config: ModelConfig) -> Given:
    draw = torch.Generator().manual_seed(4)

    def some(size: int) -> Tensor:
        return torch.rand((3, 1, size), generator=draw)

    x_B1M = some(config.width)
    x_B1M[1] = 0
    columns = tuple(some(config.factors) for _ in range(1 + config.looks_back))
    g_B11 = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)[:, None, None]
    return Given(x_B1M, columns, g_B11, some(config.hidden), some(config.hidden), some(config.hidden))

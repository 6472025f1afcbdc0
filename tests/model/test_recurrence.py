"""The recurrence backwards in closed form, against autograd through the network's own cell."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from model.course import Before, Course
from model.network import Network
from model.recurrence import Recurrence, recur
from model.rounded_recurrence import RoundedRecurrence
from tests.model.small import small

_B, _T, _P, _KEPT = 3, 5, 2, 3
_ACTIVE = (3, 3, 2, 2, 1)
Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Case:
    network: Network
    z_TB6H: Tensor
    course: Course
    before: Before


def _case(*, time_gates: bool = True, attention: bool = True) -> _Case:
    config = small(time_gates=time_gates, attention=attention, past=_KEPT)
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    g_BT = torch.rand((_B, _T), generator=draw, dtype=torch.float64)
    g_BT[0, 1], g_BT[1, 0] = 1.0, 0.0  # no gap at all, and one without end
    weights_BTS = random(_B, _T, _P + _T).abs()
    for step in range(_T):
        weights_BTS[:, step, _P + step :] = 0
        weights_BTS[:, step, : max(0, _P + step - _KEPT)] = 0
    H = config.hidden
    before = Before(random(_P, _B, H), random(_B, H), random(_B, H))
    course = Course(g_BT, weights_BTS, _ACTIVE, _KEPT, time_gates, attention)
    return _Case(Network(config, 1, 1, seed=1), random(_T, _B, 6 * H).requires_grad_(), course, before)


def _by_cell(case: _Case) -> Tensor:
    h_BH, C_BH, seen, outputs = case.before.h_BH, case.before.C_BH, list(case.before.past_PBH.unbind(0)), []
    for step, n in enumerate(case.course.active):
        weights_nS = case.course.weights_BTS[:n, step, : len(seen)]
        h_A_nH = torch.einsum("ns,nsh->nh", weights_nS, torch.stack([one[:n] for one in seen], dim=1))
        h_BH, C_BH = case.network.cell(case.z_TB6H[step, :n], case.course.g_BT[:n, step, None], h_BH[:n], C_BH[:n], h_A_nH)
        seen = [*(one[:n] for one in seen), h_BH]
        outputs.append(h_BH)
    return torch.cat(outputs)


@pytest.mark.parametrize("time_gates", [True, False])
@pytest.mark.parametrize("attention", [True, False])
def test_values_and_gradients_are_those_of_the_cell(*, time_gates: bool, attention: bool) -> None:
    """The same h at every active step and the same gradients of z, U and U_A, whoever ends and whatever was before."""
    case = _case(time_gates=time_gates, attention=attention)
    network = case.network
    given = (case.z_TB6H, network.U, *((network.U_A,) if attention else ()))
    expected_NH = _by_cell(case)
    slope_NH = torch.randn(expected_NH.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = torch.autograd.grad(expected_NH, given, slope_NH)
    found_NH, _ = recur(case.z_TB6H, network.U, network.U_A, case.course, case.before)
    torch.testing.assert_close(found_NH, expected_NH, rtol=0, atol=1e-12)
    for one, found in zip(expected, torch.autograd.grad(found_NH, given, slope_NH), strict=True):
        torch.testing.assert_close(found, one, rtol=0, atol=1e-11)


def test_the_state_after_is_what_the_next_window_needs() -> None:
    """Two windows one after the other give the h of one long window."""
    case = _case()
    network, course, cut = case.network, case.course, 2
    whole_NH, _ = recur(case.z_TB6H, network.U, network.U_A, course, case.before)
    first = Course(course.g_BT[:, :cut], course.weights_BTS[:, :cut, : _P + cut], _ACTIVE[:cut], _KEPT, True, True)  # noqa: FBT003
    first_NH, after = recur(case.z_TB6H[:cut], network.U, network.U_A, first, case.before)
    assert _KEPT == len(after.past_PBH)
    seen = slice(_P + cut - _KEPT, None)
    second = Course(course.g_BT[:, cut:], course.weights_BTS[:, cut:, seen], _ACTIVE[cut:], _KEPT, True, True)  # noqa: FBT003
    second_NH, _ = recur(case.z_TB6H[cut:], network.U, network.U_A, second, after)
    torch.testing.assert_close(torch.cat([first_NH, second_NH]), whole_NH, rtol=0, atol=1e-12)


@pytest.mark.parametrize("time_gates", [True, False])
@pytest.mark.parametrize("attention", [True, False])
def test_compiled_steps_are_those_of_torch(*, time_gates: bool, attention: bool) -> None:
    """With products in bfloat16 h, the state after and all gradients are alike, but for what rounds otherwise."""
    case = _case(time_gates=time_gates, attention=attention)
    before = Before(*(one.float() for one in (case.before.past_PBH, case.before.h_BH, case.before.C_BH)))
    course = replace(case.course, weights_BTS=case.course.weights_BTS.float())
    both = []
    for recurrence in (Recurrence, RoundedRecurrence):
        z = case.z_TB6H.detach().bfloat16().requires_grad_()
        U, U_A = (one.detach().float().requires_grad_() for one in (case.network.U, case.network.U_A))
        h_NH, h_SBH, C_BH = recurrence.apply(z, U, U_A, course, before)
        given = (z, U, *((U_A,) if attention else ()))
        slope_NH = torch.randn(h_NH.shape, generator=torch.Generator().manual_seed(2))
        both.append([h_NH, h_SBH, C_BH, *torch.autograd.grad(h_NH, given, slope_NH)])
    assert 0.1 < both[0][0].std()
    for expected, found in zip(*both, strict=True):
        torch.testing.assert_close(found, expected, rtol=2**-7, atol=2**-9)


def test_tanh_of_the_compiled_steps() -> None:
    """Gates and C of a step are right to float32, however large what goes in is."""
    z_TBK = torch.linspace(-30, 30, 6 * 64).bfloat16().view(1, 1, -1)
    before = Before(torch.zeros(0, 1, 64), torch.zeros(1, 64), torch.zeros(1, 64))
    course = Course(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, 1), (1,), _KEPT, True, True)  # noqa: FBT003
    h_NH, _, C_BH = RoundedRecurrence.apply(z_TBK, torch.zeros(256, 64), torch.zeros(128, 64), course, before)
    i, _, o, c, a_i, a_c = z_TBK.double().view(6, 64)
    expected_H = torch.sigmoid(i) * torch.tanh(c) + torch.sigmoid(a_i) * torch.tanh(a_c)
    torch.testing.assert_close(C_BH[0].double(), expected_H, rtol=0, atol=1e-6)
    torch.testing.assert_close(h_NH[0].double(), torch.sigmoid(o) * torch.tanh(expected_H), rtol=0, atol=1e-6)

"""The recurrence of eq. 3, 5-7 over a window of padded sequences, forwards, and backwards in closed form.

Autograd would keep two dozen small tensors a step and make a gradient of each past step that attention sees. Written out, a step
backwards takes a handful of operations, and the gradients of U and U_A are one product each. Time comes first, so that a step lies
in one piece. Products are of the dtype of z, which may be a shorter one; all else is of the dtype of the weights.

Legend: T steps, B users, n users active at a step (the first ones), H hidden, P steps before the window that attention sees,
S = P + T, N active (user, step) pairs, step by step. Gates in the network's order: i, f, o, c, Ai, Ac.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

_I, _F, _O, _C, _AI, _AC = range(6)


@dataclass(frozen=True, slots=True)
class Course:
    """What of a window depends on data alone."""

    g_BT: Tensor
    "float64"
    weights_BTS: Tensor
    "attention"
    active: Sequence[int]
    kept: int
    "past steps that attention sees"
    time_gates: bool
    attention: bool

    def factors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """What the input and the forget gate are multiplied by, (T, B, 1) each."""
        g_TB1 = self.g_BT.T[..., None]
        if not self.time_gates:
            g_TB1 = torch.ones_like(g_TB1)
            return g_TB1.to(dtype), g_TB1.to(dtype)
        # 1 - g is taken before rounding: for a short gap it is the small one.
        return (1 - g_TB1).to(dtype), g_TB1.to(dtype)


@dataclass(frozen=True, slots=True)
class Before:
    """State before a window: h of the P steps that attention sees (P, B, H), the last h and C (B, H). No gradient goes there."""

    past_PBH: Tensor
    h_BH: Tensor
    C_BH: Tensor


def recur(z_TB6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before) -> tuple[Tensor, Before]:
    """Give h of the active steps (N, H) after the projected input z, and the state after the window."""
    h_NH, h_SBH, C_BH = cast("tuple[Tensor, Tensor, Tensor]", _Recurrence.apply(z_TB6H, U, U_A, course, before))
    h_SBH, C_BH = h_SBH.detach(), C_BH.detach()
    return h_NH, Before(h_SBH[-course.kept :], h_SBH[-1], C_BH)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z_TB6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before  # noqa: ANN401 - torch's
    ) -> tuple[Tensor, Tensor, Tensor]:
        T, B, P, H = *z_TB6H.shape[:2], len(before.past_PBH), U.shape[1]
        h_SBH = torch.cat([before.past_PBH, U.new_zeros(T, B, H)])
        gate_TB6H, C_TBH, h_A_TBH = U.new_zeros(T, B, 6, H), U.new_zeros(T, B, H), z_TB6H.new_zeros(T, B, H)
        rest_TB1, left_TB1 = course.factors(U.dtype)
        U, U_A = U.to(z_TB6H.dtype), U_A.to(z_TB6H.dtype)
        h_nH, C_nH = before.h_BH, before.C_BH
        for step, n in enumerate(course.active):
            z_n6H, gate_n6H = z_TB6H[step, :n], gate_TB6H[step, :n]
            flat_n6H = gate_n6H.view(n, 6 * H)
            flat_n6H[:, : 4 * H].copy_(_product(h_nH[:n], U)).add_(z_n6H[:, : 4 * H])
            gate_n6H[:, :_C].sigmoid_()
            gate_n6H[:, _C].tanh_()
            after_nH = C_nH[:n] * gate_n6H[:, _F] * left_TB1[step, :n]
            after_nH.addcmul_(gate_n6H[:, _I] * rest_TB1[step, :n], gate_n6H[:, _C])
            if course.attention:
                first = max(0, P + step - course.kept)
                weights_n1S = course.weights_BTS[:n, step : step + 1, first : P + step]
                h_A_TBH[step, :n] = torch.bmm(weights_n1S, h_SBH[first : P + step, :n].transpose(0, 1))[:, 0]
                flat_n6H[:, 4 * H :].copy_(_product(h_A_TBH[step, :n], U_A)).add_(z_n6H[:, 4 * H :])
                after_nH.addcmul_(gate_n6H[:, _AI].sigmoid_(), gate_n6H[:, _AC].tanh_())
            C_TBH[step, :n] = C_nH = after_nH
            h_SBH[P + step, :n] = h_nH = gate_n6H[:, _O] * after_nH.tanh()
        ctx.save_for_backward(U, U_A, gate_TB6H, h_SBH, C_TBH, h_A_TBH)
        ctx.course, ctx.before = course, before
        ctx.mark_non_differentiable(h_SBH, C_TBH)
        h_NH = torch.cat([h_SBH[P + step, :n] for step, n in enumerate(course.active)])
        return h_NH, h_SBH, C_TBH[-1]

    @staticmethod
    def backward(ctx: Any, slope_NH: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's
        U, U_A, gate_TB6H, h_SBH, C_TBH, h_A_TBH = ctx.saved_tensors
        course, before = ctx.course, ctx.before
        T, B, _, H = gate_TB6H.shape
        P = len(h_SBH) - T
        h_before_TBH = torch.cat([before.h_BH[None], h_SBH[P:-1]]).to(U.dtype)
        C_before_TBH = torch.cat([before.C_BH[None], C_TBH[:-1]])
        of_z_TB6H, of_C_TBH, left_TBH = _slopes(gate_TB6H, C_TBH, C_before_TBH, course)
        slope_h_BH, slope_C_BH = slope_NH.new_zeros(B, H), slope_NH.new_zeros(B, H)
        slope_A_TBH = slope_NH.new_zeros(T, B, H)
        U_turned, U_A_turned = _turned(U), _turned(U_A)
        end = len(slope_NH)
        for step in range(T - 1, -1, -1):
            n = course.active[step]
            slope_h_nH = slope_h_BH[:n].add_(slope_NH[end - n : end])
            end -= n
            last = min(T, step + 1 + course.kept)
            if course.attention and step + 1 < last:
                weights_n1T = course.weights_BTS[:n, step + 1 : last, P + step][:, None]
                slope_h_nH += torch.bmm(weights_n1T, slope_A_TBH[step + 1 : last, :n].transpose(0, 1))[:, 0]
            slope_C_nH = slope_C_BH[:n].addcmul_(slope_h_nH, of_C_TBH[step, :n])
            slope_n6H = of_z_TB6H[step, :n]
            slope_n6H[:, _O] *= slope_h_nH
            for gates in (slice(_I, _O), slice(_C, _AC + 1)):
                slope_n6H[:, gates] *= slope_C_nH[:, None]
            slope_C_nH *= left_TBH[step, :n]
            flat_n6H = slope_n6H.flatten(1)
            slope_h_nH.copy_(_product(flat_n6H[:, : 4 * H], U_turned))
            if course.attention:
                slope_A_TBH[step, :n] = _product(flat_n6H[:, 4 * H :], U_A_turned)
        slope_TB6H = of_z_TB6H.flatten(2).to(U.dtype)
        flat_K6H = slope_TB6H.flatten(0, 1)
        slope_U = flat_K6H[:, : 4 * H].T @ h_before_TBH.flatten(0, 1)
        slope_U_A = flat_K6H[:, 4 * H :].T @ h_A_TBH.flatten(0, 1)
        return slope_TB6H, slope_U.to(slope_NH.dtype), slope_U_A.to(slope_NH.dtype), None, None


def _slopes(gate_TB6H: Tensor, C_TBH: Tensor, C_before_TBH: Tensor, course: Course) -> tuple[Tensor, Tensor, Tensor]:
    """What the slope of C (of h for the gate o) is multiplied by to be that of z; of C in h; what is left of the C before.

    Zero at steps that are not active, where all gates are zero.
    """
    i, f, o, c, a_i, a_c = gate_TB6H.unbind(2)
    rest_TB1, left_TB1 = course.factors(C_TBH.dtype)
    tanh_C = C_TBH.tanh()
    of_z = torch.stack([
        c * rest_TB1 * i * (1 - i), C_before_TBH * left_TB1 * f * (1 - f), tanh_C * o * (1 - o), i * rest_TB1 * (1 - c * c),
        a_c * a_i * (1 - a_i), a_i * (1 - a_c * a_c),
    ], dim=2)  # fmt: skip
    return of_z, o * (1 - tanh_C * tanh_C), f * left_TB1


def _product(x_nK: Tensor, W_MK: Tensor) -> Tensor:
    """The product x W^T. In bfloat16 the weights come first: as the second factor they would be packed anew at every step."""
    if W_MK.dtype == torch.bfloat16:
        return (W_MK @ x_nK.to(W_MK.dtype).T).T
    return x_nK @ W_MK.T


def _turned(W_MK: Tensor) -> Tensor:
    """W^T as `_product` likes it."""
    return W_MK.T.contiguous() if W_MK.dtype == torch.bfloat16 else W_MK.T

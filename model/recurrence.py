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
_SIGMOIDS, _TANHS = (slice(_I, _C), _AI), (_C, _AC)


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
        T, B, P, H, dtype = *z_TB6H.shape[:2], len(before.past_PBH), U.shape[1], U.dtype
        U, U_A = U.to(z_TB6H.dtype), U_A.to(z_TB6H.dtype)
        h_SBH = torch.cat([before.past_PBH, before.h_BH.new_zeros(T, B, H)])
        gate_TB6H, C_TBH, h_A_TBH = h_SBH.new_zeros(T, B, 6, H), h_SBH.new_zeros(T, B, H), z_TB6H.new_zeros(T, B, H)
        rest_TB1, left_TB1 = course.factors(dtype)
        h_nH, C_nH = before.h_BH, before.C_BH
        for step, n in enumerate(course.active):
            z_n6H, gate_n6H = z_TB6H[step, :n], gate_TB6H[step, :n]
            z_n4H = torch.addmm(z_n6H[:, : 4 * H], h_nH[:n].to(U.dtype), U.T).to(dtype).view(n, 4, H)
            torch.sigmoid(z_n4H[:, :_C], out=gate_n6H[:, :_C])
            torch.tanh(z_n4H[:, _C], out=gate_n6H[:, _C])
            after_nH = C_nH[:n] * gate_n6H[:, _F] * left_TB1[step, :n]
            after_nH.addcmul_(gate_n6H[:, _I] * rest_TB1[step, :n], gate_n6H[:, _C])
            if course.attention:
                first = max(0, P + step - course.kept)
                weights_n1S = course.weights_BTS[:n, step : step + 1, first : P + step]
                h_A_nH = h_A_TBH[step, :n].copy_(torch.bmm(weights_n1S, h_SBH[first : P + step, :n].transpose(0, 1))[:, 0])
                z_n2H = torch.addmm(z_n6H[:, 4 * H :], h_A_nH, U_A.T).to(dtype).view(n, 2, H)
                torch.sigmoid(z_n2H[:, 0], out=gate_n6H[:, _AI])
                torch.tanh(z_n2H[:, 1], out=gate_n6H[:, _AC])
                after_nH.addcmul_(gate_n6H[:, _AI], gate_n6H[:, _AC])
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
        rest_TB1, left_TB1 = course.factors(slope_NH.dtype)
        slope_TB6H = U.new_zeros(T, B, 6, H)
        slope_h_BH, slope_C_BH = slope_NH.new_zeros(B, H), slope_NH.new_zeros(B, H)
        slope_A_TBH = slope_NH.new_zeros(T, B, H)
        end = len(slope_NH)
        for step in range(T - 1, -1, -1):
            n = course.active[step]
            slope_h_nH, slope_C_nH = slope_h_BH[:n].add_(slope_NH[end - n : end]), slope_C_BH[:n]
            end -= n
            last = min(T, step + 1 + course.kept)
            if course.attention and step + 1 < last:
                weights_n1T = course.weights_BTS[:n, step + 1 : last, P + step][:, None]
                slope_h_nH += torch.bmm(weights_n1T, slope_A_TBH[step + 1 : last, :n].transpose(0, 1))[:, 0]
            gate_n6H, C_before_nH = gate_TB6H[step, :n], (C_TBH[step - 1] if step else before.C_BH)[:n]
            i, f, o, c, a_i, a_c = gate_n6H.unbind(1)
            tanh_nH = C_TBH[step, :n].tanh()
            slope_C_nH += torch.ops.aten.tanh_backward(slope_h_nH * o, tanh_nH)
            taken_nH, left_nH = slope_C_nH * rest_TB1[step, :n], slope_C_nH * left_TB1[step, :n]
            of_gate_n6H = torch.stack([
                taken_nH * c, left_nH * C_before_nH, slope_h_nH * tanh_nH, taken_nH * i, slope_C_nH * a_c, slope_C_nH * a_i
            ], dim=1)  # fmt: skip
            slope_C_nH.copy_(left_nH * f)
            slope_n6H = slope_TB6H[step, :n]
            for gates in _SIGMOIDS:
                slope_n6H[:, gates] = torch.ops.aten.sigmoid_backward(of_gate_n6H[:, gates], gate_n6H[:, gates])
            for gate in _TANHS:
                slope_n6H[:, gate] = torch.ops.aten.tanh_backward(of_gate_n6H[:, gate], gate_n6H[:, gate])
            flat_n6H = slope_n6H.flatten(1)
            slope_h_nH.copy_(flat_n6H[:, : 4 * H] @ U)
            if course.attention:
                slope_A_TBH[step, :n] = flat_n6H[:, 4 * H :] @ U_A
        slope_TB6H = slope_TB6H.flatten(2)
        flat_K6H, h_before_TBH = slope_TB6H.flatten(0, 1), torch.cat([before.h_BH[None], h_SBH[P:-1]]).to(U.dtype)
        slope_U = flat_K6H[:, : 4 * H].T @ h_before_TBH.flatten(0, 1)
        slope_U_A = flat_K6H[:, 4 * H :].T @ h_A_TBH.flatten(0, 1)
        return slope_TB6H, slope_U.to(slope_NH.dtype), slope_U_A.to(slope_NH.dtype), None, None

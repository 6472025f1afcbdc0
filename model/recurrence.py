"""The recurrence of eq. 3, 5-7 over a window of padded sequences, forwards, and backwards in closed form.

Autograd would keep two dozen small tensors a step and make a gradient of each past step that attention sees. Written out, a step
backwards takes a handful of operations, and the gradients of U and U_A are one product each.

Legend: B users, T steps, n users active at a step (the first ones), H hidden, P steps before the window that attention sees,
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
        """What the input and the forget gate are multiplied by, (B, T, 1) each."""
        g_BT1 = self.g_BT[..., None]
        if not self.time_gates:
            g_BT1 = torch.ones_like(g_BT1)
            return g_BT1.to(dtype), g_BT1.to(dtype)
        # 1 - g is taken before rounding: for a short gap it is the small one.
        return (1 - g_BT1).to(dtype), g_BT1.to(dtype)


@dataclass(frozen=True, slots=True)
class Before:
    """State before a window: h of the P steps that attention sees (B, P, H), the last h and C (B, H). No gradient goes there."""

    past_BPH: Tensor
    h_BH: Tensor
    C_BH: Tensor


def recur(z_BT6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before) -> tuple[Tensor, Before]:
    """Give h of the active steps (N, H) after the projected input z, and the state after the window."""
    h_NH, h_BSH, C_BH = cast("tuple[Tensor, Tensor, Tensor]", _Recurrence.apply(z_BT6H, U, U_A, course, before))
    h_BSH, C_BH = h_BSH.detach(), C_BH.detach()
    return h_NH, Before(h_BSH[:, -course.kept :], h_BSH[:, -1], C_BH)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z_BT6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before  # noqa: ANN401 - torch's
    ) -> tuple[Tensor, Tensor, Tensor]:
        B, T, P, H = *z_BT6H.shape[:2], *before.past_BPH.shape[1:]
        h_BSH = torch.cat([before.past_BPH, z_BT6H.new_zeros(B, T, H)], dim=1)
        gate_BT6H, C_BTH, h_A_BTH = z_BT6H.new_zeros(B, T, 6, H), z_BT6H.new_zeros(B, T, H), z_BT6H.new_zeros(B, T, H)
        rest_BT1, left_BT1 = course.factors(z_BT6H.dtype)
        h_nH, C_nH = before.h_BH, before.C_BH
        for step, n in enumerate(course.active):
            z_n6H, gate_n6H = z_BT6H[:n, step], gate_BT6H[:n, step]
            z_n4H = torch.addmm(z_n6H[:, : 4 * H], h_nH[:n], U.T).view(n, 4, H)
            torch.sigmoid(z_n4H[:, :_C], out=gate_n6H[:, :_C])
            torch.tanh(z_n4H[:, _C], out=gate_n6H[:, _C])
            after_nH = C_nH[:n] * gate_n6H[:, _F] * left_BT1[:n, step]
            after_nH.addcmul_(gate_n6H[:, _I] * rest_BT1[:n, step], gate_n6H[:, _C])
            if course.attention:
                first = max(0, P + step - course.kept)
                weights_n1S = course.weights_BTS[:n, step : step + 1, first : P + step]
                h_A_nH = torch.bmm(weights_n1S, h_BSH[:n, first : P + step])[:, 0]
                z_n2H = torch.addmm(z_n6H[:, 4 * H :], h_A_nH, U_A.T).view(n, 2, H)
                torch.sigmoid(z_n2H[:, 0], out=gate_n6H[:, _AI])
                torch.tanh(z_n2H[:, 1], out=gate_n6H[:, _AC])
                after_nH.addcmul_(gate_n6H[:, _AI], gate_n6H[:, _AC])
                h_A_BTH[:n, step] = h_A_nH
            C_BTH[:n, step] = C_nH = after_nH
            h_BSH[:n, P + step] = h_nH = gate_n6H[:, _O] * after_nH.tanh()
        ctx.save_for_backward(U, U_A, gate_BT6H, h_BSH, C_BTH, h_A_BTH)
        ctx.course, ctx.before = course, before
        ctx.mark_non_differentiable(h_BSH, C_BTH)
        h_NH = torch.cat([h_BSH[:n, P + step] for step, n in enumerate(course.active)])
        return h_NH, h_BSH, C_BTH[:, -1]

    @staticmethod
    def backward(ctx: Any, slope_NH: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's
        U, U_A, gate_BT6H, h_BSH, C_BTH, h_A_BTH = ctx.saved_tensors
        course, before = ctx.course, ctx.before
        B, T, _, H = gate_BT6H.shape
        P = h_BSH.shape[1] - T
        h_before_BTH = torch.cat([before.h_BH[:, None], h_BSH[:, P:-1]], dim=1)
        C_before_BTH = torch.cat([before.C_BH[:, None], C_BTH[:, :-1]], dim=1)
        slope_BT6H, of_C_BTH, left_BTH = _slopes(gate_BT6H, C_BTH, C_before_BTH, course)
        slope_h_BH, slope_C_BH = slope_NH.new_zeros(B, H), slope_NH.new_zeros(B, H)
        slope_A_BTH = slope_NH.new_zeros(B, T, H)
        end = len(slope_NH)
        for step in range(T - 1, -1, -1):
            n = course.active[step]
            slope_h_nH = slope_h_BH[:n].add_(slope_NH[end - n : end])
            end -= n
            last = min(T, step + 1 + course.kept)
            if course.attention and step + 1 < last:
                weights_n1T = course.weights_BTS[:n, step + 1 : last, P + step][:, None]
                slope_h_nH += torch.bmm(weights_n1T, slope_A_BTH[:n, step + 1 : last])[:, 0]
            slope_C_nH = slope_C_BH[:n].addcmul_(slope_h_nH, of_C_BTH[:n, step])
            slope_n6H = slope_BT6H[:n, step]
            slope_n6H[:, _O] *= slope_h_nH
            for gates in (slice(_I, _O), slice(_C, _AC + 1)):
                slope_n6H[:, gates] *= slope_C_nH[:, None]
            slope_C_nH *= left_BTH[:n, step]
            flat_n6H = slope_n6H.flatten(1)
            torch.mm(flat_n6H[:, : 4 * H], U, out=slope_h_nH)
            if course.attention:
                slope_A_BTH[:n, step] = flat_n6H[:, 4 * H :] @ U_A
        slope_BT6H = slope_BT6H.flatten(2)
        flat_K6H = slope_BT6H.flatten(0, 1)
        slope_U = flat_K6H[:, : 4 * H].T @ h_before_BTH.flatten(0, 1)
        slope_U_A = flat_K6H[:, 4 * H :].T @ h_A_BTH.flatten(0, 1)
        return slope_BT6H, slope_U, slope_U_A, None, None


def _slopes(gate_BT6H: Tensor, C_BTH: Tensor, C_before_BTH: Tensor, course: Course) -> tuple[Tensor, Tensor, Tensor]:
    """What the slope of C (of h for the gate o) is multiplied by to be that of z; of C in h; what is left of the C before.

    Zero at steps that are not active, where all gates are zero.
    """
    i, f, o, c, a_i, a_c = gate_BT6H.unbind(2)
    rest_BT1, left_BT1 = course.factors(C_BTH.dtype)
    tanh_C = C_BTH.tanh()
    of_z = torch.stack([
        c * rest_BT1 * i * (1 - i), C_before_BTH * left_BT1 * f * (1 - f), tanh_C * o * (1 - o), i * rest_BT1 * (1 - c * c),
        a_c * a_i * (1 - a_i), a_i * (1 - a_c * a_c),
    ], dim=2)  # fmt: skip
    return of_z, o * (1 - tanh_C * tanh_C), f * left_BT1

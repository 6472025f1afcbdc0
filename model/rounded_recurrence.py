"""The recurrence of a fit on the processor: products in bfloat16, all else compiled (model/recurrence_kernels.py).

What model/recurrence.py does in some fifteen operations of torch a step is a call or two here.

Legend: T steps, B users, n active at a step (the first ones), H hidden, P steps before the window that attention sees, S = P + T.
K = 6 H, O = 4 H: what is made of h; R = 2 H: what is made of h_A. Z = T + 1: the state before each step, and after the last.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.course import Before, Course
from model.recurrence_kernels import Codes, put_read, put_slopes, put_step


class RoundedRecurrence(torch.autograd.Function):
    """The recurrence as torch differentiates it; z is (T, B, 6H) in bfloat16, all else in float32."""

    @staticmethod
    def forward(
        ctx: Any, z_TBK: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before  # noqa: ANN401 - torch's
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The h of the active steps (N, H), all h that attention may see (S, B, H), and the last C (B, H)."""
        T, B, P, H = *z_TBK.shape[:2], len(before.past_PBH), U.shape[1]
        h_SBH = torch.cat([before.past_PBH, U.new_zeros(T, B, H)])
        C_ZBH, h_ZBH = (torch.cat([one_BH[None], U.new_zeros(T, B, H)]) for one_BH in (before.C_BH, before.h_BH))
        h_ZBH, h_A_TBH = h_ZBH.to(z_TBK.dtype), z_TBK.new_zeros(T, B, H)
        gate_TBK = U.new_empty(z_TBK.shape) if course.attention else U.new_zeros(z_TBK.shape)  # what is not active is not read
        factors_TB = [one_TB1[..., 0].contiguous() for one_TB1 in course.factors(U.dtype)]
        U, U_A = U.to(z_TBK.dtype), U_A.to(z_TBK.dtype)
        z, h_codes, h_A_codes = (_codes(one) for one in (z_TBK, h_ZBH, h_A_TBH))
        rest, left, gate, C, h, weights = (_array(one) for one in (*factors_TB, gate_TBK, C_ZBH, h_SBH, course.weights_BTS))
        for steps, n in course.stretches():
            of_h_On, of_h_A_Rn = z_TBK.new_empty(4 * H, n), z_TBK.new_empty(2 * H if course.attention else 0, n)
            of_h, of_h_A = _codes(of_h_On), _codes(of_h_A_Rn)
            h_Hn, h_A_Hn = (one_TBH[steps, :n].transpose(1, 2).unbind() for one_TBH in (h_ZBH, h_A_TBH))
            for at, step in enumerate(range(steps.start, steps.stop)):
                torch.mm(U, h_Hn[at], out=of_h_On)
                if course.attention:
                    put_read(step, n, course.kept, weights, h, h_A_codes)
                    torch.mm(U_A, h_A_Hn[at], out=of_h_A_Rn)
                put_step(step, of_h, of_h_A, z, rest, left, gate, C, h, h_codes)
        ctx.save_for_backward(U, U_A, gate_TBK, C_ZBH, h_ZBH, h_A_TBH, *factors_TB)
        ctx.course = course
        ctx.mark_non_differentiable(h_SBH, C_ZBH)
        return course.only_active(h_SBH[P:]), h_SBH, C_ZBH[-1]

    @staticmethod
    def backward(ctx: Any, slope_NH: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's
        """Gradients of z, U and U_A."""
        U, U_A, gate_TBK, C_ZBH, h_ZBH, h_A_TBH, *factors_TB = ctx.saved_tensors
        course: Course = ctx.course
        T, B, H = h_A_TBH.shape
        own_TBO, read_TBR = U.new_zeros(T, B, 4 * H), U.new_zeros(T, B, 2 * H)
        slope_C_BH, slope_A_TBH = slope_NH.new_zeros(B, H), slope_NH.new_zeros(T, B, H)
        rest, left, gate, C, weights = (_array(one) for one in (*factors_TB, gate_TBK, C_ZBH, course.weights_BTS))
        given, slope_C, slope_A = (_array(one) for one in (slope_NH, slope_C_BH, slope_A_TBH))
        own, read, kept = _codes(own_TBO), _codes(read_TBR), course.kept if course.attention else 0
        U_HO, U_A_HR, end = U.T.contiguous(), U_A.T.contiguous(), len(slope_NH)
        of_own = of_read = _codes(U.new_empty(H, 0))
        for steps, n in reversed(course.stretches()):
            of_own_Hn, of_read_Hn = U.new_empty(H, n), U.new_empty(H, n if course.attention else 0)
            own_On, read_Rn = (one[steps, :n].transpose(1, 2).unbind() for one in (own_TBO, read_TBR))
            for at in range(len(own_On) - 1, -1, -1):
                start = end - n
                put_slopes(
                    steps.start + at, given[start:end], of_own, of_read, kept, weights, rest, left, gate, C, slope_C, slope_A, own,
                    read,
                )  # fmt: skip
                torch.mm(U_HO, own_On[at], out=of_own_Hn)
                if course.attention:
                    torch.mm(U_A_HR, read_Rn[at], out=of_read_Hn)
                of_own, of_read, end = _codes(of_own_Hn), _codes(of_read_Hn), start
        slope_U = own_TBO.flatten(0, 1).T @ h_ZBH[:-1].flatten(0, 1)
        slope_U_A = read_TBR.flatten(0, 1).T @ h_A_TBH.flatten(0, 1)
        return torch.cat([own_TBO, read_TBR], dim=2), slope_U.to(slope_NH.dtype), slope_U_A.to(slope_NH.dtype), None, None


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.asarray(values.detach().contiguous().numpy(), np.float32)


def _codes(values: Tensor) -> Codes:
    return np.asarray(values.detach().view(torch.uint16).numpy())

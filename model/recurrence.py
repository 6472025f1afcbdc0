"""The recurrence of eq. 3, 5-7 over a window of padded sequences, forwards, and backwards in closed form.

Autograd would keep two dozen small tensors a step and make a gradient of each past step that attention sees. Written out, a step
backwards takes a handful of operations, and the gradients of U and U_A are one product each. Time comes first, so that a step lies
in one piece. Products are of the dtype of z, which may be a shorter one; all else is of the dtype of the weights.

Legend: T steps, B users, n users active at a step (the first ones), H hidden, P steps before the window that attention sees,
S = P + T, N active (user, step) pairs, step by step. Gates in the network's order: i, f, o, c, Ai, Ac.
"""

from typing import Any, cast

import torch
from torch import Tensor

from model.course import Before, Course
from model.rounded_recurrence import RoundedRecurrence

_I, _F, _O, _C, _AI, _AC = range(6)


def recur(z_TB6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before) -> tuple[Tensor, Before]:
    """Give h of the active steps (N, H) after the projected input z, and the state after the window."""
    compiled = (z_TB6H.dtype, U.dtype, U.device.type) == (torch.bfloat16, torch.float32, "cpu")
    recurrence = RoundedRecurrence if compiled else Recurrence
    h_NH, h_SBH, C_BH = cast("tuple[Tensor, Tensor, Tensor]", recurrence.apply(z_TB6H, U, U_A, course, before))
    h_SBH, C_BH = h_SBH.detach(), C_BH.detach()
    return h_NH, Before(h_SBH[-course.kept :], h_SBH[-1], C_BH)


class Recurrence(torch.autograd.Function):
    """The recurrence as torch differentiates it, in torch's operations."""

    # Views of all steps with the same users are made at once: one by one they would take as long as what is done with them.

    @staticmethod
    def forward(
        ctx: Any, z_TB6H: Tensor, U: Tensor, U_A: Tensor, course: Course, before: Before  # noqa: ANN401 - torch's
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The h of the active steps (N, H), all h that attention may see (S, B, H), and the last C (B, H)."""
        T, B, P, H = *z_TB6H.shape[:2], len(before.past_PBH), U.shape[1]
        h_SBH = torch.cat([before.past_PBH, U.new_zeros(T, B, H)])
        gate_TB6H, C_TBH, h_A_TBH = U.new_zeros(T, B, 6, H), U.new_zeros(T, B, H), z_TB6H.new_zeros(T, B, H)
        rest_TB1, left_TB1 = course.factors(U.dtype)
        U, U_A = U.to(z_TB6H.dtype), U_A.to(z_TB6H.dtype)
        h_nH, C_nH = before.h_BH, before.C_BH
        for steps, n in course.stretches():
            gate_Tn6H, z_TnK = gate_TB6H[steps, :n], z_TB6H[steps, :n]
            i, f, o, c, a_i, a_c = (one_TnH.unbind() for one_TnH in gate_Tn6H.unbind(2))
            sigmoid, own, read = (gate_Tn6H[:, :, gates].flatten(2).unbind() for gates in (slice(_C), slice(_AI), slice(_AI, None)))
            own_z, read_z = z_TnK[..., : _AI * H].unbind(), z_TnK[..., _AI * H :].unbind()
            rest, left, C_after, h_after, h_A = (
                one_TBH[steps, :n].unbind() for one_TBH in (rest_TB1, left_TB1, C_TBH, h_SBH[P:], h_A_TBH)
            )
            weights_n1S, seen_nSH = course.weights_BTS[:n, steps, None].unbind(1), h_SBH[:, :n].transpose(0, 1)
            h_nH, C_nH = h_nH[:n], C_nH[:n]
            for at, step in enumerate(range(steps.start, steps.stop)):
                own[at].copy_(_product(h_nH, U)).add_(own_z[at])
                sigmoid[at].sigmoid_()
                c[at].tanh_()
                C_nH = torch.mul(C_nH, f[at], out=C_after[at]).mul_(left[at]).addcmul_(i[at] * rest[at], c[at])
                if course.attention:
                    kept = min(P + step, course.kept)
                    first = P + step - kept
                    h_A[at][:, None].copy_(torch.bmm(weights_n1S[at].narrow(2, first, kept), seen_nSH.narrow(1, first, kept)))
                    read[at].copy_(_product(h_A[at], U_A)).add_(read_z[at])
                    C_nH.addcmul_(a_i[at].sigmoid_(), a_c[at].tanh_())
                h_nH = torch.mul(o[at], C_nH.tanh(), out=h_after[at])
        ctx.save_for_backward(U, U_A, gate_TB6H, h_SBH, C_TBH, h_A_TBH)
        ctx.course, ctx.before = course, before
        ctx.mark_non_differentiable(h_SBH, C_TBH)
        return course.only_active(h_SBH[P:]), h_SBH, C_TBH[-1]

    @staticmethod
    def backward(ctx: Any, slope_NH: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's
        """Gradients of z, U and U_A."""
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
        for steps, n in reversed(course.stretches()):
            start = end - n * (steps.stop - steps.start)
            given = slope_NH[start:end].reshape(-1, n, H).unbind()
            end = start
            of_z_Tn6H = of_z_TB6H[steps, :n]
            own, read = (of_z_Tn6H[:, :, gates].flatten(2).unbind() for gates in (slice(_AI), slice(_AI, None)))
            i_f, o, c_a = (of_z_Tn6H[:, :, gates].unbind() for gates in (slice(_O), _O, slice(_C, None)))
            of_C, left, slope_A = (one_TBH[steps, :n].unbind() for one_TBH in (of_C_TBH, left_TBH, slope_A_TBH))
            weights_n1T = course.weights_BTS[:n, None, :, P:][..., steps].unbind(3)
            slope_A_nTH = slope_A_TBH[:, :n].transpose(0, 1)
            slope_h_nH, slope_C_nH = slope_h_BH[:n], slope_C_BH[:n]
            slope_h_n1H, slope_C_n1H = slope_h_nH[:, None], slope_C_nH[:, None]
            for at, step in zip(range(len(given) - 1, -1, -1), range(steps.stop - 1, steps.start - 1, -1), strict=True):
                slope_h_nH += given[at]
                after = min(T - step - 1, course.kept)
                if course.attention and after:
                    slope_h_n1H += torch.bmm(weights_n1T[at].narrow(2, step + 1, after), slope_A_nTH.narrow(1, step + 1, after))
                slope_C_nH.addcmul_(slope_h_nH, of_C[at])
                o[at].mul_(slope_h_nH)
                i_f[at].mul_(slope_C_n1H)
                c_a[at].mul_(slope_C_n1H)
                slope_C_nH *= left[at]
                slope_h_nH.copy_(_product(own[at], U_turned))
                if course.attention:
                    slope_A[at].copy_(_product(read[at], U_A_turned))
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
    of_z_TB6H = torch.empty_like(gate_TB6H)
    of_z = of_z_TB6H.unbind(2)
    torch.mul(c * rest_TB1 * i, 1 - i, out=of_z[_I])
    torch.mul(C_before_TBH * left_TB1 * f, 1 - f, out=of_z[_F])
    torch.mul(tanh_C * o, 1 - o, out=of_z[_O])
    torch.mul(i * rest_TB1, 1 - c * c, out=of_z[_C])
    torch.mul(a_c * a_i, 1 - a_i, out=of_z[_AI])
    torch.mul(a_i, 1 - a_c * a_c, out=of_z[_AC])
    return of_z_TB6H, o * (1 - tanh_C * tanh_C), f * left_TB1


def _product(x_nK: Tensor, W_MK: Tensor) -> Tensor:
    """The product x W^T. In bfloat16 the weights come first: as the second factor they would be packed anew at every step."""
    if W_MK.dtype == torch.bfloat16:
        return (W_MK @ x_nK.to(W_MK.dtype).T).T
    return x_nK @ W_MK.T


def _turned(W_MK: Tensor) -> Tensor:
    """W^T as `_product` likes it."""
    return W_MK.T.contiguous() if W_MK.dtype == torch.bfloat16 else W_MK.T

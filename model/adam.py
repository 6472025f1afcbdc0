"""Adam without momentum (beta_1 = 0), its second moments carried from the offline fit through every lesson and every restart.

A fresh Adam's first step would be rate * sign(gradient) on all weights, most of which the event says nothing about (default 13).
Momentum spreads what a lesson teaches over the ten after it, when its items have gone by: without it the published model is far
more accurate where items drift, as accurate where they do not (README), and there is half as much to keep.
Rows of users are updated only when the user is in the lesson, each with its own count of updates: a wave then costs the same
with a thousand users and with a million, and nobody's vector moves on somebody else's account.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from model.rows import with_rows

BETA_2 = 0.999
EPSILON = 1e-8
_BLOCK = 4096  # rows of a gradient formed at once: at H = 400 a quarter less time than all 13,829


def clip_scale(squared: float, clip_norm: float) -> float:
    """What gradients of this squared norm are multiplied by, so that their norm is `clip_norm` at most."""
    return clip_norm / math.sqrt(squared) if squared > clip_norm**2 else 1.0


class Moments:
    """Second moments by parameter name, and the counts of updates."""

    def __init__(self, parameters: dict[str, Tensor], user_parameter: str) -> None:
        self._user = user_parameter
        self.second = {name: torch.zeros_like(one) for name, one in parameters.items()}
        self.count = torch.zeros((), dtype=torch.float32)
        self.user_count_U = torch.zeros(len(parameters[user_parameter]), dtype=torch.float64)

    def grow(self, name: str, count: int) -> None:
        """Zero moments for new rows of a parameter."""
        self.second[name] = with_rows(self.second[name], count)
        if name == self._user:
            self.user_count_U = with_rows(self.user_count_U, count)

    def forget(self, name: str, row: int) -> None:
        """The row belongs to a newcomer from now on."""
        self.second[name][row] = 0
        if name == self._user:
            self.user_count_U[row] = 0

    def update(self, parameters: Sequence[tuple[str, Tensor, Tensor]], rate: float, scale: float = 1.0) -> None:
        """One fused step on (name, parameter, gradient times `scale`). Does not count: `counted` ends the update of a lesson."""
        self._fused(
            [one.detach() for _, one, _ in parameters], [gradient for _, _, gradient in parameters],
            [self.second[name] for name, _, _ in parameters], rate, scale,
        )  # fmt: skip

    def update_product(self, name: str, parameter: Tensor, left_BI: Tensor, right_BH: Tensor, rate: float) -> None:
        """One step on a parameter (I, H) with the gradient left^T right, which is formed block by block while it is in the cache."""
        second, whole = self.second[name], parameter.detach()
        block = right_BH.new_empty(min(_BLOCK, len(whole)), right_BH.shape[1])
        for start in range(0, len(whole), _BLOCK):
            rows = slice(start, min(start + _BLOCK, len(whole)))
            gradient = torch.mm(left_BI[:, rows].T, right_BH, out=block[: rows.stop - start])
            self._fused([whole[rows]], [gradient], [second[rows]], rate)

    def counted(self) -> None:
        """The update of a lesson is complete."""
        self.count += 1

    def _fused(
        self, parameters: list[Tensor], gradients: list[Tensor], second: list[Tensor], rate: float, scale: float = 1.0
    ) -> None:
        counts = [self.count.clone() for _ in parameters]  # the function counts in these
        adam(  # without momentum the first moments are the gradients
            parameters, gradients, gradients, second, [], counts,
            foreach=False, capturable=False, differentiable=False, fused=True, has_complex=False,
            grad_scale=None if scale == 1.0 else torch.tensor(1 / scale),
            amsgrad=False, beta1=0.0, beta2=BETA_2, lr=rate, weight_decay=0.0, eps=EPSILON, maximize=False,
        )  # fmt: skip

    def update_users(self, E_user: Tensor, row_B: Tensor, gradient_Bk: Tensor, rate: float) -> None:
        """One step on the rows of the users in a lesson; the rows are distinct."""
        name = self._user
        count_B1 = self.user_count_U[row_B, None] + 1
        second_Bk = torch.lerp(self.second[name][row_B], gradient_Bk.square(), 1 - BETA_2)
        scale_B1 = (1 - BETA_2**count_B1).sqrt().to(E_user.dtype)
        E_user[row_B] -= rate * gradient_Bk / (second_Bk.sqrt() / scale_B1 + EPSILON)
        self.second[name][row_B] = second_Bk
        self.user_count_U[row_B] = count_B1[:, 0]

"""What the heads of the network see of h: its part in the directions in which W_r is largest.

Of a wide h only some directions say which item: W_r h is W_r V V^T h but for the smallest of its singular values, where V holds those
of the largest. The heads learn W = W_r V instead of W_r, at a cost that no longer grows with h. A narrow h is seen whole.

Legend: I items, H hidden, D directions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model.blend.passes import to_softmax_slopes

DIRECTIONS = 64


class View:
    """V (H, D): orthonormal columns."""

    def __init__(self, V_HD: Tensor) -> None:
        self.V_HD = V_HD

    @classmethod
    def of(cls, W_IH: Tensor) -> "View":
        """The view of the rows that a trained W_r has."""
        hidden = W_IH.shape[1]
        if hidden <= DIRECTIONS:
            return cls(torch.eye(hidden, dtype=W_IH.dtype))
        wide_IH = W_IH.detach().to(torch.float64)
        _, V_HH = torch.linalg.eigh(wide_IH.T @ wide_IH)  # by value, the largest last
        return cls(V_HH[:, -DIRECTIONS:].to(W_IH.dtype).contiguous())

    def seen(self, h_BH: Tensor) -> Tensor:
        """What is seen of h, or of rows of W_r, (B, D)."""
        return h_BH @ self.V_HD

    def back(self, slope_BD: Tensor) -> Tensor:
        """The slope by h of a slope by what is seen of it, (B, H)."""
        return slope_BD @ self.V_HD.T


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A softmax over the items in float32, that a cell may learn by."""

    W_ID: Tensor
    b_I: Tensor
    view: View

    def slopes(self, h_BH: Tensor, item_B: Tensor) -> Tensor:
        """The gradient in h of the mean loss of the items taken, (B, H)."""
        logit_BI = self.view.seen(h_BH).to(self.b_I.dtype) @ self.W_ID.T
        to_softmax_slopes(logit_BI.numpy(), self.b_I.numpy(), item_B.numpy(), 1 / len(item_B))
        return self.view.back((logit_BI @ self.W_ID).to(h_BH.dtype))

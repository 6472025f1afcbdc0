"""Output heads at several adaptive rates on the same h (BLEND, recipe 1).

Each head is a copy of the trained W_r, b_r. Head e takes, after each event, the step of its own softmax:

    g_i = 1[i = y] - p_e(i);   G_i += g_i^2 (1 + |h|^2), from .1;   (W_i, b_i) += eta g_i / sqrt(G_i) (h, 1)

AdaGrad with one accumulator an item; items with |g_i| < 1e-5 are left. One outer product, no backpropagation.

Legend: B events, I items, H hidden.
"""

import torch
from torch import Tensor

from model.rows import with_rows

RATES = (0.0, 0.3, 1.0)
_START, _LEAST = 0.1, 1e-5


class Head:
    """One copy; a rate of 0 is the anchor, which never moves."""

    def __init__(self, rate: float, W_IH: Tensor, b_I: Tensor) -> None:
        self.rate = rate
        self.W_IH, self.b_I = W_IH.detach().clone(), b_I.detach().clone()
        self.G_I = torch.full_like(self.b_I, _START)

    def log_shares(self, h_BH: Tensor) -> Tensor:
        """Logarithms of p_e, (B, I)."""
        return torch.log_softmax(torch.addmm(self.b_I, h_BH, self.W_IH.T), dim=1)

    def learn(self, h_H: Tensor, item: int) -> None:
        """One event."""
        if not self.rate:
            return
        g_I = -torch.softmax(torch.addmv(self.b_I, self.W_IH, h_H), dim=0)
        g_I[item] += 1
        (rows,) = torch.nonzero(g_I.abs() >= _LEAST, as_tuple=True)
        g_n = g_I[rows]
        G_n = self.G_I[rows] + g_n.square() * (1 + h_H @ h_H)
        step_n = self.rate * g_n / G_n.sqrt()
        self.G_I[rows] = G_n
        self.W_IH.index_add_(0, rows, step_n[:, None] * h_H)
        self.b_I.index_add_(0, rows, step_n)

    def place(self, row: int, bias: float) -> None:
        """A row for a new item: no weights, a low bias."""
        if row >= len(self.b_I):
            self.W_IH, self.b_I = with_rows(self.W_IH, row + 1), with_rows(self.b_I, row + 1)
            self.G_I = with_rows(self.G_I, row + 1)
        self.W_IH[row], self.b_I[row], self.G_I[row] = 0, bias, _START

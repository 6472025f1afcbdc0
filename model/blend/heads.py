"""Output heads at several adaptive rates on the same h (BLEND, recipe 1).

Each head is a copy of the trained W_r, b_r. Head e takes, after each event, the step of its own softmax:

    g_i = 1[i = y] - p_e(i);   G_i += g_i^2 (1 + |h|^2), from .1;   (W_i, b_i) += eta g_i / sqrt(G_i) (h, 1)

AdaGrad with one accumulator an item; items with |g_i| < 1e-5 are left. Steps are kept apart as what they are, outer products, and
added to W many at a time, because W is far larger than they are: logits are W h + b + sum over the steps apart (h . h_p) s_p.

Legend: B events, I items, H hidden, P steps kept apart.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.rows import with_rows

RATES = (0.0, 0.3, 1.0)
APART = 64
_START, _LEAST = 0.1, 1e-5
Floats = NDArray[np.floating]


class Head:
    """One copy; a rate of 0 is the anchor, which never moves. A head that is not `biased` keeps b as it is."""

    def __init__(self, rate: float, W_IH: Tensor, b_I: Tensor, *, biased: bool = True) -> None:
        self.rate, self.biased = rate, biased
        self.W_IH, self.b_I = W_IH.detach().clone(), b_I.detach().clone()
        self.G_I = torch.full_like(self.b_I, _START)
        self._start_apart()

    def _start_apart(self) -> None:
        self.step_PI, self.h_PH = self.W_IH.new_zeros(0, len(self.b_I)), self.W_IH.new_zeros(0, self.W_IH.shape[1])

    # ---- rank ----

    def logits(self, h_BH: Tensor) -> Tensor:
        """W h + b, (B, I)."""
        logits_BI = torch.addmm(self.b_I, h_BH, self.W_IH.T)
        if len(self.step_PI):
            logits_BI.addmm_(h_BH @ self.h_PH.T, self.step_PI)
        return logits_BI

    def log_shares(self, h_BH: Tensor) -> Tensor:
        """Logarithms of p_e, (B, I)."""
        return torch.log_softmax(self.logits(h_BH), dim=1)

    # ---- learn ----

    def learn(self, h_BH: Tensor, items: Sequence[int], logits_BI: Tensor | None = None) -> None:
        """Events one after the other, each with a fresh softmax; `logits_BI` as they are now, up to a constant a row."""
        if not self.rate:
            return
        for start in range(0, len(items), APART):
            some_BH, some = h_BH[start : start + APART], items[start : start + APART]
            now_BI = logits_BI if logits_BI is not None and not start else self.logits(some_BH)
            steps_BI = self._steps(some_BH, some, now_BI[: len(some)].numpy())
            self.step_PI, self.h_PH = torch.cat([self.step_PI, steps_BI]), torch.cat([self.h_PH, some_BH])
            if self.biased:
                self.b_I += steps_BI.sum(dim=0)
            if len(self.step_PI) >= APART:
                self.add()

    def _steps(self, h_BH: Tensor, items: Sequence[int], logits_BI: Floats) -> Tensor:
        """The steps of events one after the other; those before an event count in its logits."""
        like_BB = (h_BH @ h_BH.T + float(self.biased)).numpy()
        steps_BI, G_I = np.zeros_like(logits_BI), self.G_I.numpy()
        squares_I = np.empty_like(G_I)
        for event, item in enumerate(items):
            g_I = steps_BI[event]
            np.matmul(like_BB[event, :event], steps_BI[:event], out=g_I)
            g_I += logits_BI[event]
            _to_gradient(g_I, item)
            np.multiply(g_I, g_I, out=squares_I)
            squares_I *= like_BB[event, event] + (not self.biased)
            G_I += squares_I
            np.sqrt(G_I, out=squares_I)
            g_I *= self.rate
            g_I /= squares_I
        return torch.from_numpy(steps_BI)

    def add(self) -> None:
        """Add the steps apart to W."""
        if len(self.step_PI):
            self.W_IH.addmm_(self.step_PI.T, self.h_PH)
            self._start_apart()

    # ---- rows ----

    def place(self, row: int, bias: float) -> None:
        """A row for a new item: no weights, a low bias."""
        self.add()
        if row >= len(self.b_I):
            self.W_IH, self.b_I = with_rows(self.W_IH, row + 1), with_rows(self.b_I, row + 1)
            self.G_I = with_rows(self.G_I, row + 1)
            self._start_apart()
        self.W_IH[row], self.b_I[row], self.G_I[row] = 0, bias, _START

    def mend(self, W_IH: Tensor, b_I: Tensor) -> None:
        """Rows that hold no numbers start again from these; so do steps apart and accumulators."""
        self.step_PI, self.h_PH = (torch.nan_to_num(one, 0.0, 0.0, 0.0) for one in (self.step_PI, self.h_PH))
        self.add()
        bad_I = ~(torch.isfinite(self.W_IH).all(dim=1) & torch.isfinite(self.b_I) & torch.isfinite(self.G_I))
        self.W_IH[bad_I], self.b_I[bad_I] = (torch.nan_to_num(one[bad_I], 0.0, 0.0, 0.0) for one in (W_IH, b_I))
        self.G_I[bad_I] = _START


def _to_gradient(logits_I: Floats, item: int) -> None:
    """1[i = y] - p(i) in place of the logits; what is too small to count is zero."""
    logits_I -= logits_I.max()
    np.exp(logits_I, out=logits_I)
    logits_I *= -1 / logits_I.sum()
    logits_I[item] += 1
    logits_I[np.abs(logits_I) < _LEAST] = 0

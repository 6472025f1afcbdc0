"""Output heads: one stays as it was trained, the others learn at adaptive rates (BLEND, recipe 1).

Each head starts as a copy of the trained W_r, b_r, as far as it sees h (model/blend/view.py). Head e takes, after each event, the step
of its own softmax:

    g_i = 1[i = y] - p_e(i);   G_i += g_i^2 (1 + |h|^2), from .1;   (W_i, b_i) += eta g_i / sqrt(G_i) (h, 1)

AdaGrad with one accumulator an item; items with |g_i| < 1e-5 are left. Steps are kept apart as what they are, outer products, and
added to W many at a time, because W is far larger than they are: logits are W h + b + sum over the steps apart (h . h_p) s_p.

Legend: B events, I items, H length of what a head sees (called h here), P steps kept apart.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.passes import to_steps
from model.few import Rounded, put_logits
from model.rows import with_rows
from model.threads import FEW

RATES = (0.0, 1.0)
APART = 64
_MANY = 32
_START, _LEAST = 0.1, 1e-5
Floats = NDArray[np.floating]


class Head:
    """One copy; a rate of 0 is the anchor, which never moves. A head that is not `biased` keeps b as it is."""

    def __init__(self, rate: float, W_IH: Tensor, b_I: Tensor, *, biased: bool = True) -> None:
        self.rate, self.biased = rate, biased
        self.W_IH, self.b_I = (one.detach().to(torch.float32, copy=True) for one in (W_IH, b_I))
        self.G_I = torch.full_like(self.b_I, _START)
        self._start_apart()

    def _start_apart(self) -> None:
        self._step_PI, self._h_PH = self.W_IH.new_zeros(APART, len(self.b_I)), self.W_IH.new_zeros(APART, self.W_IH.shape[1])
        self._apart = 0
        self._rounded, self._is_rounded = Rounded.like(self.W_IH), False

    @property
    def apart(self) -> tuple[Tensor, Tensor]:
        """The steps apart (P, I), and the h of each of them (P, H)."""
        return self._step_PI[: self._apart], self._h_PH[: self._apart]

    def set_apart(self, step_PI: Tensor, h_PH: Tensor) -> None:
        """Take over steps apart, APART at most."""
        self._start_apart()
        self._apart = len(step_PI)
        for own, given in zip(self.apart, (step_PI, h_PH), strict=True):
            own.copy_(given)

    # ---- rank ----

    def logits(self, h_BH: Tensor, out_BI: Tensor | None = None) -> Tensor:
        """W h + b, (B, I), there if told where."""
        if len(h_BH) <= FEW:
            return self._few(h_BH, h_BH.new_empty(len(h_BH), len(self.b_I)) if out_BI is None else out_BI)
        logits_BI = torch.addmm(self.b_I, h_BH, self.W_IH.T, out=out_BI)
        if self._apart:
            step_PI, h_PH = self.apart
            logits_BI.addmm_(h_BH @ h_PH.T, step_PI)
        return logits_BI

    def _few(self, h_BH: Tensor, out_BI: Tensor) -> Tensor:
        if not self._is_rounded:
            self._rounded.put(self.W_IH)
            self._is_rounded = True
        step_PI, h_PH = self.apart
        put_logits(h_BH.numpy(), self._rounded, self.b_I.numpy(), step_PI.numpy(), h_PH.numpy(), out_BI.numpy())
        return out_BI

    def log_shares(self, h_BH: Tensor) -> Tensor:
        """Logarithms of p_e, (B, I)."""
        return torch.log_softmax(self.logits(h_BH), dim=1)

    # ---- learn ----

    def learn(self, h_BH: Tensor, items: Sequence[int], logits: Sequence[Floats] | None = None) -> None:
        """Events one after the other, each with a fresh softmax; `logits`: (I,) of each as they are now, up to a constant."""
        if not self.rate:
            return
        for start in range(0, len(items), APART):
            some_BH, some = h_BH[start : start + APART], items[start : start + APART]
            if self._apart + len(some) > APART:
                self.add()
            now = logits if logits is not None and not start else self.logits(some_BH).numpy()
            before, self._apart = self._apart, self._apart + len(some)
            step_BI, kept_BH = (one[before:] for one in self.apart)
            kept_BH.copy_(some_BH)
            for step_I, logits_I in zip(step_BI.numpy(), now, strict=False):
                step_I[:] = logits_I
            like_BB = (some_BH @ some_BH.T + float(self.biased)).numpy()
            to_steps(
                step_BI.numpy(), like_BB, np.array(some, np.int64), float(not self.biased), self.rate, _LEAST, self.G_I.numpy()
            )
            if self.biased:
                self.b_I += step_BI.sum(dim=0)
        if self._apart >= _MANY:  # dearer to count in the next wave than to add
            self.add()

    def adds(self, events: int) -> bool:
        """Whether learning so many events adds steps to W, which takes far longer than the rest of it."""
        return bool(self.rate) and self._apart + events >= _MANY

    def add(self) -> None:
        """Add the steps apart to W."""
        if self._apart:
            step_PI, h_PH = self.apart
            self.W_IH.addmm_(step_PI.T, h_PH)
            self._apart, self._is_rounded = 0, False

    # ---- rows ----

    def place(self, row: int, bias: float) -> None:
        """A row for a new item: no weights, a low bias."""
        self.add()
        if row >= len(self.b_I):
            self.W_IH, self.b_I = with_rows(self.W_IH, row + 1), with_rows(self.b_I, row + 1)
            self.G_I = with_rows(self.G_I, row + 1)
            self._start_apart()
        self.W_IH[row], self.b_I[row], self.G_I[row] = 0, bias, _START
        self._is_rounded = False

    def mend(self, anchor: "Head | None" = None) -> None:
        """Rows that hold no numbers start again from the anchor's, without one from zero; so do steps apart and accumulators."""
        W_IH, b_I = (anchor.W_IH, anchor.b_I) if anchor else (torch.zeros_like(self.W_IH), torch.zeros_like(self.b_I))
        for one in self.apart:
            one.nan_to_num_(0.0, 0.0, 0.0)
        self.add()
        bad_I = ~(torch.isfinite(self.W_IH).all(dim=1) & torch.isfinite(self.b_I) & torch.isfinite(self.G_I))
        self.W_IH[bad_I], self.b_I[bad_I] = (torch.nan_to_num(one[bad_I], 0.0, 0.0, 0.0) for one in (W_IH, b_I))
        self.G_I[bad_I], self._is_rounded = _START, False

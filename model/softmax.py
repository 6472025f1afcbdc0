"""The loss over the whole catalogue (eq. 8) and its gradient for an offline fit, in bfloat16 with sums in float32.

A processor with bfloat16 of its own takes a fraction of the time of float32 for the three products with W_r, and passes over the
logits would then be most of the work. A bfloat16 has 65,536 values, so what a logit gives is looked up. Products have the items first,
(I, N), which takes half the time of (N, I), and parts of the catalogue are worked at by a thread each, in sums whose order does not
depend on how many threads there are. b_r is one more column of W_r, and h is 1 there.

Legend: N steps with a target, I items, P of them in a part, H hidden, A = H and the column of b_r, padded to a tile; C codes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.softmax_kernels import Codes, Floats, add_exponentials, to_slopes
from model.threads import pool_of

_R = TypeVar("_R")
_PART = 4_096  # items of a part at most: in parts whose logits a core keeps near, products lose more than passes over them win
_LOGITS = 1 << 24  # at once: 32 MiB
_TILE = 32  # values that the processor's matrix unit takes at once
_FURTHEST = 60.0  # logits beyond it count as it, so that their exponentials need no shift


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Of every bfloat16 as a logit, (C,) each: r, exp(r), 1 - r^2 (the slope of r, 1 without tanh), and the product of these two."""

    r_C: Floats
    exp_C: Floats
    rest_C: Floats
    slope_C: Floats

    @classmethod
    def of(cls, logits: str) -> "_Tables":
        codes_C = np.arange(1 << 16, dtype=np.uint32) << 16
        logit_C = np.clip(np.nan_to_num(codes_C.view(np.float32)).astype(np.float64), -_FURTHEST, _FURTHEST)
        r_C, rest_C = (np.tanh(logit_C), np.cosh(logit_C) ** -2) if logits == "tanh" else (logit_C, np.ones_like(logit_C))
        exp_C = np.exp(r_C)
        return cls(*(one.astype(np.float32) for one in (r_C, exp_C, rest_C, exp_C * rest_C)))


def pays(device: str) -> bool:
    """Whether that is a processor with a matrix unit for bfloat16, or at least instructions that multiply two of them at once."""
    has = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - torch names them no other way
    return device == "cpu" and bool(has)


class Softmax:
    """An output layer that is trained on the processor, with loss `ce`: W_r (I, H), b_r (I)."""

    def __init__(self, W_r: nn.Parameter, b_r: nn.Parameter, logits: str) -> None:
        self._W_r, self._b_r, self._tables = W_r, b_r, _Tables.of(logits)
        items, H = W_r.shape
        self._W_IA = torch.zeros(items, _tiled(H + 1), dtype=torch.bfloat16)
        self._turned = torch.empty_like(self._W_IA)  # the same, part by part (A, P): W_IA[part].T would be turned in every product
        self._of_W_IH, self._of_b_I = torch.empty_like(W_r), torch.empty_like(b_r)
        self._size = max(_TILE, _LOGITS // max(1, items))
        self._logits = torch.empty(0, dtype=torch.bfloat16)
        count = 2 * -(-items // (2 * _PART))  # an even number, for two threads
        size = _tiled(-(-items // count))
        self._parts = [slice(first, min(first + size, items)) for first in range(0, items, size)]
        self._pool = pool_of(min(torch.get_num_threads(), len(self._parts)))

    def backward(self, h_NH: Tensor, item_N: Tensor, targets: int) -> tuple[float, Tensor]:
        """Sum of the losses, and the gradient of sum / targets in h, (N, H). Adds those of W_r and b_r."""
        slope_NH, total = torch.empty_like(h_NH), 0.0
        self._each(self._round)
        for first in range(0, len(h_NH), self._size):
            rows = slice(first, first + self._size)
            total += self._rows(h_NH[rows], item_N[rows].numpy(), targets, slope_NH[rows])
        return total, slope_NH

    def _each(self, work: Callable[[slice], _R]) -> list[_R]:
        return list((self._pool.map if self._pool else map)(work, self._parts))

    def _round(self, part: slice) -> None:
        H = self._W_r.shape[1]
        self._W_IA[part, :H] = self._W_r.data[part]
        self._W_IA[part, H] = self._b_r.data[part]
        self._turned_of(part).copy_(self._W_IA[part].T)

    def _turned_of(self, part: slice) -> Tensor:
        return self._turned[part].view(self._W_IA.shape[1], -1)

    def _rows(self, h_NH: Tensor, item_N: NDArray[np.int64], targets: int, out_NH: Tensor) -> float:
        (N, H), items = h_NH.shape, len(self._W_IA)
        h_NA = torch.zeros(N, self._W_IA.shape[1], dtype=torch.bfloat16)
        h_NA[:, :H], h_NA[:, H] = h_NH.detach(), 1
        h_AN = h_NA.T.contiguous()
        if len(self._logits) < items * N:
            self._logits = torch.empty(items * N, dtype=torch.bfloat16)
        logits_IN = self._logits[: items * N].view(items, N)
        codes_IN: Codes = logits_IN.view(torch.uint16).numpy()
        tables = self._tables

        def exponentials(part: slice) -> Floats:
            torch.mm(self._W_IA[part], h_AN, out=logits_IN[part])
            total_N = np.zeros(N, np.float32)
            add_exponentials(codes_IN[part], tables.exp_C, total_N)
            return total_N

        total_N = np.sum(self._each(exponentials), axis=0, dtype=np.float64)
        code_N = codes_IN[item_N, np.arange(N)]
        loss_N = np.log(total_N) - tables.r_C[code_N]
        taken = torch.from_numpy(np.expm1(-loss_N) * tables.rest_C[code_N] / targets)  # (y - 1) (1 - r^2)
        taken_N = taken.to(torch.bfloat16).view(torch.uint16).numpy()
        scale_N: Floats = np.asarray(1 / (targets * total_N), np.float32)

        def slopes(part: slice) -> Tensor:
            to_slopes(codes_IN[part], tables.slope_C, scale_N)
            (here_n,) = np.nonzero((part.start <= item_N) & (item_N < part.stop))
            codes_IN[item_N[here_n], here_n] = taken_N[here_n]
            self._add(part, logits_IN[part] @ h_NA)
            return self._turned_of(part) @ logits_IN[part]

        slope_AN = torch.zeros(h_AN.shape)
        for one_AN in self._each(slopes):
            slope_AN += one_AN
        self._W_r.grad, self._b_r.grad = self._of_W_IH, self._of_b_I
        out_NH.copy_(slope_AN[:H].T)
        return float(loss_N.sum())

    def _add(self, part: slice, slope_PA: Tensor) -> None:
        H = self._W_r.shape[1]
        for grad, whole, one in ((self._W_r.grad, self._of_W_IH, slope_PA[:, :H]), (self._b_r.grad, self._of_b_I, slope_PA[:, H])):
            if grad is None:
                whole[part] = one
            else:
                grad[part] += one


def _tiled(count: int) -> int:
    return -(-count // _TILE) * _TILE

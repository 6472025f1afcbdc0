"""The network of eq. 1-8 in the notation of ALGORITHMS 7.1, as functions of tensors; nothing here knows a user's name.

Gates are stacked, so that a wave takes three matrix products: rows of W and b are i, f, o, c, Ai, Ac; of U i, f, o, c; of U_A Ai, Ac.
`NAMES` gives each its own name from outside.

Legend: B users of a wave, M length of x, k factors, H hidden, I items, S past steps padded to one length.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import ModelConfig

_GATES = ("i", "f", "o", "c", "Ai", "Ac")
_EMBEDDING_STD = 0.1  # default 25


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight with a name of its own is kept: rows first*H to (first+1)*H of a stacked parameter."""

    parameter: str
    first: int


NAMES: dict[str, Place] = {
    **{f"W_{gate}": Place("W", row) for row, gate in enumerate(_GATES)},
    **{f"U_{gate}": Place("U" if row < 4 else "U_A", row % 4) for row, gate in enumerate(_GATES)},
    **{f"b_{gate}": Place("b", row) for row, gate in enumerate(_GATES)},
}
SHARED = ("Y", "W", "U", "U_A", "b")  # every event has a gradient for all of these
WHOLE = ("E_user", "Y", "W_r", "b_r")  # one name, one parameter


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a step starts from. Dimensions before the last one may be more than one, as long as they go together."""

    x_BM: Tensor
    columns: tuple[Tensor, ...]
    "what is pooled beside x, (B, k) each (`Network.columns`)"
    g_B1: Tensor
    h_BH: Tensor
    C_BH: Tensor
    h_A_BH: Tensor

    def equals(self, other: "Given") -> bool:
        """Whether steps start from the same."""
        own, others = ((one.x_BM, *one.columns, one.g_B1, one.h_BH, one.C_BH, one.h_A_BH) for one in (self, other))
        return all(torch.equal(one, another) for one, another in zip(own, others, strict=True))

    def only(self, rows: slice | Sequence[int] | tuple[Sequence[int], int]) -> "Given":
        """Some of the steps; (rows, 0) takes them out of (B, 1, .)."""
        x, g, h, C, h_A = (one[rows] for one in (self.x_BM, self.g_B1, self.h_BH, self.C_BH, self.h_A_BH))
        return Given(x, tuple(one[rows] for one in self.columns), g, h, C, h_A)


class Network(nn.Module):
    """All weights. E_user (users, k), Y (M, k), W (6H, k), U (4H, H), U_A (2H, H), b (6H), W_r (I, H), b_r (I).

    Where the config looks back, E_item (I, k) too.
    """

    def __init__(self, config: ModelConfig, users: int = 0, items: int = 0, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.dtype = torch.float64 if config.dtype == "float64" else torch.float32
        draw = torch.Generator().manual_seed(seed)
        k, H = config.factors, config.hidden
        self.E_user = nn.Parameter(self._normal((users, k), draw))
        self.Y = nn.Parameter(self._normal((config.width, k), draw))
        self.W = nn.Parameter(torch.cat([self._xavier(H, k, draw) for _ in _GATES]))
        self.U = nn.Parameter(torch.cat([self._orthogonal(H, draw) for _ in range(4)]))
        self.U_A = nn.Parameter(torch.cat([self._orthogonal(H, draw) for _ in range(2)]))
        self.b = nn.Parameter(torch.zeros(6 * H, dtype=self.dtype))
        self.b.data[H : 2 * H] = 1.0  # the forget gate starts open
        self.W_r = nn.Parameter(self._xavier(items, H, draw))
        self.b_r = nn.Parameter(torch.zeros(items, dtype=self.dtype))
        if config.looks_back:
            self.E_item = nn.Parameter(self._normal((items, k), draw))

    def _normal(self, shape: tuple[int, int], draw: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=self.dtype) * _EMBEDDING_STD

    def _xavier(self, rows: int, columns: int, draw: torch.Generator) -> Tensor:
        bound = math.sqrt(6.0 / max(1, rows + columns))
        return (torch.rand((rows, columns), generator=draw, dtype=self.dtype) * 2 - 1) * bound

    def _orthogonal(self, size: int, draw: torch.Generator) -> Tensor:
        q, r = torch.linalg.qr(torch.randn((size, size), generator=draw, dtype=torch.float64))
        signed: Tensor = q * torch.sign(torch.diagonal(r))
        return signed.to(self.dtype)

    def pool(self, x_BM: Tensor, *e_Bk: Tensor) -> Tensor:
        """v, the pooled input (eq. 1, 2): first order, and all pairs by the O(n) identity ((sum e)^2 - sum e^2) / 2.

        `e_Bk`: the user's column, and that of the item he took before where the config looks back.
        """
        first_Bk = sum(e_Bk, x_BM @ self.Y)
        if not self.config.second_order:
            return first_Bk
        squares_Bk = sum((one.square() for one in e_Bk), x_BM.square() @ self.Y.square())
        return first_Bk + (first_Bk.square() - squares_Bk) / 2

    def columns(self, e_Bk: Tensor, previous_B: Tensor) -> tuple[Tensor, ...]:
        """What `pool` takes beside x: the users' rows, and those of the items they took before (-1 = none: zero)."""
        if not self.config.looks_back:
            return (e_Bk,)
        there_B1 = (previous_B >= 0).unsqueeze(-1)
        return e_Bk, self.E_item[previous_B.clamp(min=0)] * there_B1

    def project(self, v_Bk: Tensor, precision: torch.dtype | None = None) -> Tensor:
        """What the pooled input adds to all six gates, with the biases: (B, 6H). Needs no state, so a sequence does it at once.

        `precision` of the product and of the result, None = that of the weights.
        """
        v_Bk, W, b = (one.to(precision or self.dtype) for one in (v_Bk, self.W, self.b))
        return v_Bk @ W.T + b

    def cell(self, z_B6H: Tensor, g_B1: Tensor, h_BH: Tensor, C_BH: Tensor, h_A_BH: Tensor) -> tuple[Tensor, Tensor]:
        """H and C after a step (eq. 3, 5-7), from the projected input, g (float64), and h, C and h_A before it."""
        H = self.config.hidden
        z_B4H, z_A_B2H = torch.split(z_B6H, [4 * H, 2 * H], dim=-1)
        zi, zf, zo, zc = (z_B4H + h_BH @ self.U.T).chunk(4, dim=-1)
        i, f, o = torch.sigmoid(zi), torch.sigmoid(zf), torch.sigmoid(zo)
        if self.config.time_gates:
            # 1 - g is taken before rounding: for a short gap it is the small one.
            i, f = (1 - g_B1).to(self.dtype) * i, g_B1.to(self.dtype) * f
        after_BH = f * C_BH + i * torch.tanh(zc)
        if self.config.attention:
            zAi, zAc = (z_A_B2H + h_A_BH @ self.U_A.T).chunk(2, dim=-1)
            after_BH = after_BH + torch.sigmoid(zAi) * torch.tanh(zAc)
        return o * torch.tanh(after_BH), after_BH

    def after(self, given: Given) -> tuple[Tensor, Tensor]:
        """The h and C of the step (eq. 1-7)."""
        z_B6H = self.project(self.pool(given.x_BM, *given.columns))
        return self.cell(z_B6H, given.g_B1, given.h_BH, given.C_BH, given.h_A_BH)

    def logits(self, h_BH: Tensor) -> Tensor:
        """W_r h + b_r, before the tanh of eq. 8: (B, I)."""
        return torch.addmm(self.b_r, h_BH, self.W_r.T)

    def logits_of(self, h_BH: Tensor, rows: Sequence[int]) -> Tensor:
        """The same of some items, (B, n)."""
        return torch.addmm(self.b_r[rows], h_BH, self.W_r[rows].T)


def attention_weights(x_BTM: Tensor, past_x_BSM: Tensor, seen_BTS: Tensor) -> Tensor:
    """Softmax over the seen past of cos(x^t, x^t') (eq. 4): (B, T, S); all zero where nothing was seen.

    A zero x has cosine 0 with everything (default 4), so a silent window attends to its past evenly.
    """
    cosine_BTS = _unit(x_BTM) @ _unit(past_x_BSM).transpose(1, 2)
    # Cosines lie in [-1, 1], so the softmax needs no shift.
    weights_BTS = torch.exp(cosine_BTS) * seen_BTS
    total_BT1 = weights_BTS.sum(dim=-1, keepdim=True)
    return weights_BTS / torch.where(total_BT1 > 0, total_BT1, 1.0)


def _unit(x: Tensor) -> Tensor:
    norm = x.square().sum(dim=-1, keepdim=True).sqrt()
    return x / torch.where(norm > 0, norm, 1.0)

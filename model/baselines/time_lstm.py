"""Time-LSTM 1, 2 and 3 (Zhu et al., IJCAI 2017; ALGORITHMS 4), as the paper has them.

    i = s(x W_i + h U_i + w_ci*C + b_i)      f likewise (1, 2)      c~ = tanh(x W_c + h U_c + b_c)
    T1 = s(x W_1 + n(dt W_t1) + b_1), W_t1 <= 0 (not in 1)          T2 = s(x W_2 + n(dt W_t2) + b_2)
    (1) C' = f*C + i*T*c~,                           A = C'
    (2) A = f*C + i*T1*c~                            C' = f*C + i*T2*c~
    (3) A = (1 - i*T1)*C + i*T1*c~                   C' = (1 - i)*C + i*T2*c~
    o = s(x W_o + dt W_to + h U_o + w_co*A + b_o)    h' = o*tanh(A)

dt is the time to the interaction that is being predicted; the published code clamps W_t1 the wrong way and uses tanh for n.
Every gate has its own columns in one matrix, in the order i, f, c, o, T1, T2.

Legend: B users, T steps, E embedding, H hidden, G = 6H.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from model.baselines.inputs import Inputs
from model.baselines.sequence import Net, SequenceRanker
from model.contract import Training
from model.errors import ModelError

_INNER: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}


class TimeCell(nn.Module):
    """One step of the variant 1, 2 or 3; `inner` is n above."""

    def __init__(self, variant: int, embedding: int, hidden: int, inner: str = "sigmoid") -> None:
        super().__init__()
        if variant not in (1, 2, 3) or inner not in _INNER:
            raise ModelError(f"variant {variant}, inner {inner!r}; choose 1, 2 or 3, and of {', '.join(_INNER)}")
        self.variant, self.inner, self.hidden = variant, _INNER[inner], hidden
        self.W = nn.Parameter(torch.empty(embedding, 6 * hidden))
        self.U = nn.Parameter(torch.empty(hidden, 4 * hidden))
        self.b = nn.Parameter(torch.zeros(6 * hidden))
        self.w_ci, self.w_cf, self.w_co, self.W_to, self.W_t2 = (nn.Parameter(torch.zeros(hidden)) for _ in range(5))
        self.raw_t1 = nn.Parameter(torch.zeros(hidden))
        nn.init.xavier_uniform_(self.W)
        for gate in self.U.data.chunk(4, dim=1):
            nn.init.orthogonal_(gate)
        self.b.data[hidden : 2 * hidden] = 1.0

    @property
    def W_t1(self) -> Tensor:  # noqa: N802 - a weight of the equations
        """At most 0 in the variants 2 and 3, whatever the raw weight."""
        return self.raw_t1 if self.variant == 1 else -softplus(self.raw_t1)

    def forward(self, z_BG: Tensor, dt_B1: Tensor, h_BH: Tensor, C_BH: Tensor) -> tuple[Tensor, Tensor]:
        """H' and C' from z = x W + b, (B, 6H)."""
        return self.step(self.timed(z_BG, dt_B1), h_BH, C_BH)

    def timed(self, z_BG: Tensor, dt_B1: Tensor) -> Tensor:
        """The z with what time does to it: T1, T2 and dt W_to. No state is in it, so a sequence (B, T, 6H) does it at once."""
        zi_f_c, zo, z1, z2 = torch.split(z_BG, [3 * self.hidden, *(self.hidden,) * 3], dim=-1)
        T1 = torch.sigmoid(z1 + self.inner(dt_B1 * self.W_t1))
        T2 = torch.sigmoid(z2 + self.inner(dt_B1 * self.W_t2)) if self.variant > 1 else z2
        return torch.cat([zi_f_c, zo + dt_B1 * self.W_to, T1, T2], dim=-1)

    def step(self, timed_BG: Tensor, h_BH: Tensor, C_BH: Tensor) -> tuple[Tensor, Tensor]:
        """The rest of `forward`."""
        zi, zf, zc, zo, T1_BH, T2_BH = timed_BG.chunk(6, dim=1)
        ui, uf, uc, uo = (h_BH @ self.U).chunk(4, dim=1)
        i_BH = torch.sigmoid(zi + ui + self.w_ci * C_BH)
        i_c_BH = i_BH * torch.tanh(zc + uc)
        if self.variant == 3:
            A_BH = (1 - i_BH * T1_BH) * C_BH + T1_BH * i_c_BH
            after_BH = (1 - i_BH) * C_BH + T2_BH * i_c_BH
        else:
            f_C_BH = torch.sigmoid(zf + uf + self.w_cf * C_BH) * C_BH
            A_BH = after_BH = f_C_BH + T1_BH * i_c_BH
            if self.variant == 2:
                after_BH = f_C_BH + T2_BH * i_c_BH
        return torch.sigmoid(zo + uo + self.w_co * A_BH) * torch.tanh(A_BH), after_BH


class _Unrolled(Net):
    def __init__(self, cell: TimeCell, items: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.cell = cell
        self.embed, self.drop = nn.Embedding(items + 1, embedding), nn.Dropout(dropout)

    def start(self, users: int) -> Tensor:
        """H and C side by side."""
        return torch.zeros(users, 2 * self.cell.hidden)

    def run(self, inputs: Inputs, state_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The item before goes in, with the time since."""
        z_BTG = self.drop(self.embed(inputs.previous_BT)) @ self.cell.W + self.cell.b
        h_BH, C_BH = state_BS.chunk(2, dim=1)
        outputs = []
        for timed_BG in self.cell.timed(z_BTG, inputs.gap_BT1).unbind(1):
            h_BH, C_BH = self.cell.step(timed_BG, h_BH, C_BH)
            outputs.append(h_BH)
        return torch.stack(outputs, dim=1), torch.cat([h_BH, C_BH], dim=1)


class TimeLSTM(SequenceRanker):
    """One of the three variants."""

    def __init__(self, *, variant: int = 3, inner: str = "sigmoid", **settings: float) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.variant, self.inner = variant, inner

    def make_net(self, training: Training) -> Net:
        """For its items."""
        return _Unrolled(TimeCell(self.variant, self.embedding, self.hidden, self.inner), training.items, self.embedding, self.dropout)

"""The network over a window of padded sequences, step by step, with what the next window needs.

Legend: B users of a batch, n of them active at a step, T steps, S steps that attention may see, k factors, H hidden,
N active (user, step) pairs, step by step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.network import Network
from model.sequences import Window

Drop = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Carried:
    """State between windows, without gradients: h, C, and the last h of each step that attention still sees."""

    h_BH: Tensor
    C_BH: Tensor
    past: tuple[Tensor, ...]

    @classmethod
    def start(cls, like_Bk: Tensor, hidden: int) -> "Carried":
        """Zeros (default 6)."""
        zero_BH = like_Bk.new_zeros(len(like_Bk), hidden)
        return cls(zero_BH, zero_BH, ())


def unroll(network: Network, window: Window, e_Bk: Tensor, carried: Carried, drop: Drop) -> tuple[Tensor, Carried]:
    """The h of every active step (N, H), and what to carry on. `drop` is applied to v (default 22); h is the caller's."""
    kept = network.config.past
    v_BTk = drop(network.pool(window.x_BTM, *network.columns(e_Bk[:, None], window.previous_BT)))
    # Taken apart once: the gradient of a slice is as large as what it was cut from.
    z_B6H = network.project(v_BTk).unbind(1)
    h_BH, C_BH, past = carried.h_BH, carried.C_BH, list(carried.past)
    outputs = []
    for step, n in enumerate(window.active):
        seen = past[-kept:]
        if seen and network.config.attention:
            stop = window.past + step
            weights_n1S = window.weights_BTS[:n, step : step + 1, stop - len(seen) : stop]
            h_A_nH = torch.bmm(weights_n1S, torch.stack([_first(one, n) for one in seen], dim=1))[:, 0]
        else:
            h_A_nH = torch.zeros_like(h_BH[:n])
        z_n6H, h_nH, C_nH = _first(z_B6H[step], n), _first(h_BH, n), _first(C_BH, n)
        h_BH, C_BH = network.cell(z_n6H, window.g_BT[:n, step, None], h_nH, C_nH, h_A_nH)
        past.append(h_BH)
        outputs.append(h_BH)
    carried = Carried(h_BH.detach(), C_BH.detach(), tuple(one.detach() for one in past[-kept:]))
    return torch.cat(outputs), carried


def _first(rows: Tensor, count: int) -> Tensor:
    return rows if len(rows) == count else rows[:count]

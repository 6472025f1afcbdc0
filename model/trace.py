"""Every intermediate value of a sequence, for checks from outside: the same network, without rounding and without batches.

Legend: M length of x, k factors, H hidden, I items, n past steps seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network import Network, attention_weights
from model.step import Step

Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """One step: pooled input, time factor, attention weights (oldest first), what they read, cell, output, logits before the tanh."""

    v_k: Values
    g: float
    attention_n: Values
    h_A_H: Values
    C_H: Values
    h_H: Values
    logits_I: Values


@torch.no_grad()
def trace(network: Network, e_k: Tensor, steps: Sequence[Step], previous: Sequence[int] = ()) -> list[Traced]:
    """The sequence of one user from an empty memory, in the precision of the weights.

    `previous`: row of the item taken before each step, -1 = none; read where the config looks back.
    """
    config = network.config
    h_1H = C_1H = e_k.new_zeros(1, config.hidden)
    past_x: list[Tensor] = []
    past_h: list[Tensor] = []
    traced = []
    for step, before in zip(steps, previous or [-1] * len(steps), strict=True):
        x_1M = torch.tensor(step.x_M, dtype=network.dtype)[None]
        kept_x_1nM = torch.cat(past_x[-config.past :])[None] if past_x else x_1M.new_zeros(1, 0, config.width)
        kept_h_nH = torch.cat(past_h[-config.past :]) if past_h else h_1H.new_zeros(0, config.hidden)
        attention_1n = attention_weights(x_1M[:, None], kept_x_1nM, torch.ones(1, 1, len(kept_h_nH)))[:, 0]
        h_A_1H = attention_1n @ kept_h_nH
        v_1k = network.pool(x_1M, *network.columns(e_k[None], torch.tensor([before])))
        g_11 = torch.full((1, 1), step.g, dtype=torch.float64)
        h_1H, C_1H = network.cell(network.project(v_1k), g_11, h_1H, C_1H, h_A_1H)
        past_x.append(x_1M)
        past_h.append(h_1H)
        values = (attention_1n, h_A_1H, C_1H, h_1H, network.logits(h_1H))
        attention_n, h_A_H, C_H, h_H, logits_I = (one[0].numpy() for one in values)
        traced.append(Traced(v_1k[0].numpy(), step.g, attention_n, h_A_H, C_H, h_H, logits_I))
    return traced

"""One online update (Algorithm 1; defaults 9-13): one step of backpropagation with h, C and h_A given, clipped, Adam without momentum.

Legend: B interactions, M length of x, k factors, H hidden, I items.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.adam import Moments, clip_scale
from model.network import SHARED, Given, Network
from model.output import loss_and_slope, squared_norm

_ENOUGH = 0.99  # a loss above this share of the one before ends the iterations


@dataclass(frozen=True, slots=True)
class Batch:
    """A lesson as tensors, its names as rows."""

    user_B: Tensor
    item_B: Tensor
    x_BM: Tensor
    g_B1: Tensor
    h_BH: Tensor
    C_BH: Tensor
    h_A_BH: Tensor


@dataclass(frozen=True, slots=True)
class Gradients:
    """Of the mean loss of a batch. That of W_r and b_r is kept as its two factors: slope^T h."""

    loss: float
    shared: dict[str, Tensor]
    e_Bk: Tensor
    slope_BI: Tensor
    h_BH: Tensor


@torch.no_grad()
def update(network: Network, moments: Moments, batch: Batch) -> float:
    """Change the weights by a batch; the mean loss before the change."""
    config = network.config
    first = previous = math.inf
    for iteration in range(config.online_iterations):
        gradients = gradients_of(network, batch)
        if iteration == 0:
            first = gradients.loss
        elif gradients.loss > _ENOUGH * previous:
            break
        previous = gradients.loss
        _apply(network, moments, batch, gradients)
    return first


def gradients_of(network: Network, batch: Batch) -> Gradients:
    """Loss and all gradients of a batch; autograd for the cell, closed form for the output (see output.py)."""
    parameters = [getattr(network, name) for name in SHARED]
    with torch.enable_grad():
        e_Bk = network.E_user.detach()[batch.user_B].requires_grad_()
        h_BH, _ = network.after(Given(batch.x_BM, (e_Bk,), batch.g_B1, batch.h_BH, batch.C_BH, batch.h_A_BH))
    before_BH = h_BH.detach()
    loss_B, slope_BI = loss_and_slope(network.logits(before_BH).detach(), batch.item_B, network.config)
    slope_BI /= len(loss_B)
    found = torch.autograd.grad(h_BH, [*parameters, e_Bk], slope_BI @ network.W_r.detach(), allow_unused=True)
    # Without attention U_A takes no part.
    whole = [torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip([*parameters, e_Bk], found, strict=True)]
    return Gradients(float(loss_B.mean()), dict(zip(SHARED, whole[:-1], strict=True)), whole[-1], slope_BI, before_BH)


def _apply(network: Network, moments: Moments, batch: Batch, gradients: Gradients) -> None:
    rest = [*gradients.shared.values(), gradients.e_Bk]
    squared = float(squared_norm(gradients.slope_BI, gradients.h_BH)) + sum(float(one.square().sum()) for one in rest)
    scale = clip_scale(squared, network.config.clip_norm)
    if scale != 1.0:
        for one in (*rest, gradients.slope_BI):
            one *= scale
    rate = network.config.online_rate
    steps = [(name, getattr(network, name), gradient) for name, gradient in gradients.shared.items()]
    steps.append(("b_r", network.b_r, gradients.slope_BI.sum(dim=0)))
    moments.update([one for one in steps if one[1].numel()], rate)
    moments.update_product("W_r", network.W_r, gradients.slope_BI, gradients.h_BH, rate)
    moments.update_users(network.E_user.detach(), batch.user_B, gradients.e_Bk, rate)
    moments.counted()

"""The loss over the whole catalogue (eq. 8, 9) and its gradient in closed form.

W_r holds four fifths of all weights. Written out, its gradient is one matrix product of the logits' gradient and h, and its norm
follows from two B x B matrices; autograd would pass over it several times more.

Legend: B events, I items, H hidden.
"""

import torch
from torch import Tensor

from model.config import ModelConfig


def loss_and_slope(logits_BI: Tensor, item_B: Tensor, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Loss of each event, and the gradient of their SUM with respect to the logits before the tanh. Overwrites the logits."""
    r_BI = logits_BI.tanh_() if config.logits == "tanh" else logits_BI
    event_B = torch.arange(len(item_B), device=item_B.device)
    log_y_BI = torch.log_softmax(r_BI, dim=-1)
    if config.loss == "ce":
        loss_B = -log_y_BI[event_B, item_B]
        slope_BI = log_y_BI.exp_()
        slope_BI[event_B, item_B] -= 1
    else:
        loss_B, slope_BI = _binary(log_y_BI, event_B, item_B)
    if config.logits == "tanh":
        slope_BI.addcmul_(slope_BI, r_BI.square_(), value=-1)  # times 1 - r^2
    return loss_B, slope_BI


def _binary(log_y_BI: Tensor, event_B: Tensor, item_B: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 9: -log y of the item taken - sum of log(1 - y) of all others; slopes as in ALGORITHMS 7.2."""
    y_BI, rest_BI = torch.exp(log_y_BI), -torch.expm1(log_y_BI)
    others_BI = torch.log(rest_BI)
    others_BI[event_B, item_B] = 0
    loss_B = -log_y_BI[event_B, item_B] - others_BI.sum(dim=-1)
    odds_BI = y_BI / rest_BI
    odds_BI[event_B, item_B] = 0
    total_B1 = odds_BI.sum(dim=-1, keepdim=True)
    slope_BI = odds_BI + y_BI * (1 - total_B1)
    slope_BI[event_B, item_B] = y_BI[event_B, item_B] * (1 - total_B1[:, 0]) - 1
    return loss_B, slope_BI


def squared_norm(slope_BI: Tensor, h_BH: Tensor) -> Tensor:
    """Squared norm of the gradient of W_r and b_r together, without forming it: sum of (D D^T) * (h h^T + 1)."""
    return ((slope_BI @ slope_BI.T) * (h_BH @ h_BH.T + 1)).sum()

"""The network over a window of padded sequences, with what the next window needs.

Legend: T steps, B users of a batch, k factors, H hidden, N active (user, step) pairs, step by step.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model.course import Before, Course
from model.network import Network
from model.recurrence import recur
from model.sequences import Window

Drop = Callable[[Tensor], Tensor]


def start(like_Bk: Tensor, hidden: int) -> Before:
    """The state before the first window: zeros (default 6)."""
    zero_BH = like_Bk.new_zeros(len(like_Bk), hidden)
    return Before(zero_BH[None][:0], zero_BH, zero_BH)


def unroll(
    network: Network, window: Window, e_Bk: Tensor, before: Before, drop: Drop, precision: torch.dtype | None = None
) -> tuple[Tensor, Before]:
    """The h of every active step (N, H), and the state after them. `drop` is applied to v (default 22); h is the caller's.

    `precision` of the products with W, U and U_A, None = that of the weights.
    """
    config = network.config
    v_TBk = drop(network.pool(window.x_BTM.transpose(0, 1), *network.columns(e_Bk, window.previous_BT.T)))
    course = Course(window.g_BT, window.weights_BTS, window.active, config.past, config.time_gates, config.attention)
    return recur(network.project(v_TBk, precision), network.U, network.U_A, course, before)

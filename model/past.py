"""Attention of a wave over its users' pasts: padded to one length, so that it takes two batched products (eq. 3, 4).

Legend: B users, V windows of a user, M length of x, H hidden, n past steps of a user, S the longest n of the wave.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.few import put_read
from model.memory import Memory
from model.network import attention_weights


def read_past(x_BVM: Tensor, memories: Sequence[Memory], hidden: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """h_A (B, V, H), zero where there is no past (default 5), and each user's weights (V, n). Depends on data only."""
    lengths = [len(one.past_x) for one in memories]
    (B, V, M), S = x_BVM.shape, max(lengths, default=0)
    if S == 0:
        return x_BVM.new_zeros(B, V, hidden), tuple(x_BVM.new_zeros(V, 0) for _ in memories)
    past_x_BSM = np.zeros((B, S, M), np.float16)
    past_h_BSH = np.zeros((B, S, hidden), np.float16)
    for row, (memory, length) in enumerate(zip(memories, lengths, strict=True)):
        past_x_BSM[row, :length] = memory.past_x
        past_h_BSH[row, :length] = memory.past_h
    seen_BS = torch.arange(S) < torch.tensor(lengths)[:, None]
    weights_BVS = attention_weights(x_BVM, torch.from_numpy(past_x_BSM).to(x_BVM.dtype), seen_BS[:, None])
    h_A_BVH = torch.bmm(weights_BVS, torch.from_numpy(past_h_BSH).to(x_BVM.dtype))
    return h_A_BVH, tuple(weights_BVS[row, :, :length] for row, length in enumerate(lengths))


def read_few(x_BVM: Tensor, memories: Sequence[Memory], hidden: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same of one window each, user by user."""
    h_A_BVH, weights = x_BVM.new_zeros(len(x_BVM), 1, hidden), [np.zeros((1, len(one.past_x)), np.float32) for one in memories]
    for row, (memory, weight_1S) in enumerate(zip(memories, weights, strict=True)):
        past_SM, past_SH = memory.past_x.astype(np.float32), memory.past_h.astype(np.float32)
        put_read(x_BVM[row, 0].numpy(), past_SM, past_SH, weight_1S[0], h_A_BVH[row, 0].numpy())
    return h_A_BVH, tuple(torch.from_numpy(one) for one in weights)

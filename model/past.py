"""Attention of a wave over its users' pasts: padded to one length, so that it takes two batched products (eq. 3, 4).

Legend: B users, V windows of a user, M length of x, H hidden, n past steps of a user, S the longest n of the wave.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.memory import Memory
from model.network import attention_weights
from model.past_kernels import bits_of, put_read


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


def read_each(x_BVM: Tensor, memories: Sequence[Memory], hidden: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same of one window each in float32, user by user, which takes a fraction of the time."""
    h_A_BVH, weights = x_BVM.new_empty(len(x_BVM), 1, hidden), [np.empty((1, len(one.past_x)), np.float32) for one in memories]
    for x_M, h_A_H, memory, weight_1S in zip(x_BVM[:, 0].numpy(), h_A_BVH[:, 0].numpy(), memories, weights, strict=True):
        put_read(x_M, bits_of(memory.past_x), bits_of(memory.past_h), weight_1S[0], h_A_H)
    return h_A_BVH, tuple(torch.from_numpy(one) for one in weights)

"""Attention of a wave over its users' pasts: padded to one length, so that it takes two batched products (eq. 3, 4).

Legend: B users, M length of x, H hidden, n past steps of a user, S the longest n of the wave.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from model.memory import Memory
from model.network import attention_weights


def read_past(x_BM: Tensor, memories: Sequence[Memory], hidden: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """h_A (B, H), zero where there is no past (default 5), and each user's weights (n,). Depends on data only."""
    lengths = [len(one.past_x) for one in memories]
    B, S = len(memories), max(lengths, default=0)
    if S == 0:
        return x_BM.new_zeros(B, hidden), tuple(x_BM.new_zeros(0) for _ in memories)
    past_x_BSM = np.zeros((B, S, x_BM.shape[1]), np.float16)
    past_h_BSH = np.zeros((B, S, hidden), np.float16)
    for row, (memory, length) in enumerate(zip(memories, lengths, strict=True)):
        past_x_BSM[row, :length] = memory.past_x
        past_h_BSH[row, :length] = memory.past_h
    seen_BS = torch.arange(S) < torch.tensor(lengths)[:, None]
    weights_B1S = attention_weights(x_BM[:, None], torch.from_numpy(past_x_BSM).to(x_BM.dtype), seen_BS[:, None])
    h_A_BH = torch.bmm(weights_B1S, torch.from_numpy(past_h_BSH).to(x_BM.dtype))[:, 0]
    return h_A_BH, tuple(weights_B1S[row, 0, :length] for row, length in enumerate(lengths))

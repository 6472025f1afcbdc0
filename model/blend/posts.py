"""What people who post like this take: a softmax head from what a user posted to items (BLEND, post heads).

Its input v is the open window and a profile of the windows before it, topics of all networks side by side, each of length 3 / sqrt 2.
It starts from zero and learns like the heads of the network, but has no bias: a score is then linear in v, and what each topic of each
network adds to it can be told.

Legend: B users, I items, M = N*K topics of all networks, V = 2 M length of v, n items asked about, S past steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.event import Longs
from model.blend.heads import Head
from model.past_kernels import bits_of, put_profile

RATE = 0.3
_DECAY = 0.95  # of the profile, a step
_LENGTH = 3 / math.sqrt(2)
Floats = NDArray[np.float32]


def posts_of(x_BM: Floats, past_x: Sequence[NDArray[np.floating]]) -> Floats:
    """What the head sees, v, of steps with their users' windows before (oldest first), (B, V)."""
    profile_BM = np.zeros(x_BM.shape, np.float32)
    for profile_M, past_SM in zip(profile_BM, past_x, strict=True):
        put_profile(bits_of(past_SM), _DECAY, profile_M)
    profile_BM += x_BM
    return np.concatenate([_of_length(x_BM), _of_length(profile_BM)], axis=1)


def _of_length(one_BM: Floats) -> Floats:
    norm_B1 = np.sqrt(np.square(one_BM).sum(axis=1, keepdims=True))
    return np.asarray(one_BM * (_LENGTH / np.where(norm_B1 > 0, norm_B1, np.inf)), np.float32)


def post_head(items: int, width: int) -> Head:
    """The head, which knows nothing yet."""
    return Head(RATE, torch.zeros(items, width), torch.zeros(items), biased=False)


@dataclass(frozen=True, slots=True, eq=False)
class ByTopic:
    """What the term `posts` of a ranking is made of; holds until something is learned."""

    head: Head
    v_BV: Floats
    weights: Callable[[Longs, Longs], NDArray[np.floating]]
    "of the feature in some items' scores, each for the user in its row: (n,)"
    networks: int

    def of(self, row_n: Longs, item_n: Longs) -> Floats:
        """What each topic of each network adds to the scores of some items, each for the user in its row, (n, N, K)."""
        chosen = torch.from_numpy(item_n)
        step_PI, v_PV = self.head.apart
        W_nV, weight_n = self.head.W_IH[chosen] + step_PI[:, chosen].T @ v_PV, self.weights(row_n, item_n)
        added_nV = W_nV.numpy() * self.v_BV[row_n] * weight_n[:, None]
        window_nM, profile_nM = np.split(added_nV, 2, axis=1)
        topics = window_nM.shape[1] // max(1, self.networks)
        return np.asarray(window_nM + profile_nM, np.float32).reshape(len(item_n), self.networks, topics)


def tensor(v_BV: Floats) -> Tensor:
    """The head's input as a tensor."""
    return torch.tensor(v_BV, dtype=torch.float32)

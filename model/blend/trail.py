"""What people who took such items take next: a softmax head from the items a user took last to items.

Item-kNN counts pairs; this one learns what each past item says beside all the others. Its input v has no column for each item: an
item is a vector of random signs, which a new one has at once, and a past is two sums of them, decayed fast and slowly, each of length
3 / sqrt 2. It starts from zero and learns like the heads of the network (model/blend/heads.py).

Legend: B users, I items, D length of an item's signs, n past items of a user (newest last), V = 2 D length of v.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from model.blend.heads import Head
from model.blend.neighbours import LAST, recent

RATE = 1.0
DECAYS = (0.95, 0.7)
SIGNS = 128
_LENGTH = 3 / math.sqrt(len(DECAYS))
_ROWS = 1024  # of a block of signs
_WEIGHT_DN = np.array([decay ** np.arange(LAST) for decay in DECAYS], np.float32)
Floats = NDArray[np.float32]


def trails_of(pasts: Sequence[Sequence[int]]) -> Floats:
    """What the head sees, v, of users with these past items, (B, V); zero where there are none."""
    trail_BDS = np.zeros((len(pasts), len(DECAYS), SIGNS), np.float32)
    for row, past in enumerate(pasts):
        recent_n = recent(past)
        if len(recent_n):
            sums_DS = _WEIGHT_DN[:, : len(recent_n)] @ _signs_of(recent_n)
            trail_BDS[row] = sums_DS * (_LENGTH / np.sqrt(np.square(sums_DS).sum(axis=1, keepdims=True)))
    return trail_BDS.reshape(len(pasts), -1)


def _signs_of(row_n: NDArray[np.int64]) -> Floats:
    return np.stack([_signs(int(row) // _ROWS)[row % _ROWS] for row in row_n])


@cache
def _signs(block: int) -> Floats:
    """Signs of some rows, always the same ones, so that they need no place in a checkpoint."""
    return np.random.default_rng(block).choice(np.array([-1, 1], np.float32), (_ROWS, SIGNS))


def trail_head(items: int) -> Head:
    """The head, which knows nothing yet."""
    return Head(RATE, torch.zeros(items, len(DECAYS) * SIGNS), torch.zeros(items))

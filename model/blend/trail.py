"""What people who took such items take next: two softmax heads from the items a user took to items.

Item-kNN counts pairs; these learn what each past item says beside all the others. Their input v has no column for each item: an item
is a vector of random signs, which a new one has at once. The first head sees the user's last items, two sums of signs, decayed fast
and slowly; the second all that he ever took, one sum that decays very slowly. v has length 3. They start from zero and learn like the
heads of the network (model/blend/heads.py).

Legend: B users, I items, U users with a row, D length of an item's signs, n past items of a user (newest last), V length of v.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.event import LAST, firsts, recent
from model.blend.heads import Head
from model.blend.kernels import put_signs
from model.rows import with_room

RATES = (1.0, 0.3)
DECAYS = (0.95, 0.7)
SIGNS = 128
_DECAY_OF_ALL = 0.995  # an item
_LENGTH = 3.0
_ROWS = 1024  # of a block of signs
_TINY = np.float32(1e-12)
_WEIGHT_DN = np.array([decay ** np.arange(LAST) for decay in DECAYS], np.float32)
Floats = NDArray[np.float32]


class Trail:
    """Both heads, and the sums of signs of all that users took, by row."""

    def __init__(self, items: int = 0) -> None:
        sizes = zip(RATES, (len(DECAYS) * SIGNS, SIGNS), strict=True)
        self.heads = [Head(rate, torch.zeros(items, size), torch.zeros(items)) for rate, size in sizes]
        self.profile_UD = np.zeros((0, SIGNS), np.float32)

    def place(self, row: int) -> None:
        """A row for a new item, which may have been another's."""
        for head in self.heads:
            head.place(row, 0.0)

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        if row < len(self.profile_UD):
            self.profile_UD[row] = 0

    def seen(self, pasts: Sequence[Sequence[int]], users: Sequence[int]) -> list[Tensor]:
        """What each head sees of users (rows, -1 = none) with these past items, (B, V); zero where there is nothing."""
        all_BD = np.zeros((len(users), SIGNS), np.float32)
        for row, user in enumerate(users):
            if 0 <= user < len(self.profile_UD):
                all_BD[row] = self.profile_UD[user]
        return [torch.from_numpy(one_BV) for one_BV in (last_of(pasts), _of_length(all_BD, _LENGTH))]

    def count(self, user: int, item: int) -> None:
        """An item taken, for the sums."""
        self.profile_UD = with_room(self.profile_UD, user + 1)
        self.profile_UD[user] *= _DECAY_OF_ALL
        self.profile_UD[user] += _signs_to(item)[item]

    def mend(self) -> None:
        """What holds no numbers starts again."""
        for head in self.heads:
            head.mend()
        self.profile_UD[~np.isfinite(self.profile_UD).all(axis=1)] = 0


def last_of(pasts: Sequence[Sequence[int]]) -> Floats:
    """What the first head sees of these pasts, (B, V)."""
    out_BDS, recents = np.empty((len(pasts), len(DECAYS), SIGNS), np.float32), [recent(past) for past in pasts]
    past_n = np.concatenate([*recents, np.zeros(0, np.int64)])
    signs = _signs_to(int(past_n.max(initial=0)))
    put_signs(past_n, firsts(recents), signs, _WEIGHT_DN, _LENGTH / math.sqrt(len(DECAYS)), out_BDS)
    return out_BDS.reshape(len(pasts), len(DECAYS) * SIGNS)


def _of_length(one: Floats, length: float) -> Floats:
    return np.asarray(one * (length / (np.sqrt(np.square(one).sum(axis=-1, keepdims=True)) + _TINY)), np.float32)


def _signs_to(row: int) -> NDArray[np.int8]:
    """Signs of the rows up to this one, and of some more."""
    return _signs((row // _ROWS).bit_length())


@cache
def _signs(doubled: int) -> NDArray[np.int8]:
    """Signs of the first 2**doubled blocks of rows, always the same ones, so that they need no place in a checkpoint."""
    drawn = (np.random.default_rng(block).choice(np.array([-1, 1], np.float32), (_ROWS, SIGNS)) for block in range(1 << doubled))
    return np.concatenate([one.astype(np.int8) for one in drawn])

"""Words of the items' texts, hashed to buckets, and how like they are to what a user took (tf-idf).

    f_i = cos(a_i, p_u)^4      a_i = (1 + ln count) idf,   p_u = sum over what the user took, each of length 1, decayed by .995 an item

idf is that of the texts there are now; the profile is kept without it, so that old items count with today's.

Legend: I items, W buckets, U users, B users of a wave.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from model.blend.kernels import put_fourths
from model.lesson import BUCKETS
from model.rows import with_room

_DECAY = 0.995
_TINY = np.float32(1e-12)
Floats = NDArray[np.float32]


class Texts:
    """Counts of words by item row, all zero where there is no text, and profiles by user row."""

    def __init__(self, items: int = 0) -> None:
        self.count_IW = np.zeros((items, BUCKETS), np.uint8)
        self.profile_UW = np.zeros((0, BUCKETS), np.float32)
        self._weighed: tuple[csr_array, Floats] | None = None

    def grow(self, items: int) -> None:
        """Make room for new items without texts."""
        self.count_IW = with_room(self.count_IW, items)
        self._weighed = None

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on."""
        self.count_IW[row] = 0
        self._weighed = None

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        if row < len(self.profile_UW):
            self.profile_UW[row] = 0

    def put(self, row: int, count_W: NDArray[np.uint8]) -> None:
        """The text of an item, in place of the one before."""
        self.count_IW[row] = count_W
        self._weighed = None

    def learn(self, user: int, item: int) -> None:
        """A user took an item; one without text says nothing."""
        weight_W = _damped(self.count_IW[item])
        length = float(np.sqrt(weight_W @ weight_W))
        if length:
            self.profile_UW = with_room(self.profile_UW, user + 1)
            self.profile_UW[user] *= _DECAY
            self.profile_UW[user] += weight_W / length

    def features(self, users: Sequence[int], out_BI: Floats) -> None:
        """Likeness of each item to what each user took; zero without texts."""
        unit_IW, idf_W = self._weights(out_BI.shape[1])
        profile_BW = np.zeros((len(users), BUCKETS), np.float32)
        for row, user in enumerate(users):
            if 0 <= user < len(self.profile_UW):
                profile_BW[row] = self.profile_UW[user] * idf_W
        profile_BW /= np.sqrt(np.square(profile_BW).sum(axis=1, keepdims=True)) + _TINY
        put_fourths(unit_IW.indptr, unit_IW.indices, unit_IW.data, np.ascontiguousarray(profile_BW.T), out_BI)

    def _weights(self, items: int) -> tuple[csr_array, Floats]:
        """Unit tf-idf rows, sparse because texts are short, and idf, made anew once texts have changed."""
        if self._weighed is None:
            there_IW = self.count_IW[:items] > 0
            texts = there_IW.any(axis=1).sum()
            idf_W = np.log((texts + 1) / (there_IW.sum(axis=0) + 1)).astype(np.float32)
            weight_IW = _damped(self.count_IW[:items]) * idf_W
            weight_IW /= np.sqrt(np.square(weight_IW).sum(axis=1, keepdims=True)) + _TINY
            self._weighed = csr_array(weight_IW), idf_W
        return self._weighed

    def mend(self) -> None:
        """Profiles that hold no numbers start again."""
        self.profile_UW[~np.isfinite(self.profile_UW).all(axis=1)] = 0


def _damped(count_W: NDArray[np.uint8]) -> Floats:
    """1 + ln count, 0 where there is none."""
    return _DAMPED[count_W]


_DAMPED = np.concatenate([[0], 1 + np.log(np.arange(1, 256))]).astype(np.float32)

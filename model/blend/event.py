"""Events as the blend sees them: before they are ranked, with their features, and while they wait for the end of their time.

Legend: B events, I items, E heads of the network, D directions of h, F features, of them G an event's own and H those of a time (the
trend), T times, V length of v, n past items. h_BED: what each head sees.
"""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LAST = 50  # past items that features look at
Floats = NDArray[np.float32]
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the blend knows of one event beside h and v."""

    at: int
    "epoch milliseconds"
    past: tuple[int, ...]
    "rows of the items the user took last, newest last"
    context: int
    user: int
    "row of the user, -1 = none"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The same of some events, as arrays."""

    past_n: Longs
    "distinct rows of each one's last items, newest first, from `first_B` on (B + 1)"
    first_B: Longs
    user_B: Longs
    at_B: Longs
    time_B: Longs
    "which of the times it is"
    times: tuple[int, ...]

    @classmethod
    def of(cls, seen: Sequence[Seen]) -> "Asked":
        """Of these events."""
        pasts, (times, time_B) = [recent(one.past) for one in seen], times_of(seen)
        past_n = np.concatenate([*pasts, np.zeros(0, np.int64)])
        user_B, at_B = (np.array([getattr(one, name) for one in seen], np.int64) for name in ("user", "at"))
        return cls(past_n, firsts(pasts), user_B, at_B, time_B, times)


def times_of(seen: Sequence[Seen]) -> tuple[tuple[int, ...], Longs]:
    """The times of some events, and which of them each event is of, (B,)."""
    times = tuple(dict.fromkeys(one.at for one in seen))
    place = {at: row for row, at in enumerate(times)}
    return times, np.array([place[one.at] for one in seen], np.int64)


def recent(past: Sequence[int]) -> Longs:
    """Distinct rows of the last items, newest first. Asked for several times an event, so kept a while; not to be changed."""
    return _recent(tuple(past[: -LAST - 1 : -1]))


@lru_cache(maxsize=1024)
def _recent(newest_first: tuple[int, ...]) -> Longs:
    return np.array(list(dict.fromkeys(newest_first)), np.int64)


def firsts(parts: Sequence[Sized]) -> Longs:
    """Where each part begins when they stand one after the other, and the end."""
    return np.concatenate([[0], np.cumsum([len(one) for one in parts])]).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Features of some events, and what they were made from."""

    h_BED: Tensor
    v_BV: Floats
    seen: tuple[Seen, ...]
    time_B: Longs
    "which of the times an event is of"
    own_GBI: Floats
    trend_HTI: Floats
    good_BF: NDArray[np.bool_]
    "whether the feature holds numbers; where it does not it is zero"
    young_TI: NDArray[np.bool_]
    "items that are new at a time"

    def of(self, row_n: Longs, item_n: Longs) -> Floats:
        """All features of some items, each for the event in its row, (F, n)."""
        return np.concatenate([self.own_GBI[:, row_n, item_n], self.trend_HTI[:, self.time_B[row_n], item_n]])

    def is_of(self, see: Callable[[int], Tensor], v_BV: Floats, seen: Sequence[Seen]) -> bool:
        """Whether they are the features of these."""
        if self.seen != tuple(seen) or not np.array_equal(self.v_BV, v_BV):
            return False
        return all(torch.equal(h_BD, see(head)) for head, h_BD in enumerate(self.h_BED.unbind(dim=1)))


@dataclass(frozen=True, slots=True, eq=False)
class Waited:
    """An event that waits for the end of its time."""

    item: int
    seen: Seen
    v_V: Floats
    h_ED: Tensor | None = None
    "None = only counted"
    own_GI: Floats | None = None
    "its own features, where few enough wait that it pays to keep them"

"""Events as the blend sees them: before they are ranked, with their features, and while they wait for the end of their time.

Legend: B events, I items, E heads of the network, D directions of h, F features, of them G an event's own and H those of a time (the
trend), V length of v. h_BED: what each head sees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


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
class Block:
    """Features of some events, and what they were made from."""

    h_BED: Tensor
    v_BV: Floats
    seen: tuple[Seen, ...]
    own_BGI: Floats
    trends: Mapping[int, Floats]
    "at each time, (H, I)"
    good_BF: NDArray[np.bool_]
    "whether the feature holds numbers; where it does not it is zero"
    young_BI: NDArray[np.bool_]
    "items that are new at the time of the event"

    def features(self, row: int) -> tuple[Floats, Floats]:
        """All of an event: its own, and those of its time."""
        return self.own_BGI[row], self.trends[self.seen[row].at]

    def is_of(self, h_BED: Tensor, v_BV: Floats, seen: Sequence[Seen]) -> bool:
        """Whether they are the features of these."""
        return self.seen == tuple(seen) and torch.equal(self.h_BED, h_BED) and np.array_equal(self.v_BV, v_BV)


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

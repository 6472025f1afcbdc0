"""What the recurrence over a window needs beside its input, and which users have which steps.

Legend: T steps, B users, n active at a step (the first ones), H hidden, P steps before the window that attention sees, S = P + T,
N active (user, step) pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Course:
    """What of a window depends on data alone."""

    g_BT: Tensor
    "float64"
    weights_BTS: Tensor
    "attention"
    active: Sequence[int]
    kept: int
    "past steps that attention sees"
    time_gates: bool
    attention: bool

    def factors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """What the input and the forget gate are multiplied by, (T, B, 1) each."""
        g_TB1 = self.g_BT.T[..., None]
        if not self.time_gates:
            g_TB1 = torch.ones_like(g_TB1)
            return g_TB1.to(dtype), g_TB1.to(dtype)
        # 1 - g is taken before rounding: for a short gap it is the small one.
        return (1 - g_TB1).to(dtype), g_TB1.to(dtype)

    def stretches(self) -> list[tuple[slice, int]]:
        """Consecutive steps of the same users, and how many these are."""
        active = self.active
        cuts = [step for step in range(1, len(active)) if active[step] != active[step - 1]]
        return [(slice(start, stop), active[start]) for start, stop in pairwise((0, *cuts, len(active)))]

    def only_active(self, h_TBH: Tensor) -> Tensor:
        """The values of active users, step by step, (N, H)."""
        return torch.cat([h_TBH[steps, :n].flatten(0, 1) for steps, n in self.stretches()])


@dataclass(frozen=True, slots=True)
class Before:
    """State before a window: h of the P steps that attention sees (P, B, H), the last h and C (B, H). No gradient goes there."""

    past_PBH: Tensor
    h_BH: Tensor
    C_BH: Tensor

"""What a sequence model reads at each step, and padded batches of it.

Legend: B users, T steps, M length of x, N steps with a target.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.contract import Event

NO_ITEM = -1


@dataclass(frozen=True, slots=True)
class Inputs:
    """Known before the item of a step is."""

    previous_BT: Tensor
    "row of the item before; I = none"
    gap_BT1: Tensor
    "time since then, in units of the mean training gap"
    x_BTM: Tensor
    "posts since then, as topic frequencies"


@dataclass(frozen=True, slots=True)
class Sequences:
    """Users of like length, padded at the end."""

    inputs: Inputs
    target_N: Tensor
    "places of the steps with a target among all B * T, user by user"
    item_N: Tensor
    "the item of each of them"

    def to(self, device: str) -> "Sequences":
        """The same there."""
        inputs = Inputs(self.inputs.previous_BT.to(device), self.inputs.gap_BT1.to(device), self.inputs.x_BTM.to(device))
        return Sequences(inputs, self.target_N.to(device), self.item_N.to(device))


def inputs_of(previous: Sequence[Sequence[int]], events: Sequence[Sequence[Event]], items: int, tau_seconds: float) -> Inputs:
    """Of B users with T events each at most; `previous` may hold -1 for none."""
    B, T, M = len(events), max(len(one) for one in events), len(events[0][0].step.x_M)
    previous_BT, gap_BT, x_BTM = np.full((B, T), items), np.zeros((B, T, 1), np.float32), np.zeros((B, T, M), np.float32)
    for row, (own, before) in enumerate(zip(events, previous, strict=True)):
        previous_BT[row, : len(own)] = [items if one == NO_ITEM else one for one in before]
        gap_BT[row, : len(own), 0] = [(one.gap_seconds or 0.0) / tau_seconds for one in own]
        x_BTM[row, : len(own)] = [one.step.x_M for one in own]
    return Inputs(torch.from_numpy(previous_BT), torch.from_numpy(gap_BT), torch.from_numpy(x_BTM))


def batches(
    events: Sequence[Sequence[Event]], targets_from: Sequence[int], items: int, tau_seconds: float, size: int
) -> list[Sequences]:
    """Batches of up to `size` users, longest first; a user's steps before `targets_from` have no target."""
    order = sorted((row for row, own in enumerate(events) if len(own) > targets_from[row]), key=lambda row: -len(events[row]))
    made = []
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        own = [events[row] for row in chosen]
        before = [[NO_ITEM, *(one.item for one in sequence[:-1])] for sequence in own]
        item_BT = np.full((len(own), len(own[0])), NO_ITEM)
        for place, row in enumerate(chosen):
            first = targets_from[row]
            item_BT[place, first : len(own[place])] = [one.item for one in own[place][first:]]
        target_N = np.flatnonzero(item_BT != NO_ITEM)
        inputs, item_N = inputs_of(before, own, items, tau_seconds), item_BT.flat[target_N]
        made.append(Sequences(inputs, torch.from_numpy(target_N), torch.from_numpy(item_N)))
    return made

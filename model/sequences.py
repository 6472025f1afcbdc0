"""Users' sequences as padded batches for training: sorted by length, cut into windows, attention weights computed once.

A batch holds its longest user first, so that the users still active at a step are its first rows and no padding is computed.

Legend: B users of a batch, T steps of a window, S past and present steps that attention may see, M length of x, N steps with a target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.config import ModelConfig
from model.network import attention_weights
from model.step import Step

WINDOW = 256  # steps of backpropagation through time (default 23)
_NO_TARGET = -1


@dataclass(frozen=True, slots=True)
class Window:
    """Up to 256 steps of a batch."""

    x_BTM: Tensor
    g_BT: Tensor
    previous_BT: Tensor
    "row of the item the user had taken before, -1 = none"
    weights_BTS: Tensor
    "attention over the `past` steps before the window and those in it"
    past: int
    active: tuple[int, ...]
    "users that have each step"
    item_N: Tensor
    "items of the steps with a target, step by step"
    target_N: Tensor
    "places of those steps among all active ones, step by step"


@dataclass(frozen=True, slots=True)
class Sequences:
    """A batch of users, longest first, as consecutive windows."""

    user_B: Tensor
    windows: tuple[Window, ...]
    targets: int
    steps: int


@dataclass(frozen=True, slots=True)
class History:
    """One user: his row, his steps, and the item row of each (-1 = no target)."""

    user: int
    steps: Sequence[Step]
    items: Sequence[int]
    previous: Sequence[int]
    "row of the item he had taken before each step, -1 = none or unknown"


def pack(sequences: Sequence[History], size: int, config: ModelConfig, dtype: torch.dtype, device: str) -> list[Sequences]:
    """Batches of up to `size` users, by length; the order depends on the sequences alone."""
    ordered = sorted((one for one in sequences if one.steps), key=lambda one: -len(one.steps))
    return [_batch(ordered[start : start + size], config, dtype, device) for start in range(0, len(ordered), size)]


def _batch(users: Sequence[History], config: ModelConfig, dtype: torch.dtype, device: str) -> Sequences:
    lengths = np.array([len(one.steps) for one in users])
    B, T = len(users), int(lengths[0])
    x_BTM = torch.zeros(B, T, config.width, dtype=dtype)
    g_BT = torch.zeros(B, T, dtype=torch.float64)
    item_BT, previous_BT = np.full((B, T), _NO_TARGET), torch.full((B, T), -1)
    for row, one in enumerate(users):
        x_BTM[row, : len(one.steps)] = torch.from_numpy(np.stack([step.x_M for step in one.steps]))
        g_BT[row, : len(one.steps)] = torch.tensor([step.g for step in one.steps], dtype=torch.float64)
        item_BT[row, : len(one.steps)] = one.items
        previous_BT[row, : len(one.steps)] = torch.tensor(one.previous)
    windows = []
    for start in range(0, T, WINDOW):
        stop = min(T, start + WINDOW)
        active = tuple(int(count) for count in (lengths[:, None] > np.arange(start, stop)).sum(axis=0))
        flat = np.concatenate([item_BT[:count, start + step] for step, count in enumerate(active)])
        (target_N,) = np.nonzero(flat != _NO_TARGET)
        past = min(start, config.past)
        weights_BTS = _weights(x_BTM, start, stop, past, config.past)
        items_N = torch.from_numpy(flat[target_N])
        columns = slice(start, stop)
        parts = (x_BTM[:, columns], g_BT[:, columns], previous_BT[:, columns], weights_BTS, items_N, torch.from_numpy(target_N))
        x, g, previous, weights, items, target = (one.to(device) for one in parts)
        windows.append(Window(x, g, previous, weights, past, active, items, target))
    user_B = torch.tensor([one.user for one in users], device=device)
    return Sequences(user_B, tuple(windows), sum(len(one.item_N) for one in windows), int(lengths.sum()))


def _weights(x_BTM: Tensor, start: int, stop: int, past: int, kept: int) -> Tensor:
    """Attention of steps start..stop over the `kept` steps before each, columns from start - past on."""
    step_T1, other_S = torch.arange(start, stop)[:, None], torch.arange(start - past, stop)
    seen_TS = (other_S < step_T1) & (other_S >= step_T1 - kept)
    return attention_weights(x_BTM[:, start:stop], x_BTM[:, start - past : stop], seen_TS[None])


def number(names: Mapping[str, Sequence[tuple[Step, str]]]) -> tuple[dict[str, int], dict[str, int]]:
    """Rows of the users with steps and of the items they took, in order of appearance."""
    users = {user: row for row, user in enumerate(user for user, steps in names.items() if steps)}
    items: dict[str, int] = {}
    for steps in names.values():
        for _, item in steps:
            items.setdefault(item, len(items))
    return users, items

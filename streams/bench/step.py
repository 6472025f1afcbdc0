"""rank + learn at the paper's size: events per second in waves, against a naive step of the same model in the same run.

The naive step is what the paper's description leads to: one event at a time, a forward pass to rank, then a forward and a backward
pass by autograd and `torch.optim.Adam` as a for-loop over parameters, attention over past steps included.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from model import Lesson, Memory, ModelConfig, Recommender, Step, Wave, make_step
from model.network import Network
from model.past import read_past

_CONFIG = ModelConfig(networks=("twitter", "gplus"), topics=60)
_USERS, _ITEMS = 2_536, 13_829
_WEEK = 7 * 86_400.0
_LOG = 64
_WARM_UP = 3


def run(waves: Sequence[int] = (1, 8, 64), seconds: float = 5.0) -> dict[str, Any]:
    """Events per second of rank + learn for each wave size, and of the naive step, each over about `seconds`."""
    draw = np.random.default_rng(0)
    users = [f"user-{row}" for row in range(_USERS)]
    items = [f"item-{row}" for row in range(_ITEMS)]
    result: dict[str, Any] = {
        "bench": "step", "topics": _CONFIG.topics, "networks": len(_CONFIG.networks), "factors": _CONFIG.factors,
        "hidden": _CONFIG.hidden, "items": _ITEMS, "users": _USERS, "past": _CONFIG.past, "threads": torch.get_num_threads(),
    }  # fmt: skip
    events = [event(draw, users, _CONFIG) for _ in range(_LOG)]
    naive = _rate(_naive(events, draw), seconds)
    result["naive_events_per_second"] = round(naive, 1)
    for size in waves:
        recommender = Recommender(_CONFIG, users, items)
        rate = size * _rate(_waves(recommender, events[:size], items, draw), seconds)
        result[f"wave_{size}_events_per_second"] = round(rate, 1)
        result[f"wave_{size}_over_naive"] = round(rate / naive, 2)
    return result


def event(draw: np.random.Generator, users: list[str], config: ModelConfig) -> tuple[str, Step, Memory]:
    """A user with a full past; a step has a few posts on each network."""
    user = users.pop(int(draw.integers(len(users))))
    memory = Memory.empty(config)
    for _ in range(config.past):
        h_H = np.tanh(draw.standard_normal(config.hidden)).astype(np.float32)
        memory = memory.after(_step(draw, config), h_H, h_H, config.past)
    return user, _step(draw, config), memory


def _step(draw: np.random.Generator, config: ModelConfig) -> Step:
    sums_NK = draw.poisson(0.1, (len(config.networks), config.topics)).astype(np.float32)
    return make_step(sums_NK, float(draw.exponential(_WEEK)), config)


def _waves(
    recommender: Recommender, events: list[tuple[str, Step, Memory]], items: list[str], draw: np.random.Generator
) -> Callable[[], object]:
    at = tuple([0] * len(events))

    def once() -> object:
        wave = Wave.of(events)
        ranked = recommender.rank(wave)
        taken = tuple(items[row] for row in draw.integers(len(items), size=len(events)))
        return recommender.learn(Lesson.of(wave, ranked, range(len(events)), taken, at))

    return once


def _naive(events: list[tuple[str, Step, Memory]], draw: np.random.Generator) -> Callable[[], object]:
    network = Network(_CONFIG, _USERS, _ITEMS)
    adam = torch.optim.Adam(network.parameters(), lr=_CONFIG.online_rate, foreach=False, fused=False)

    def forward(step: Step, memory: Memory, user: int) -> torch.Tensor:
        x_1M = torch.tensor(step.x_M)[None]
        h_A_11H, _ = read_past(x_1M[:, None], [memory], _CONFIG.hidden)
        z_16H = network.project(network.pool(x_1M, network.E_user[user : user + 1]))
        g_11 = torch.tensor([[step.g]], dtype=torch.float64)
        h_1H, _ = network.cell(z_16H, g_11, torch.tensor(memory.h_H)[None], torch.tensor(memory.C_H)[None], h_A_11H[:, 0])
        return network.logits(h_1H)

    def once() -> object:
        _, step, memory = events[int(draw.integers(len(events)))]
        user, item = int(draw.integers(_USERS)), torch.tensor([int(draw.integers(_ITEMS))])
        with torch.no_grad():
            forward(step, memory, user)
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(torch.tanh(forward(step, memory, user)), item)
        torch.autograd.backward([loss])
        adam.step()
        return loss

    return once


def _rate(once: Callable[[], object], seconds: float) -> float:
    """Calls per second, after a few that do not count."""
    for _ in range(_WARM_UP):
        once()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        once()
        calls += 1
    return calls / (time.perf_counter() - started)

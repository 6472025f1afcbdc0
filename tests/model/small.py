"""Small models and sequences that hold every awkward case."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
from torch import Tensor

from model import Lesson, Memory, ModelConfig, Recommender, Step, Wave, make_step

SMALL = ModelConfig(networks=("a", "b"), topics=4, factors=5, hidden=6, past=3, tau_seconds=1000.0, dtype="float64")
LOOKS_BACK = {"preset": "full", "logits": "identity"}  # the item taken before is an input
USERS = ("ann", "bob", "cid")
ITEMS = tuple(f"v{row}" for row in range(7))


def small(**changes: object) -> ModelConfig:
    """The small config with changes."""
    return replace(SMALL, **cast(dict[str, Any], changes))


def recommender(config: ModelConfig = SMALL, seed: int = 1) -> Recommender:
    """A model with random weights everywhere, biases too."""
    one = Recommender(config, USERS, ITEMS, seed)
    draw = np.random.default_rng(seed)
    one.set_weights({name: draw.normal(0, 0.5, array.shape) for name, array in one.weights().items()})
    return one


def as_a_few_read(W_OK: Tensor) -> Tensor:
    """A matrix as model/few.py reads it: each weight to the nearest 127th of the largest of its row."""
    scale_O1 = W_OK.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / 127
    return (W_OK / scale_O1).round() * scale_O1


def step(draw: np.random.Generator, gap_seconds: float | None, config: ModelConfig = SMALL) -> Step:
    """A step with a few posts on each network."""
    sums_NK = draw.poisson(0.7, (len(config.networks), config.topics)).astype(np.float32)
    return make_step(sums_NK, gap_seconds, config)


def awkward(config: ModelConfig = SMALL) -> list[Step]:
    """An empty first window, no gap at all, a huge one, an empty window later, one silent network, and more steps than are kept."""
    draw = np.random.default_rng(5)
    empty_NK = np.zeros((len(config.networks), config.topics), np.float32)
    one_silent_NK = empty_NK.copy()
    one_silent_NK[0, : config.topics] = 2.0
    return [
        make_step(empty_NK, None, config),
        step(draw, 0.0, config),
        step(draw, 500.0, config),
        step(draw, 1e9, config),
        make_step(empty_NK, 1.0, config),
        make_step(one_silent_NK, 300.0, config),
        step(draw, 700.0, config),
    ]


class Stream:
    """Waves of random users and items through a recommender, memories kept."""

    def __init__(self, one: Recommender, seed: int = 3) -> None:
        self.recommender, self.draw = one, np.random.default_rng(seed)
        self.memories: dict[str, Memory] = {}
        self.at = 0

    def lesson(self, users: tuple[str, ...], items: tuple[str, ...] | None = None) -> Lesson:
        """Rank a wave and move its users on; the lesson is not learned."""
        config = self.recommender.config
        entries = [(name, step(self.draw, 400.0, config), self.memories.get(name, Memory.empty(config))) for name in users]
        wave = Wave.of(entries)
        ranked = self.recommender.rank(wave)
        for row, (name, one, memory) in enumerate(entries):
            self.memories[name] = ranked.advanced(row, one, memory)
        taken = items or tuple(f"v{self.draw.integers(9)}" for _ in users)
        self.at += 60_000
        return Lesson.of(wave, ranked, range(len(users)), taken, tuple(self.at for _ in users))

"""rank + learn of preset `full` at the paper's size, by size of the wave, and how it grows with the catalogue.

Statistics are warm and every user has a full past; items are taken by popularity (Zipf). Each wave has a time of its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch

from model import Known, Lesson, Memory, ModelConfig, Recommender, Step, Wave
from streams.bench.step import event

_CONFIG = ModelConfig(networks=("twitter", "gplus"), topics=60, preset="full", logits="identity")
_USERS, _ITEMS = 2_536, 13_829
_GROWTH = (1_000, _ITEMS, 30_000, 100_000)
_COUNTED, _PAST, _WORDS = 20_000, 50, 12
_EVENTS = 256  # each comes again only after all others, when nothing of it is remembered any more
_START_MS, _STEP_MS = 1_600_000_000_000, 1_800_000
_MIB = 1 << 20


def run(waves: Sequence[int] = (1, 8, 64), seconds: float = 5.0, growth: Sequence[int] = _GROWTH) -> dict[str, Any]:
    """Events per second, and milliseconds of processor time an event, of rank + learn for each wave size; memory of the statistics."""
    result: dict[str, Any] = {
        "bench": "step", "preset": "full", "topics": _CONFIG.topics, "networks": len(_CONFIG.networks), "factors": _CONFIG.factors,
        "hidden": _CONFIG.hidden, "items": _ITEMS, "users": _USERS, "past": _CONFIG.past, "threads": torch.get_num_threads(),
    }  # fmt: skip
    bed = _Bed.of(_ITEMS)
    result["statistics_mib"] = bed.statistics_mib()
    for size in waves:
        result |= {f"wave_{size}_{name}": value for name, value in bed.measure(size, seconds).items()}
    for items in growth:
        bed = _Bed.of(items)
        found = {f"wave_{size}_{name}": value for size in (1, 64) for name, value in bed.measure(size, seconds).items()}
        result[f"at_{items}_items"] = {**found, "statistics_mib": bed.statistics_mib()}
    return result


@dataclass(slots=True)
class _Bed:
    """A recommender with a past, and users in the midst of theirs."""

    recommender: Recommender
    draw: np.random.Generator
    items: Sequence[str]
    events: Sequence[tuple[str, Step, Memory]]
    pasts: Sequence[tuple[str, ...]]
    ticks: "count[int]"

    @classmethod
    def of(cls, items: int) -> "_Bed":
        """Made and warmed."""
        draw = np.random.default_rng(0)
        users, names = [f"user-{row}" for row in range(_USERS)], [f"item-{row}" for row in range(items)]
        recommender = Recommender(_CONFIG, users, names)
        recommender.know(Known.of({name: [f"word-{one}" for one in draw.zipf(1.3, _WORDS) % 5_000] for name in names}))
        left = users.copy()
        events = [event(draw, left, _CONFIG) for _ in range(_EVENTS)]
        one = cls(recommender, draw, names, events, [tuple(_taken(draw, names, _PAST)) for _ in events], count())
        one._warm(users)
        return one

    def _warm(self, users: Sequence[str]) -> None:
        pasts: dict[str, list[str]] = {}
        for _ in range(_COUNTED // 100):
            own, taken = [users[row] for row in self.draw.integers(len(users), size=100)], _taken(self.draw, self.items, 100)
            at = [_START_MS + next(self.ticks) * _STEP_MS] * 100
            self.recommender.count_only(taken, at, own, [pasts.get(name, [])[-_PAST:] for name in own])
            self.recommender.settle()
            for name, item in zip(own, taken, strict=True):
                pasts.setdefault(name, []).append(item)

    def measure(self, size: int, seconds: float) -> dict[str, float]:
        """Rank and learn waves for a while."""
        for _ in range(3):
            self._once(size)
        started, cpu, calls = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - started < seconds:
            self._once(size)
            calls += 1
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        return {"events_per_second": round(size * calls / wall, 1), "cpu_ms_per_event": round(1000 * cpu / size / calls, 3)}

    def _once(self, size: int) -> None:
        tick = next(self.ticks)
        at, start = (_START_MS + tick * _STEP_MS,) * size, tick * size % _EVENTS
        wave = Wave.of(self.events[start : start + size], at, self.pasts[start : start + size])
        ranked = self.recommender.rank(wave)
        self.recommender.learn(Lesson.of(wave, ranked, range(size), tuple(_taken(self.draw, self.items, size)), at))

    def statistics_mib(self) -> float:
        """What the blend keeps beside the heads of the network."""
        blend = self.recommender.blend
        if blend is None:
            return 0.0
        sizes = {name: one.numel() * one.element_size() for name, one in blend.state().items()}
        return round(sum(size for name, size in sizes.items() if not name.startswith("blend.head")) / _MIB, 1)


def _taken(draw: np.random.Generator, items: Sequence[str], size: int) -> list[str]:
    return [items[(int(rank) * 7919) % len(items)] for rank in draw.zipf(1.2, size) % (1 << 40)]

"""How soon a killed worker is ready again, and what a user takes in memory, with so many users of 50 past steps at h=400."""

import asyncio
import time
from collections.abc import Iterator
from functools import cache

import numpy as np

from model import Memory, ModelConfig, Recommender, make_step
from streams.assemble import name_of
from streams.bench.bed import Own, bed
from streams.bench.program import wait
from streams.connection import producer
from streams.rows import Row, User, user_rows, window_row

_SIZES = ("--topics", "60", "--sweeps", "5", "--epochs", "1", "--hidden", "400")
_WAIT_SECONDS = 600.0
_OWNED = 50


def run(users: int = 2_536) -> dict[str, object]:
    """Fill `state` with users, kill a worker and time the next one."""
    with bed(40, 1_000, _SIZES) as found:
        own = found.own("recover")
        without = _resident(own)
        recommender, _ = Recommender.load(found.artifact / "model")
        rows = asyncio.run(_fill(own, recommender, users))
        with own.worker() as first:
            wait(first.is_ready, f"the worker is ready; see {first.log}", _WAIT_SECONDS)
            first.kill()
            begun = time.monotonic()
            with own.worker() as second:
                wait(second.is_ready, f"the worker is ready; see {second.log}", _WAIT_SECONDS)
                seconds = time.monotonic() - begun
                resident = second.resident_bytes()
                second.stop()
    return {
        "bench": "recover", "users": users, "steps": recommender.config.past, "hidden": recommender.config.hidden, "rows": rows,
        "ready_seconds": round(seconds, 1), "kilobytes_per_user": round((resident - without) / users / 1000, 1),
    }  # fmt: skip


def _resident(own: Own) -> int:
    with own.worker() as worker:
        wait(worker.is_ready, f"the worker is ready; see {worker.log}", _WAIT_SECONDS)
        resident = worker.resident_bytes()
        worker.stop()
    return resident


async def _fill(own: Own, recommender: Recommender, users: int) -> int:
    kafka, headers = own.settings().kafka, [("artifact", name_of(recommender).encode())]
    count = 0
    async with producer(kafka, linger_ms=20, max_batch_size=2**20) as client:
        for name in (f"user-{number}" for number in range(users)):
            for key, value in _rows(name, recommender):
                await client.send(kafka.state, value, key=key, headers=headers)
                count += 1
    return count


def _rows(name: str, recommender: Recommender) -> Iterator[Row]:
    config = recommender.config
    user = User.empty(config)
    user.memory, user.last_at, user.touched_at = _memory(config), 1_600_000_000_000, 1_600_000_000_000
    user.owned = [recommender.items.name(row) for row in range(_OWNED)]
    yield window_row(name, user)
    yield from user_rows(name, user, config)


@cache  # one for all: making it takes longer than writing it
def _memory(config: ModelConfig) -> Memory:
    draw, memory = np.random.default_rng(0), Memory.empty(config)
    for _ in range(config.past):
        h_H = np.tanh(draw.standard_normal(config.hidden)).astype(np.float32)
        step = make_step(draw.poisson(0.1, (len(config.networks), config.topics)).astype(np.float32), 3600.0, config)
        memory = memory.after(step, h_H, h_H, config.past)
    return memory

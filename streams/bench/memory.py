"""Memory of a worker under full load: posts and interactions as fast as it takes them, with more users than it keeps."""

import asyncio
import time

import numpy as np

from streams.bench.bed import Own, bed
from streams.bench.program import Program, wait

_WAIT_SECONDS = 300.0
_CHUNK = 4_000
_ITEMS = 200  # few, so that what is kept of each user is full after minutes: what grows then is a leak
_LIMITS = {"CROSSNET_LINE__USERS_LIMIT": "300", "CROSSNET_WORKER__CHECKPOINT_INTERACTIONS": "1000"}


def run(minutes: float = 60.0) -> dict[str, object]:
    """Load for so long; resident megabytes at tenths of the time, and what the second half adds (`growth_megabytes`)."""
    samples: list[float] = []
    with bed(500, _ITEMS) as found:
        own = found.own("memory", _LIMITS)
        with own.worker() as worker:
            wait(worker.is_ready, f"the worker is ready; see {worker.log}", _WAIT_SECONDS)
            records = _load(own, worker, minutes * 60, samples)
            figures = worker.metrics()
            worker.stop()
    half = samples[len(samples) // 2 :]
    slope = float(np.polyfit(np.arange(len(half)), half, 1)[0]) * len(half) if len(half) > 1 else 0.0
    return {
        "bench": "memory", "minutes": minutes, "records": records, "evicted_users": int(figures["crossnet_evicted_users_total"]),
        "megabytes": [round(one) for one in samples[:: max(1, len(samples) // 10)]], "growth_megabytes": round(slope, 1),
    }  # fmt: skip


def _load(own: Own, worker: Program, seconds: float, samples: list[float]) -> int:
    draw, sent, deadline = np.random.default_rng(2), 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        asyncio.run(own.send(own.bed.mixed(_CHUNK, _CHUNK // 4, draw, sent)))
        sent += _CHUNK
        wait(worker.is_drained, f"{sent} posts are read; see {worker.log}", _WAIT_SECONDS)
        samples.append(worker.resident_bytes() / 1e6)
    return sent + sent // 4

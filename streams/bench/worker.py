"""Posts and interactions a second through Kafka and the whole worker from a backlog, and latency at a steady rate.

The peer is a bare Faust agent that only decodes the same posts, in the same run on the same broker.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.bench.bed import SMALL, Own, bed
from streams.bench.program import wait
from streams.connection import consumer, producer
from streams.records import Interaction
from streams.replay import value_of

_WAIT_SECONDS = 300.0
_LOOK_SECONDS = 0.2  # rarely, because an answer costs the worker some milliseconds
_LATENCY_RATE = 100
_RANKED = 'crossnet_ranked_total{ranking="scored"}'
_PAPER = ("--topics", "60", "--sweeps", "20", "--epochs", "1", "--hidden", "400")


def run(posts: int, interactions: int, seconds: int, *, preset: str = "full", paper_size: bool = False) -> dict[str, object]:
    """Time each backlog on a synthetic world: 500 users and 1,000 items at h=128, or 2,536 and 13,829 at h=400."""
    users, items, sizes = (2_536, 13_829, _PAPER) if paper_size else (500, 1_000, SMALL)
    draw = np.random.default_rng(1)
    with bed(users, items, (*sizes, "--preset", preset)) as found:
        rates: dict[str, float] = {}
        inversions: list[float] = []
        for name, refresh in (("renewing", "3600"), ("plain", "0")):
            own = found.own(name, {"CROSSNET_LINE__REFRESH_SECONDS": refresh})
            asyncio.run(own.send(found.posts(posts, draw)))
            rates[name] = _rate(own, "crossnet_processed_records_total", posts, inversions)
        bare = _bare(own, posts)
        own = found.own("acts")
        asyncio.run(own.send(found.interactions(interactions, draw)))
        rates["acts"] = _rate(own, _RANKED, interactions, inversions)
        acts = found.interactions(seconds * _LATENCY_RATE, draw)
        delays = _latency(found.own("live"), acts)
    return {
        "bench": "worker", "preset": preset, "hidden": 400 if paper_size else 128, "users": users, "items": items, "posts": posts,
        "interactions": interactions, "bare_agent_records_per_second": round(bare), "posts_per_second": round(rates["renewing"]),
        "posts_per_second_without_lists": round(rates["plain"]), "posts_to_bare_agent": round(rates["renewing"] / bare, 2),
        "interactions_per_second": round(rates["acts"]), "latency_rate": _LATENCY_RATE, **delays, "inversions": sum(inversions),
        "load_average": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def _rate(own: Own, series: str, expected: int, inversions: list[float]) -> float:
    with own.worker() as worker:
        rate = _timed(lambda: worker.metrics().get(series, 0.0), expected)
        inversions.append(worker.metrics()["crossnet_inversions"])
        worker.stop()
    return rate


def _latency(own: Own, acts: list[Interaction]) -> dict[str, float]:
    """Milliseconds from an event written to its list read by a consumer, at a steady rate."""
    with own.worker() as worker:
        wait(worker.is_ready, f"the worker is ready; see {worker.log}", _WAIT_SECONDS)
        delays_ms = asyncio.run(_watched(own, acts))
        worker.stop()
    middle, high = np.percentile(delays_ms, [50, 99])
    return {"lists": len(delays_ms), "p50_ms": round(float(middle), 1), "p99_ms": round(float(high), 1)}


async def _watched(own: Own, acts: list[Interaction]) -> list[float]:
    kafka = own.settings().kafka
    sent: dict[str, float] = {}
    async with producer(kafka) as client, consumer(kafka) as reader:
        reader.assign([TopicPartition(kafka.recommendations, number) for number in range(kafka.partitions)])
        reading = asyncio.create_task(_read(reader, len(acts)))
        begun = time.perf_counter()
        for number, one in enumerate(acts):
            await asyncio.sleep(max(0.0, begun + number / _LATENCY_RATE - time.perf_counter()))
            at = time.perf_counter()
            live = replace(one, at=round(time.time() * 1000))
            place = await client.send_and_wait(kafka.target, value_of(live), key=one.user.encode())
            sent[f"{place.topic}-{place.partition}-{place.offset}"] = at
        read = await asyncio.wait_for(reading, _WAIT_SECONDS)
    # The first quarter warms caches up.
    return [1000 * (read[name] - at) for name, at in list(sent.items())[len(sent) // 4 :] if name in read]


async def _read(reader: AIOKafkaConsumer, expected: int) -> dict[str, float]:
    read: dict[str, float] = {}
    while len(read) < expected:
        for records in (await reader.getmany(timeout_ms=1000)).values():
            for one in records:
                read.setdefault(json.loads(one.value)["id"], time.perf_counter())
    return read


def _bare(own: Own, records: int) -> float:
    with TemporaryDirectory() as folder:
        count = Path(folder) / "count"
        arguments = (own.bed.bootstrap, f"{own.name}-tweets", str(count))
        command: Sequence[str] = [sys.executable, "-m", "streams.bench.bare_agent", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
        try:
            return _timed(lambda: float(count.read_text("ascii") or 0) if count.exists() else 0.0, records // 500 * 500)
        finally:
            process.terminate()
            process.wait(30)


def _timed(count: Callable[[], float], expected: float) -> float:
    """Records a second from the first one seen to the last expected one."""
    deadline, first = time.monotonic() + _WAIT_SECONDS, None
    while time.monotonic() < deadline:
        seen, now = count(), time.monotonic()
        if first is None and seen > 0:
            if seen >= expected:
                raise RuntimeError(f"all {expected:,.0f} records were done before the first look; give more of them")
            first = (now, seen)
        if first is not None and seen >= expected:
            return (seen - first[1]) / max(now - first[0], 1e-3)
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"only {count():,.0f} of {expected:,.0f} records within {_WAIT_SECONDS:.0f} s")

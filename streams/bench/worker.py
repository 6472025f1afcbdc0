"""Posts and interactions a second through Kafka and the whole worker from a backlog, and latency at a steady rate.

The peer is a bare Faust agent that only decodes the same posts, in the same run on the same broker.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.bench.program import Program, crossnet, wait
from streams.broker import Broker, free_port
from streams.connection import consumer, producer
from streams.folder import Folder
from streams.records import Interaction, Post, Source
from streams.replay import value_of
from streams.settings import Settings, load

_ENVIRONMENT = "CROSSNET_BOOTSTRAP"
_WAIT_SECONDS = 300.0
_LOOK_SECONDS = 0.2  # rarely, because an answer costs the worker some milliseconds
_LATENCY_SECONDS, _LATENCY_RATE = 20, 100
_KAFKA = ("ITEMS", "RECOMMENDATIONS", "DEAD_LETTERS", "STATE", "LESSONS", "GROUP")
_NOWHERE = Source("", 0, 0)
_START_MS = 1_600_000_000_000
_STEP_MS = 1000
Sizes = tuple[str, ...]
SMALL: Sizes = ("--topics", "60", "--sweeps", "20", "--epochs", "1", "--hidden", "128")


def run(users: int = 500, items: int = 1000, posts: int = 40_000, interactions: int = 6_000) -> dict[str, object]:
    """Start a broker, train on a synthetic world of so many users and items, and time each backlog."""
    with bed(users, items, SMALL) as (artifact, world, bootstrap):
        texts = [one.text for one in Folder(world).posts()]
        taken = list(Folder(world).interactions())
        names, catalogue = sorted({one.user for one in taken}), sorted({one.item for one in taken})
        draw = np.random.default_rng(1)
        # Event time goes on by a second a record: a user's list is renewed by his posts once an hour, as in life.
        tweets = [Post(_of(names, draw), "twitter", _at(n), texts[n % len(texts)], _NOWHERE) for n in range(posts)]
        acts = [Interaction(_of(names, draw), _of(catalogue, draw), _at(n), _NOWHERE) for n in range(interactions)]
        rates = {}
        for name, refresh in (("renewing", 3600), ("plain", 0)):
            own = _own(artifact, bootstrap, name, refresh)
            asyncio.run(_send(f"{name}-tweets", tweets, bootstrap))
            rates[name] = _rate(artifact, bootstrap, own, "crossnet_processed_records_total", posts)
        bare = _bare(bootstrap, "plain-tweets", posts)
        own = _own(artifact, bootstrap, "acts", 3600)
        asyncio.run(_send("acts-events", acts, bootstrap))
        rates["acts"] = _rate(artifact, bootstrap, own, 'crossnet_ranked_total{ranking="scored"}', interactions)
        own = _own(artifact, bootstrap, "live", 3600)
        delays = _latency(artifact, bootstrap, own, [Interaction(_of(names, draw), _of(catalogue, draw), _at(n), _NOWHERE)
                                                     for n in range(_LATENCY_SECONDS * _LATENCY_RATE)])  # fmt: skip
    return {
        "bench": "worker", "hidden": 128, "items": len(catalogue), "posts": posts, "interactions": interactions,
        "bare_agent_records_per_second": round(bare), "posts_per_second": round(rates["renewing"]),
        "posts_per_second_without_lists": round(rates["plain"]), "posts_to_bare_agent": round(rates["renewing"] / bare, 2),
        "interactions_per_second": round(rates["acts"]), "latency_rate": _LATENCY_RATE, **delays,
    }  # fmt: skip


@contextmanager
def bed(users: int, items: int, sizes: Sizes) -> Iterator[tuple[Path, Path, str]]:
    """An artifact of a synthetic world, the world, and a broker (CROSSNET_BOOTSTRAP's or an own one, gone afterwards)."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder / "kafka", free_port())
        given = os.environ.get(_ENVIRONMENT)
        bootstrap = given or broker.up(fresh=True)
        try:
            world, artifact = folder / "world", folder / "artifact"
            crossnet(bootstrap, "synth", world, "--users", str(users), "--items", str(items), "--seed", "1")
            crossnet(bootstrap, "train", world, "--out", artifact, *sizes)
            crossnet(bootstrap, "kafka-topics", "create", "--artifacts", artifact)
            yield artifact, world, bootstrap
        finally:
            if not given:
                broker.down()


def _of(names: list[str], draw: np.random.Generator) -> str:
    return names[int(draw.integers(len(names)))]


def _at(number: int) -> int:
    return _START_MS + number * _STEP_MS


async def _send(kafka_topic: str, records: list[Post] | list[Interaction], bootstrap: str) -> None:
    async with producer(_settings(bootstrap).kafka, linger_ms=5) as client:
        for one in records:
            await client.send(kafka_topic, value_of(one), key=one.user.encode())


def _settings(bootstrap: str) -> Settings:
    return load(options={"kafka.bootstrap": bootstrap})


def _own(artifact: Path, bootstrap: str, name: str, refresh: int) -> dict[str, str]:
    """Environment of a run that shares no Kafka topic with others; they are made."""
    own = {f"CROSSNET_KAFKA__{key}": f"{name}-{key.lower().replace('_', '-')}" for key in _KAFKA}
    own |= {"CROSSNET_NETWORKS": json.dumps({"twitter": f"{name}-tweets", "gplus": f"{name}-gplus"})}
    own |= {"CROSSNET_KAFKA__TARGET": f"{name}-events", "CROSSNET_LINE__REFRESH_SECONDS": str(refresh)}
    crossnet(bootstrap, "kafka-topics", "create", "--artifacts", artifact, settings=own)
    return own


def _rate(artifact: Path, bootstrap: str, own: Mapping[str, str], series: str, expected: int) -> float:
    with Program(artifact, bootstrap, own) as worker:
        rate = _timed(lambda: worker.metrics().get(series, 0.0), expected)
        worker.stop()
    return rate


def _latency(artifact: Path, bootstrap: str, own: Mapping[str, str], acts: list[Interaction]) -> dict[str, float]:
    """Milliseconds from an event written to its list read by a consumer, at a steady rate."""
    with Program(artifact, bootstrap, own) as worker:
        wait(worker.is_ready, f"the worker is ready; see {worker.log}", _WAIT_SECONDS)
        delays_ms = asyncio.run(_watched(acts, bootstrap, own))
        worker.stop()
    middle, high = np.percentile(delays_ms, [50, 99])
    return {"lists": len(delays_ms), "latency_p50_ms": round(float(middle), 1), "latency_p99_ms": round(float(high), 1)}


async def _watched(acts: list[Interaction], bootstrap: str, own: Mapping[str, str]) -> list[float]:
    kafka = _settings(bootstrap).kafka
    sent: dict[str, float] = {}
    async with producer(kafka) as client, consumer(kafka) as reader:
        lists = [TopicPartition(own["CROSSNET_KAFKA__RECOMMENDATIONS"], number) for number in range(kafka.partitions)]
        reader.assign(lists)
        reading = asyncio.create_task(_read(reader, len(acts)))
        begun = time.perf_counter()
        target = own["CROSSNET_KAFKA__TARGET"]
        for number, one in enumerate(acts):
            await asyncio.sleep(max(0.0, begun + number / _LATENCY_RATE - time.perf_counter()))
            at = time.perf_counter()
            place = await client.send_and_wait(target, value_of(one), key=one.user.encode())
            sent[f"{place.topic}-{place.partition}-{place.offset}"] = at
        read = await asyncio.wait_for(reading, _WAIT_SECONDS)
    # The first seconds warm caches up.
    return [1000 * (read[name] - at) for name, at in list(sent.items())[len(sent) // 4 :] if name in read]


async def _read(reader: AIOKafkaConsumer, expected: int) -> dict[str, float]:
    read: dict[str, float] = {}
    while len(read) < expected:
        for records in (await reader.getmany(timeout_ms=1000)).values():
            for one in records:
                read.setdefault(json.loads(one.value)["id"], time.perf_counter())
    return read


def _bare(bootstrap: str, kafka_topic: str, records: int) -> float:
    with TemporaryDirectory() as folder:
        count = Path(folder) / "count"
        process = subprocess.Popen([sys.executable, "-m", "streams.bench.bare_agent", bootstrap, kafka_topic, str(count)])  # noqa: S603
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
            first = (now, seen)
        if first is not None and seen >= expected:
            return (seen - first[1]) / max(now - first[0], 1e-3)
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"only {count():,.0f} of {expected:,.0f} records within {_WAIT_SECONDS:.0f} s")

"""Posts and interactions a second through Kafka and the whole worker, beside a bare Faust agent in the same run."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.broker import Broker, free_port

_ENVIRONMENT = "CROSSNET_BOOTSTRAP"
_WAIT_SECONDS = 300.0


def run(users: int = 500, items: int = 1000, records: int = 20_000) -> dict[str, object]:
    """Start a broker, train on a synthetic world, and time `records` posts and the test interactions from a backlog."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder / "kafka", free_port())
        bootstrap = os.environ.get(_ENVIRONMENT) or broker.up(fresh=True)
        try:
            return _measure(folder, bootstrap, users, items, records)
        finally:
            if not os.environ.get(_ENVIRONMENT):
                broker.down()


def _measure(folder: Path, bootstrap: str, users: int, items: int, records: int) -> dict[str, object]:
    world, artifact, port = folder / "world", folder / "artifact", free_port()
    _crossnet(bootstrap, "synth", str(world), "--users", str(users), "--items", str(items), "--seed", "1")
    _crossnet(bootstrap, "train", str(world), "--out", str(artifact), "--topics", "60", "--sweeps", "20", "--epochs", "2")
    _crossnet(bootstrap, "kafka-topics", "create", "--artifacts", str(artifact))
    posts, interactions = _backlog(world, artifact, bootstrap, records)
    count = folder / "count"
    bare = _timed(
        [sys.executable, "-m", "streams.bench.bare_agent", bootstrap, "tweets", str(count)], bootstrap,
        lambda: int(count.read_text() or 0) if count.exists() else 0, posts // 500 * 500,
    )  # fmt: skip
    arguments = ["worker", "--artifacts", str(artifact), "--from", "earliest", "--port", str(port)]
    worker = [sys.executable, "-c", "from streams.cli import main; main()", *arguments]
    seen = _timed(worker, bootstrap, lambda: _metric(port, 'crossnet_records_total{kafka_topic="tweets"}'), posts)
    _to_kafka(world, artifact, bootstrap)
    ranked = _timed(worker, bootstrap, lambda: _metric(port, 'crossnet_ranked_total{ranking="scored"}'), interactions)
    return {
        "bench": "worker", "posts": posts, "interactions": interactions, "bare_agent_records_per_second": round(bare),
        "posts_per_second": round(seen), "interactions_per_second": round(ranked), "posts_to_bare_agent": round(seen / bare, 2),
    }  # fmt: skip


def _backlog(world: Path, artifact: Path, bootstrap: str, records: int) -> tuple[int, int]:
    """Write `records` tweets as a backlog; gives how many, and how many test interactions there are."""
    import asyncio

    from streams import replay
    from streams.cli.options import for_artifacts
    from streams.folder import TEST, Folder, split
    from streams.records import Interaction, Post

    parts = split(Folder(world))
    posts = [one for one in parts if isinstance(one.record, Post) and one.record.network == "twitter"]
    backlog = (posts * (records // len(posts) + 1))[:records]
    asyncio.run(replay.to_kafka(backlog, for_artifacts(artifact, bootstrap), None, lambda _: None))
    return len(backlog), sum(isinstance(one.record, Interaction) and one.part == TEST for one in parts)


def _to_kafka(world: Path, artifact: Path, bootstrap: str) -> None:
    _crossnet(bootstrap, "replay", str(world), "--artifacts", str(artifact), "--split", "test")


def _timed(command: list[str], bootstrap: str, count: Callable[[], float], expected: int) -> float:
    """Records a second of a program from its first record to the last expected one."""
    process = subprocess.Popen(command, env={**os.environ, _ENVIRONMENT: bootstrap}, stdout=subprocess.DEVNULL)  # noqa: S603
    deadline = time.monotonic() + _WAIT_SECONDS
    first: tuple[float, float] | None = None
    try:
        while time.monotonic() < deadline:
            now, seen = time.monotonic(), count()
            if first is None and seen > 0:
                first = (now, seen)
            if first is not None and seen >= expected:
                return (seen - first[1]) / max(now - first[0], 1e-3)
            time.sleep(0.02)
        raise RuntimeError(f"{command[0]} has not read {expected} records within {_WAIT_SECONDS:.0f} s, only {count()}")
    finally:
        process.terminate()
        process.wait(30)


def _metric(port: int, series: str) -> float:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series)), 0.0)


def _crossnet(bootstrap: str, *arguments: str) -> None:
    command = [sys.executable, "-c", "from streams.cli import main; main()", *arguments]
    subprocess.run(command, check=True, env={**os.environ, _ENVIRONMENT: bootstrap}, stdout=subprocess.DEVNULL)  # noqa: S603

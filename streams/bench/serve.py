"""Lists a second over HTTP with many users in memory, on one core, beside a bare aiohttp handler in the same run.

Everything is real: lists are written to Kafka, `crossnet serve` reads them back, clients ask over keep-alive connections. Latency is
taken at a fixed rate from the moment a request was due, so that a stall counts for every request it held up.
`gets_per_cpu_second` counts the server's own processor time, so that it holds on a machine that does other work too.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaProducer

from streams import kafka_topics
from streams.broker import HOST, Broker, free_port
from streams.records import Last, Recommendation
from streams.settings import Settings, load

_ITEMS = 10_000
_CONNECTIONS = 8
_SECONDS = 10.0
_RATE = 2_000
_WAIT_SECONDS = 400.0


def run(users: int = 100_000, list_size: int = 100) -> dict[str, object]:
    """Fill Kafka with a list for each user, serve them, and ask."""
    with TemporaryDirectory() as name:
        broker = Broker(Path(name) / "kafka", free_port())
        settings = load(options={"kafka.bootstrap": broker.up(fresh=True)})
        try:
            asyncio.run(_fill(settings, users, list_size))
            return _measure(settings, users, list_size)
        finally:
            broker.down()


def _measure(settings: Settings, users: int, list_size: int) -> dict[str, object]:
    port = free_port()
    arguments = ["serve", "--bootstrap", settings.kafka.bootstrap, "--port", str(port)]
    started = time.monotonic()
    with _process([sys.executable, "-c", "from streams.cli import main; main()", *arguments]) as process:
        _wait(lambda: _get(port, "/readyz") == b"ready\n")
        catch_up, resident = time.monotonic() - started, _resident_mb(process.pid)
        size = len(_get(port, "/recommendations/user0"))
        ours = asyncio.run(_ask(port, process.pid, users))
    port = free_port()
    with _process([sys.executable, "-m", "streams.bench.bare_handler", str(port), str(size)]) as process:
        _wait(lambda: _get(port, "/recommendations/user0") != b"")
        bare = asyncio.run(_ask(port, process.pid, users))
    return {
        "bench": "serve", "users": users, "list_size": list_size, "answer_bytes": size,
        "catch_up_seconds": round(catch_up, 1), "resident_mb": round(resident), **ours,
        **{f"bare_{name}": value for name, value in bare.items()},
        "gets_to_bare_handler": round(ours["gets_per_second"] / bare["gets_per_second"], 2),
        "gets_to_bare_handler_by_cpu": round(ours["gets_per_cpu_second"] / bare["gets_per_cpu_second"], 2),
    }  # fmt: skip


# ---- lists ----


async def _fill(settings: Settings, users: int, list_size: int) -> None:
    await kafka_topics.create(settings)
    rng = random.Random(7)  # noqa: S311 - a seed, not a secret
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, max_batch_size=2**20, linger_ms=20) as producer:
        for number in range(_ITEMS):
            value = b'{"item":"video%06d","title":"A title of some words, part %d"}' % (number, number % 9)
            await producer.send(settings.kafka.items, value, key=b"video%06d" % number)
        for number in range(users):
            one = _list(rng, number, list_size)
            await producer.send(settings.kafka.recommendations, one.to_json(), key=one.user.encode())
        await producer.flush()


def _list(rng: random.Random, number: int, size: int) -> Recommendation:
    items: list[dict[str, object]] = [{"item": f"video{rng.randrange(_ITEMS):06d}", "score": rng.random()} for _ in range(size)]
    for entry in items[:10]:
        entry["why"] = {name: rng.random() for name in ("net", "trend", "neighbours")}
    topics = {network: [[rng.randrange(60), round(rng.random(), 4)] for _ in range(5)] for network in ("twitter", "gplus")}
    window = {"gap_seconds": rng.random() * 1e5, "posts": {"twitter": 5, "gplus": 2}, "topics": topics}
    last = Last("video000001", rng.randrange(1, 500), None, rng.randrange(1, 500), window)
    return Recommendation(
        f"youtube-events-0-{number}", f"user{number}", 1_700_000_000_000 + number, "interaction", items, window,
        [(step, rng.random()) for step in range(1, 6)], last, {"version": "0123456789abcdef", "preset": "full", "lessons": number},
    )  # fmt: skip


# ---- clients ----


async def _ask(port: int, pid: int, users: int) -> dict[str, float]:
    """As fast as it goes, then at a fixed rate."""
    rng = random.Random(11)  # noqa: S311 - a seed, not a secret
    clients = [await _Client.connect(port) for _ in range(_CONNECTIONS)]
    end, spent = time.perf_counter() + _SECONDS, _cpu_seconds(pid)
    done = await asyncio.gather(*(_unpaced(client, rng, users, end) for client in clients))
    spent = _cpu_seconds(pid) - spent
    seconds = await _paced(clients, rng, users)
    for client in clients:
        client.close()
    ordered = sorted(seconds)
    at = {name: round(ordered[int(len(ordered) * share)] * 1000, 2) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    latency = {f"{name}_at_{_RATE}_per_second": value for name, value in at.items()}
    return {"gets_per_second": round(sum(done) / _SECONDS), "gets_per_cpu_second": round(sum(done) / spent), **latency}


async def _unpaced(client: "_Client", rng: random.Random, users: int, end: float) -> int:
    done = 0
    while time.perf_counter() < end:
        await client.get(f"/recommendations/user{rng.randrange(users)}")
        done += 1
    return done


async def _paced(clients: list["_Client"], rng: random.Random, users: int) -> list[float]:
    """Seconds from when each request was due to its answer; requests wait for a free connection."""
    free: asyncio.Queue[_Client] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    start, seconds = time.perf_counter(), list[float]()

    async def one(client: _Client, due: float) -> None:
        await client.get(f"/recommendations/user{rng.randrange(users)}")
        seconds.append(time.perf_counter() - due)
        free.put_nowait(client)

    async with asyncio.TaskGroup() as group:
        for number in range(round(_RATE * _SECONDS)):
            due = start + number / _RATE
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(await free.get(), due))
    return seconds


class _Client:
    """One keep-alive connection; an HTTP library would take longer than what it measures."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "_Client":
        return cls(*await asyncio.open_connection(HOST, port))

    async def get(self, path: str) -> bytes:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {head[:100]!r}")
        start = head.lower().index(b"content-length:") + len(b"content-length:")
        return await self._reader.readexactly(int(head[start : head.index(b"\r\n", start)]))

    def close(self) -> None:
        self._writer.close()


# ---- processes ----


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program on one core, the last this process may use; what it asks for runs on the others."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    os.sched_setaffinity(0, set(cores[:-1]) or set(cores))
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        os.sched_setaffinity(0, set(cores))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not ready within {_WAIT_SECONDS:.0f} s")
        time.sleep(0.1)


def _get(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

"""The worker under faults, one after the other for so long: what was lost, what came twice, how soon the work went on.

Every fault has a log of its own, which ends with an audit against an undisturbed run (`audit.py`).
"""

import asyncio
import itertools
import random
import signal
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import kafka_topics
from streams.bench.audit import audit
from streams.bench.bed import Bed, Own, bed
from streams.bench.hostile import hostile
from streams.bench.program import Program, wait
from streams.connection import admin, consumer, producer
from streams.faults import POINTS
from streams.replay import value_of
from streams.settings import Settings

_WAIT_SECONDS = 120.0
_POSTS, _INTERACTIONS = 600, 400
_OFFSETS = "__consumer_offsets"
_TARGET_SHARE = 0.2
_SETTINGS = {
    "CROSSNET_WORKER__COMMIT_MS": "200", "CROSSNET_WORKER__COMMIT_EVENTS": "200", "CROSSNET_WORKER__CHECKPOINT_INTERACTIONS": "150",
    "CROSSNET_WORKER__SESSION_TIMEOUT_MS": "6000", "CROSSNET_WORKER__TRANSACTION_TIMEOUT_MS": "5000",
}  # fmt: skip


@dataclass(slots=True)
class Case:
    """One fault, its log, and what it has cost so far."""

    name: str
    own: Own
    strike: "Strike"
    seconds: list[float] = field(default_factory=list)
    "until the work went on, each time"

    def times(self) -> int:
        """How often it has struck."""
        return len(self.seconds)


Strike = Callable[[Own, Program], None]


def run(minutes: float = 10.0, hostile_records: int = 100_000) -> dict[str, object]:
    """Strike for so long, each fault in turn (but each once), then compare each log with what it left.

    After them one worker reads hostile records beside good ones.
    """
    with bed(60, 200, ("--topics", "15", "--sweeps", "10", "--epochs", "1", "--hidden", "32", "--preset", "full")) as found:
        strikes = enumerate(_strikes(found).items())
        cases = [Case(name, found.own(f"case-{number}", _SETTINGS), strike) for number, (name, strike) in strikes]
        deadline = time.monotonic() + minutes * 60
        for number, case in enumerate(itertools.cycle(cases)):
            if number >= len(cases) and time.monotonic() > deadline:
                break
            _once(case)
        rows = [_row(case) for case in cases]
        rows.append(_fuzzed(found.own("hostile", _SETTINGS), hostile_records))
    return {"bench": "faults", "minutes": minutes, "times": sum(case.times() for case in cases), "faults": rows}


def _once(case: Case) -> None:
    """New records, a worker that is struck, and one that ends the work."""
    draw, start = np.random.default_rng(case.times()), case.times() * 10 * _POSTS
    asyncio.run(case.own.send(case.own.bed.mixed(_POSTS, _INTERACTIONS, draw, start)))
    point = f"{case.name}:{2 if case.name.startswith('lists') else 1}" if case.name in POINTS else ""
    if case.strike is _timed_out:
        point = "transaction.inside:1:STOP"
    with case.own.worker(point) as worker:
        wait(lambda: worker.is_ready() or worker.has_ended(), f"the worker is ready; see {worker.log}", _WAIT_SECONDS)
        case.strike(case.own, worker)
        begun = time.monotonic()
        if not worker.has_ended():
            wait(lambda: worker.has_ended() or worker.is_drained(), f"it ended or went on; see {worker.log}", _WAIT_SECONDS)
            worker.stop()
    with case.own.worker() as worker:
        wait(worker.is_ready, f"the next worker is ready; see {worker.log}", _WAIT_SECONDS)
        case.seconds.append(time.monotonic() - begun)
        wait(worker.is_drained, f"all is read; see {worker.log}", _WAIT_SECONDS)
        worker.stop()


def _row(case: Case) -> Mapping[str, object]:
    found = audit(case.own.artifact, case.own.settings())
    return {
        "fault": case.name, "times": case.times(), "interactions": found.interactions, "lost": found.lost, "doubled": found.doubled,
        "differing_users": len(found.differing), "same_weights": found.same_weights,
        "seconds_to_recover": round(statistics.median(case.seconds), 1),
    }  # fmt: skip


def _fuzzed(own: Own, count: int) -> Mapping[str, object]:
    draw = random.Random(7)  # noqa: S311 - no secret
    good = [value_of(one) for one in own.bed.mixed(_POSTS, _INTERACTIONS, np.random.default_rng(0), 0)]
    mixed = [*good, *hostile(good, count, draw)]
    draw.shuffle(mixed)
    asyncio.run(_write(own, mixed, draw))
    with own.worker() as worker:
        begun = time.monotonic()
        wait(lambda: worker.has_ended() or worker.is_drained(), f"all is read; see {worker.log}", 10 * _WAIT_SECONDS)
        seconds, ended = time.monotonic() - begun, worker.has_ended()
        parts = ("processed_records", "dead_letters", "repeated_records", "forgotten_users")
        uncounted = worker.total("crossnet_records_total") - sum(worker.total(f"crossnet_{part}_total") for part in parts)
        letters = worker.total("crossnet_dead_letters_total")
        worker.stop()
    found = audit(own.artifact, own.settings())
    return {
        "fault": "hostile records", "times": len(mixed), "worker_deaths": int(ended), "dead_letters": int(letters),
        "uncounted": int(uncounted), "interactions": found.interactions, "lost": found.lost, "doubled": found.doubled,
        "differing_users": len(found.differing), "same_weights": found.same_weights, "seconds": round(seconds, 1),
    }  # fmt: skip


async def _write(own: Own, values: Sequence[bytes], draw: random.Random) -> None:
    """A fifth to the target, the others to a source network, wherever they belong."""
    settings = own.settings()
    async with producer(settings.kafka, linger_ms=5, max_request_size=4 * 2**20) as client:
        for value in values:
            name = settings.kafka.target if draw.random() < _TARGET_SHARE else settings.networks["twitter"]
            await client.send(name, value, key=value[:20], partition=draw.randrange(settings.kafka.partitions))


def _strikes(found: Bed) -> dict[str, Strike]:
    draw = random.Random(1)  # noqa: S311 - no secret

    def at_a_point(_: Own, worker: Program) -> None:
        wait(worker.has_ended, f"it dies at its point; see {worker.log}", _WAIT_SECONDS)

    def killed(_: Own, worker: Program) -> None:
        time.sleep(draw.uniform(0, 1))
        worker.kill()

    def stopped(_: Own, worker: Program) -> None:
        time.sleep(draw.uniform(0, 1))
        worker.stop()

    strikes: dict[str, Strike] = {name: at_a_point for name in POINTS if name != "restore.inside"}
    strikes |= {"kill -9": killed, "SIGTERM": stopped, "SIGSTOP 20 s, a standby": _frozen, "lists refused": _refused()}
    strikes |= {"transaction times out": _timed_out, "newest checkpoint cut": _cut}
    if found.broker is not None:
        strikes |= {"broker kill -9": _broker_gone(0), "broker away 60 s": _broker_gone(60)}
    return strikes


def _timed_out(own: Own, worker: Program) -> None:
    """It froze inside a transaction, which Kafka ends; then it goes on, and must not."""
    settings = own.settings()
    wait(worker.is_stopped, f"it freezes at its point; see {worker.log}", _WAIT_SECONDS)
    wait(lambda: not asyncio.run(has_open_offsets(settings)), "Kafka ends the transaction", _WAIT_SECONDS)
    worker.process.send_signal(signal.SIGCONT)
    wait(worker.has_ended, f"it ends; see {worker.log}", _WAIT_SECONDS)


async def has_open_offsets(settings: Settings) -> bool:
    """Whether somebody's offsets are in a transaction that is neither committed nor aborted.

    Of all that a commit writes, they alone are sure to have reached the broker at the point inside it.
    """
    count = (await kafka_topics.partitions(settings, [_OFFSETS]))[_OFFSETS]
    places = [TopicPartition(_OFFSETS, number) for number in range(count)]
    ends: list[int] = []
    for isolation in ("read_committed", "read_uncommitted"):
        async with consumer(settings.kafka, isolation_level=isolation) as client:
            ends.append(sum((await client.end_offsets(places)).values()))
    return ends[0] < ends[1]


def _cut(own: Own, worker: Program) -> None:
    """It dies, and the last thing that it had written of its weights is not whole."""
    wait(lambda: worker.total("crossnet_checkpoints_total") > 0, f"it writes a checkpoint; see {worker.log}", _WAIT_SECONDS)
    worker.kill()
    tensors = max((own.artifact / "online").glob("[0-9]*")) / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1000])


def _frozen(own: Own, worker: Program) -> None:
    with own.worker() as standby:
        wait(lambda: standby.metrics().get("crossnet_standby") == 1, f"it stands by; see {standby.log}", _WAIT_SECONDS)
        worker.process.send_signal(signal.SIGSTOP)
        time.sleep(20)
        wait(standby.is_ready, f"the standby has taken over; see {standby.log}", _WAIT_SECONDS)
        worker.process.send_signal(signal.SIGCONT)
        wait(worker.has_ended, f"the frozen one ends; see {worker.log}", _WAIT_SECONDS)
        standby.stop()


def _broker_gone(seconds: float) -> Strike:
    def strike(own: Own, _: Program) -> None:
        broker = own.bed.broker
        if broker is None:
            raise RuntimeError("a broker of somebody else is not killed")
        broker.kill()
        time.sleep(seconds)
        broker.up()

    return strike


def _refused() -> Strike:
    rounds = itertools.count()

    def strike(own: Own, worker: Program) -> None:
        asyncio.run(limit_lists(own.settings(), "100"))
        try:
            # After all that was sent and before all that will be: a later time would be late records in the next round.
            more = own.bed.interactions(1, np.random.default_rng(0), (10 * next(rounds) + 5) * _POSTS)
            asyncio.run(own.send(more))
            wait(worker.has_ended, f"it stops when its lists are refused; see {worker.log}", _WAIT_SECONDS)
        finally:
            asyncio.run(limit_lists(own.settings(), str(2**20)))

    return strike


async def limit_lists(settings: Settings, size: str) -> None:
    """Have Kafka refuse lists of more bytes than this."""
    async with admin(settings.kafka) as client:
        given = {"max.message.bytes": size, "cleanup.policy": "compact,delete"}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka.recommendations, given)])

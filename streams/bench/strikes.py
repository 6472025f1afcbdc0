"""The faults that `bench faults` strikes with, each at a worker at work, on Kafka topics of its own."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from streams import restore
from streams.bench.audit import Toll
from streams.bench.bed import Bed, Own
from streams.bench.damage import (
    FULL,
    READ_ONLY,
    alter_row,
    can_mount,
    cut_newest,
    delete_before,
    has_open_offsets,
    limit_lists,
    mounted,
)
from streams.bench.program import Program, wait
from streams.faults import POINTS
from streams.records import Source
from streams.settings import Settings

WAIT_SECONDS = 120.0
ROUND_STEPS = 6_000  # of event time, from the first record of a round to that of the next
_DELETED = 40


@dataclass(frozen=True, slots=True)
class Struck:
    """Whom a fault strikes: the worker at work on `own`, for the `number`-th time; `toll` notes what the fault itself takes."""

    own: Own
    worker: Program
    toll: Toll
    number: int

    def send_more(self, count: int) -> None:
        """Interactions after all that was sent and before all that will be: a later time would be late records in the next round."""
        start = self.number * ROUND_STEPS + ROUND_STEPS // 2
        asyncio.run(self.own.send(self.own.bed.interactions(count, np.random.default_rng(0), start)))

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Return when the condition holds of the worker."""
        wait(condition, f"{what}; see {self.worker.log}", WAIT_SECONDS)


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault."""

    do: Callable[[Struck], None]
    point: str = ""
    "where the worker dies or freezes by itself, as CROSSNET_FAULT names it"
    explained: tuple[str, ...] = ()
    "what its workers may log at level error"
    repeats: bool = False
    "every record is sent two or three times under its id"


def strikes(found: Bed) -> tuple[dict[str, Strike], list[str]]:
    """All faults by name, and the names of those that cannot be made real here."""
    draw = random.Random(1)  # noqa: S311 - no secret
    killed, fenced = partial(_killed, draw), ("has taken over, or this one stood still longer than Kafka waits",)
    full = {"checkpoint folder full": Strike(_no_checkpoint(FULL)), "checkpoint folder read-only": Strike(_no_checkpoint(READ_ONLY))}
    broker = {"broker kill -9": Strike(_broker_gone(0)), "broker away 60 s": Strike(_broker_gone(60))}
    points = {name: Strike(_at_its_point, f"{name}:{2 if name.startswith('lists') else 1}") for name in POINTS}
    others = {
        "restore.inside": Strike(_while_restoring),
        "kill -9": Strike(killed),
        "SIGTERM": Strike(partial(_stopped, draw)),
        "SIGSTOP 20 s, a standby": Strike(_frozen, explained=fenced),
        "transaction times out": Strike(_timed_out, "transaction.inside:1:STOP", explained=fenced),
        "lists refused": Strike(_refused, explained=("MessageSizeTooLarge", "We experienced a crash!")),
        "newest checkpoint cut": Strike(_cut),
        "state row altered": Strike(_altered, explained=("its user starts anew",)),
        "records deleted unread": Strike(_deleted),
        "records repeated, kill -9": Strike(killed, repeats=True),
    }
    missing = [*([] if can_mount() else full), *(broker if found.broker is None else [])]
    return {name: one for name, one in (points | others | full | broker).items() if name not in missing}, missing


# ---- at the process ----


def _at_its_point(struck: Struck) -> None:
    struck.wait(struck.worker.has_ended, "it dies at its point")


def _while_restoring(struck: Struck) -> None:
    struck.wait(lambda: struck.worker.total("crossnet_commits_total") > 1, "it leaves lessons to restore")
    struck.worker.kill()
    with struck.own.worker("restore.inside") as second:
        wait(second.has_ended, f"it dies at its point; see {second.log}", WAIT_SECONDS)


def _killed(draw: random.Random, struck: Struck) -> None:
    time.sleep(draw.uniform(0, 1))
    struck.worker.kill()


def _stopped(draw: random.Random, struck: Struck) -> None:
    time.sleep(draw.uniform(0, 1))
    struck.worker.stop()


def _frozen(struck: Struck) -> None:
    with struck.own.worker() as standby:
        wait(lambda: standby.metrics().get("crossnet_standby") == 1, f"it stands by; see {standby.log}", WAIT_SECONDS)
        struck.worker.process.send_signal(signal.SIGSTOP)
        time.sleep(20)
        wait(standby.is_ready, f"the standby has taken over; see {standby.log}", WAIT_SECONDS)
        struck.worker.process.send_signal(signal.SIGCONT)
        struck.wait(struck.worker.has_ended, "the frozen one ends")
        standby.stop()


# ---- at Kafka ----


def _timed_out(struck: Struck) -> None:
    """It froze inside a transaction, which Kafka ends; then it goes on, and must not."""
    settings = struck.own.settings()
    struck.wait(struck.worker.is_stopped, "it freezes at its point")
    wait(lambda: not asyncio.run(has_open_offsets(settings)), "Kafka ends the transaction", WAIT_SECONDS)
    struck.worker.process.send_signal(signal.SIGCONT)
    struck.wait(struck.worker.has_ended, "it ends")


def _broker_gone(seconds: float) -> Callable[[Struck], None]:
    def strike(struck: Struck) -> None:
        broker = struck.own.bed.broker
        if broker is None:
            raise RuntimeError("a broker of somebody else is not killed")
        broker.kill()
        time.sleep(seconds)
        broker.up()

    return strike


def _refused(struck: Struck) -> None:
    settings = struck.own.settings()
    asyncio.run(limit_lists(settings, "100"))
    try:
        struck.send_more(1)
        struck.wait(struck.worker.has_ended, "it stops when its lists are refused")
    finally:
        asyncio.run(limit_lists(settings, str(2**20)))


def _altered(struck: Struck) -> None:
    """A byte of a stored row flips while nobody is at work."""
    struck.wait(struck.worker.is_drained, "all is read")
    struck.worker.stop()
    struck.toll.users.add(asyncio.run(alter_row(struck.own.settings())))


def _deleted(struck: Struck) -> None:
    """Half of what nobody has read yet falls victim to retention, and all before it."""
    struck.wait(lambda: struck.worker.total("crossnet_commits_total") > 1, "it reads some")
    struck.worker.kill()
    struck.send_more(_DELETED)
    asyncio.run(_delete_unread(struck.own.settings(), struck.toll))


async def _delete_unread(settings: Settings, toll: Toll) -> None:
    committed = (await restore.start_offsets(settings, earliest=True)).offsets
    for number in range(settings.kafka.partitions):
        name = settings.kafka.target
        kept = [one async for one in restore.read(settings, name, [number], 0)]
        unread = [one for one in kept if one.offset >= committed[name, number]]
        if unread:
            first = unread[len(unread) // 2].offset
            toll.read += [one for one in kept if one.offset < committed[name, number]]
            toll.unread |= {Source(name, number, one.offset) for one in unread if one.offset < first}
            await delete_before(settings, name, number, first)


# ---- at the folder of checkpoints ----


def _cut(struck: Struck) -> None:
    """It dies, and the last thing that it had written of its weights is not whole."""
    struck.wait(lambda: struck.worker.total("crossnet_checkpoints_total") > 0, "it writes a checkpoint")
    struck.worker.kill()
    cut_newest(struck.own.artifact)


def _no_checkpoint(options: str) -> Callable[[Struck], None]:
    """The worker lives through it: it goes on, and the lessons stay."""

    def strike(struck: Struck) -> None:
        with mounted(struck.own.artifact / "online", options):
            struck.wait(lambda: struck.worker.total("crossnet_failed_checkpoints_total") > 0, "a checkpoint fails")

    return strike

"""The worker under faults, one after the other for so long: what was lost, what came twice, how soon the work went on.

Every fault has a log of its own, which ends with an audit against an undisturbed run (`audit.py`).
"""

import asyncio
import itertools
import json
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from streams.bench.audit import Toll, audit
from streams.bench.bed import Own, bed
from streams.bench.hostile import hostile
from streams.bench.program import wait
from streams.bench.strikes import ROUND_STEPS, WAIT_SECONDS, Strike, Struck, strikes
from streams.connection import producer
from streams.errors import CrossnetError
from streams.records import Interaction, Post
from streams.replay import value_of

_POSTS, _INTERACTIONS = 600, 400
_TARGET_SHARE = 0.2
_HOSTILE = "hostile records"
_LESSONS_LOST = "the weights lack them"  # a warning only, as they may be of another artifact
_SETTINGS = {
    "CROSSNET_WORKER__COMMIT_MS": "200", "CROSSNET_WORKER__COMMIT_EVENTS": "200", "CROSSNET_WORKER__CHECKPOINT_INTERACTIONS": "100",
    "CROSSNET_WORKER__SESSION_TIMEOUT_MS": "6000", "CROSSNET_WORKER__TRANSACTION_TIMEOUT_MS": "5000", "CROSSNET_LOG_FORMAT": "json",
    "CROSSNET_WORKER__CHECKPOINTS_KEPT": "2",
}  # fmt: skip
_WELL = {"uncounted": 0, "lost": 0, "astray": 0, "doubled": 0, "differing_users": 0, "same_weights": True, "unexplained_errors": 0}


@dataclass(slots=True)
class Case:
    """One fault, its log, and what it has cost so far."""

    name: str
    own: Own
    strike: Strike
    toll: Toll = field(default_factory=Toll)
    seconds: list[float] = field(default_factory=list)
    "until the work went on, each time"
    uncounted: int = 0
    broke: str = ""
    "what did not come about in its last round, which is then not repeated"

    def times(self) -> int:
        """How often it has struck."""
        return len(self.seconds)


def run(minutes: float = 10.0, only: Sequence[str] = (), hostile_records: int = 100_000) -> dict[str, Any]:
    """Strike for so long, each fault in turn (but each once), then compare each log with what it left.

    After them one worker reads hostile records beside good ones. With `only` just these faults.
    """
    with bed(60, 200, ("--topics", "15", "--sweeps", "10", "--epochs", "1", "--hidden", "32", "--preset", "full")) as found:
        known, missing = strikes(found)
        unknown = sorted({*only} - {*known, *missing, _HOSTILE})
        if unknown:
            raise CrossnetError(f"no fault is called {', '.join(unknown)}; there are: {', '.join([*known, *missing, _HOSTILE])}")
        chosen = {name: strike for name, strike in known.items() if not only or name in only}
        cases = [Case(name, found.own(f"case-{number}", _SETTINGS), strike) for number, (name, strike) in enumerate(chosen.items())]
        deadline = time.monotonic() + minutes * 60
        for number, case in enumerate(itertools.cycle(cases)):
            if number >= len(cases) and time.monotonic() > deadline:
                break
            _try(case)
        rows = [_row(case) for case in cases]
        if not only or _HOSTILE in only:
            rows.append(_fuzzed(found.own("hostile", _SETTINGS), hostile_records))
    well = all(row["well"] for row in rows)
    return {"bench": "faults", "minutes": minutes, "strikes": sum(case.times() for case in cases), "well": well, "left_out": missing,
            "faults": rows}  # fmt: skip


def _try(case: Case) -> None:
    try:
        if not case.broke:
            _once(case)
    except (RuntimeError, CrossnetError, OSError, subprocess.SubprocessError) as error:
        case.broke = f"{type(error).__name__}: {error}"


def _once(case: Case) -> None:
    """New records, a worker that is struck, and one that ends the work."""
    asyncio.run(case.own.send(_records(case)))
    unread = len(case.toll.unread)
    with case.own.worker(case.strike.point) as worker:
        wait(lambda: worker.is_ready() or worker.has_ended(), f"the worker is ready; see {worker.log}", WAIT_SECONDS)
        case.strike.do(Struck(case.own, worker, case.toll, case.times()))
        begun = time.monotonic()
        if not worker.has_ended():
            wait(lambda: worker.has_ended() or worker.is_drained(), f"it ended or went on; see {worker.log}", WAIT_SECONDS)
            worker.stop()
    with case.own.worker() as worker:
        wait(worker.is_ready, f"the next worker is ready; see {worker.log}", WAIT_SECONDS)
        case.seconds.append(time.monotonic() - begun)
        wait(worker.is_drained, f"all is read; see {worker.log}", WAIT_SECONDS)
        unread = len(case.toll.unread) - unread
        case.uncounted += uncounted(worker.total) + abs(int(worker.total("crossnet_lost_records")) - unread)
        worker.stop()


def _records(case: Case) -> list[Post | Interaction]:
    draw = np.random.default_rng(case.times())
    records = case.own.bed.mixed(_POSTS, _INTERACTIONS, draw, case.times() * ROUND_STEPS)
    if not case.strike.repeats:
        return records
    named = [replace(one, id=f"{case.times()}-{number}") for number, one in enumerate(records)]
    return [one for one in named for _ in range(draw.integers(2, 4))]


def uncounted(total: Callable[[str], float]) -> int:
    """How many of the records that a worker has read are in no counter of what became of them; `total` gives a counter's sum."""
    parts = ("processed_records", "dead_letters", "repeated_records", "forgotten_users")
    return int(abs(total("crossnet_records_total") - sum(total(f"crossnet_{part}_total") for part in parts)))


def _row(case: Case) -> dict[str, object]:
    seconds = round(statistics.median(case.seconds), 1) if case.seconds else None
    return {"fault": case.name, "times": case.times()} | _found(case) | {"seconds_to_recover": seconds}


def _found(case: Case) -> dict[str, object]:
    """What is wrong; `well` where nothing is. Users whose rows were altered are expected to differ, and counted by themselves."""
    try:
        found = audit(case.own.artifact, case.own.settings(), case.toll)
    except Exception as error:  # what the other faults have shown is worth having
        return {"well": False, "broke": f"{case.broke} its audit: {type(error).__name__}: {error}".strip()}
    errors = unexplained(case.own.artifact, case.strike.explained)
    figures = {
        "uncounted": case.uncounted, "lost": found.lost, "astray": found.astray, "doubled": found.doubled,
        "differing_users": len(set(found.differing) - case.toll.users), "same_weights": found.same_weights,
        "unexplained_errors": len(errors),
    }  # fmt: skip
    taken = {"altered_users": len(case.toll.users), "unread_records": len(case.toll.unread)}
    said = {"first_error": errors[0][:300] if errors else "", "broke": case.broke}
    return {"interactions": found.interactions, **taken, **figures, "well": figures == _WELL and not case.broke, **said}


def unexplained(artifact: Path, explained: Sequence[str]) -> list[str]:
    """Lines of the workers' logs that are at level error, or no JSON, or tell of lessons lost, and have none of these phrases."""
    lines = [line for log in sorted(artifact.glob("worker-*.log")) for line in log.read_text("utf-8", "replace").splitlines()]
    return [line for line in lines if _is_error(line) and not any(phrase in line for phrase in explained)]


def _is_error(line: str) -> bool:
    try:
        return json.loads(line)["level"] in ("error", "critical") or _LESSONS_LOST in line
    except (ValueError, KeyError, TypeError):
        return True


def _fuzzed(own: Own, count: int) -> dict[str, object]:
    draw = random.Random(7)  # noqa: S311 - no secret
    good = [value_of(one) for one in own.bed.mixed(_POSTS, _INTERACTIONS, np.random.default_rng(0), 0)]
    mixed = [*good, *hostile(good, count, draw)]
    draw.shuffle(mixed)
    asyncio.run(_write(own, mixed, draw))
    case = Case(_HOSTILE, own, Strike(lambda _: None))
    with own.worker() as worker:
        begun = time.monotonic()
        wait(lambda: worker.has_ended() or worker.is_drained(), f"all is read; see {worker.log}", 10 * WAIT_SECONDS)
        seconds, case.broke = time.monotonic() - begun, "the worker died" if worker.has_ended() else ""
        case.uncounted, letters = uncounted(worker.total), int(worker.total("crossnet_dead_letters_total"))
        worker.stop()
    return {"fault": _HOSTILE, "times": len(mixed), "dead_letters": letters} | _found(case) | {"seconds": round(seconds, 1)}


async def _write(own: Own, values: Sequence[bytes], draw: random.Random) -> None:
    """A fifth to the target, the others to a source network, wherever they belong."""
    settings = own.settings()
    async with producer(settings.kafka, linger_ms=5, max_request_size=4 * 2**20) as client:
        for value in values:
            name = settings.kafka.target if draw.random() < _TARGET_SHARE else settings.networks["twitter"]
            await client.send(name, value, key=value[:20], partition=draw.randrange(settings.kafka.partitions))

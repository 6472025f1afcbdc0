"""Jobs: one system, one seed, fitted, tuned on the validation part and streamed; each leaves a file, so that a run can be resumed."""

import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.contract import Ranker
from model.metrics.mean import mean_over_users
from model.metrics.ndcg import gain
from streams.errors import DataError
from streams.evaluate import systems
from streams.evaluate.cases import TEST_PART, VALIDATION_PART, Cases
from streams.evaluate.inputs import ALL_POSTS, Inputs, read
from streams.evaluate.protocol import Outcome, Protocol, begin, stream
from streams.folder import Folder
from streams.settings import Settings

_TUNED_AT = 100  # the best variant has the highest validation NDCG at this K
_SCORES = {"validation", "test"}


@dataclass(frozen=True, slots=True)
class Job:
    """One system on one seed."""

    name: str
    "in the results"
    system: str
    inputs: Inputs
    size: systems.Size
    seed: int
    settings: tuple[tuple[str, Any], ...] = ()
    "fixed ones"
    shown: tuple[tuple[tuple[str, Any], ...], ...] = ()
    "online settings that are streamed after the system's variants, to be told and never chosen"

    @property
    def file(self) -> str:
        """Name of its file."""
        return "".join(one if one.isalnum() or one in "-=." else "_" for one in f"{self.name}-{self.seed}") + ".npz"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a job gave, of the best variant."""

    job_name: str
    seed: int
    rank_E: NDArray[np.int32]
    lists_TK: NDArray[np.int32]
    "lists of the test part"
    events_per_second: float
    settings: Mapping[str, Any]
    "of the best variant"
    tried: Sequence[Mapping[str, Any]] = field(default_factory=list)
    "every variant, and what else was streamed: settings, and NDCG@100 on validation and test part"

    def tells_of(self, job: Job) -> bool:
        """Whether it has all that the job shows; a run that shows more does as well."""
        told = {_as_text({name: one[name] for name in one.keys() - _SCORES}) for one in self.tried}
        return all(_as_text(dict(one)) in told for one in job.shown)


def run(job: Job, cases: Cases, protocol: Protocol) -> Run:
    """Fit, try the variants on the validation part, keep the best one."""
    variants, shown = systems.variants(job.system), [dict(one) for one in job.shown]
    best: tuple[float, Outcome, Mapping[str, Any]] | None = None
    tried = []
    for settings, ranker, begun in _fitted(job, [*variants, *shown], cases, protocol):
        outcome = stream(ranker, cases, protocol, begun=begun)
        score = ndcg(outcome, cases, VALIDATION_PART)
        tried.append({**settings, "validation": score, "test": ndcg(outcome, cases, TEST_PART)})
        if best is None or (len(tried) <= len(variants) and score > best[0]):
            best = score, outcome, settings
    if best is None:
        raise DataError(f"{job.name} has no variant to run; give at least one, {{}} for the defaults")
    _, outcome, settings = best
    lists_TK = outcome.lists_EK[cases.part_E == TEST_PART]
    return Run(job.name, job.seed, outcome.rank_E, lists_TK, outcome.events_per_second, {**dict(job.settings), **settings}, tried)


def _fitted(
    job: Job, variants: Sequence[Mapping[str, Any]], cases: Cases, protocol: Protocol
) -> Iterator[tuple[Mapping[str, Any], Ranker, int]]:
    """Each variant with its fitted system, and how much that has counted; those that differ in online settings only share both."""
    online, begun = systems.online_settings(job.system), 0
    fits: dict[str, Any] = {}
    for variant in variants:
        offline = {name: value for name, value in variant.items() if name not in online}
        key = _as_text(offline)
        if key not in fits:
            fits = {key: systems.make(job.system, job.size, job.seed, **dict(job.settings), **offline)}
            fits[key].fit(cases.training())
            begun = begin(fits[key], cases, protocol)
        later = {name: value for name, value in variant.items() if name in online}
        yield variant, fits[key].with_settings(**later) if online else fits[key], begun


def _as_text(settings: Mapping[str, Any]) -> str:
    """To compare settings by, of a file too, which knows no tuples."""
    return json.dumps(settings, sort_keys=True)


def ndcg(outcome: Outcome, cases: Cases, part: int) -> float:
    """NDCG@100 of one part of the cases, mean over users."""
    rows = np.flatnonzero(cases.part_E == part)
    return mean_over_users((cases.users[cases.events[row].user], gain(int(outcome.rank_E[row]), _TUNED_AT)) for row in rows)


def fingerprint(job: Job, protocol: Protocol, data: str) -> str:
    """What a file must have been made from to be used again, whatever else it tells of; `data` is the hash of the folder."""
    return hashlib.sha256(repr((replace(job, shown=()), protocol, data)).encode()).hexdigest()


def hash_of(path: Path) -> str:
    """Hash of a data folder's files."""
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.jsonl*")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def save(run_: Run, made_from: str, file: Path) -> None:
    """Write a run whole or not at all."""
    meta = {
        "name": run_.job_name, "seed": run_.seed, "events_per_second": run_.events_per_second, "settings": run_.settings,
        "tried": run_.tried, "made_from": made_from,
    }  # fmt: skip
    partial = file.with_suffix(".partial")
    with partial.open("wb") as out:
        np.savez_compressed(out, rank_E=run_.rank_E, lists_TK=run_.lists_TK, meta=np.array(json.dumps(meta)))
    partial.replace(file)


def load(file: Path, made_from: str) -> Run | None:
    """The run in a file; None when it is missing, damaged, or made from something else."""
    with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile):
        arrays = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
        meta = json.loads(str(arrays["meta"]))
        if meta["made_from"] == made_from:
            return Run(
                meta["name"], meta["seed"], arrays["rank_E"], arrays["lists_TK"], meta["events_per_second"],
                meta["settings"], meta["tried"],
            )  # fmt: skip
    return None


# ---- side by side ----

_held: dict[Inputs, Cases] = {}  # of this process


def run_all(
    jobs: Sequence[Job], path: Path, cases: Mapping[Inputs, Cases], settings: Settings, protocol: Protocol, processes: int,
    done: Callable[[Job, Run], None],
) -> None:  # fmt: skip
    """Run jobs in processes of their own; `done` is called as each ends. The first error stops the rest."""
    # Read by torch when the processes load it: threads, and large tensors in large pages, which saves a fit some 4 % of its time.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // processes))
    os.environ["THP_MEM_ALLOC_ENABLE"] = "1"
    context = get_context("spawn")  # torch does not survive a fork
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(dict(cases),)) as pool:
        futures: dict[Future[Run], Job] = {pool.submit(_run, one, path, settings, protocol): one for one in jobs}
        try:
            for future in as_completed(futures):
                done(futures[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise


def _begin(held: dict[Inputs, Cases]) -> None:
    """In a new process: take what all jobs share, and end with the command, which may be killed before it can say so."""
    _held.update(held)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(job: Job, path: Path, settings: Settings, protocol: Protocol) -> Run:
    if job.inputs not in _held:
        whole = _held.get(replace(job.inputs, posts=ALL_POSTS))
        _held[job.inputs] = read(Folder(path), job.inputs, settings, whole.service if whole else None)
    return run(job, _held[job.inputs], protocol)

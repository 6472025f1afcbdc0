"""The whole comparison: which jobs there are, and the files that tell what came of them."""

import csv
import gzip
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streams.evaluate import figures, runs, scores, systems
from streams.evaluate.cases import TEST_PART, TRAIN_PART, VALIDATION_PART, Cases
from streams.evaluate.charts import Chart
from streams.evaluate.inputs import read
from streams.evaluate.plan import FACTORS, WHOLE, Plan, jobs_of
from streams.evaluate.report import page
from streams.evaluate.runs import Job, Run
from streams.folder import Folder
from streams.settings import Settings

_WRITING_SHARE = 0.02  # of the time, at most, for results of what is there so far


@dataclass(slots=True)
class Comparison:
    """A plan on a data folder, with the runs there are so far; `write` may be called after every one."""

    path: Path
    out: Path
    plan: Plan
    settings: Settings
    cases: Cases
    done: dict[tuple[str, int], Run] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, out: Path, plan: Plan, settings: Settings) -> "Comparison":
        """Read the data and make the folder."""
        cases = read(Folder(path), plan.inputs, settings)
        (out / "runs").mkdir(parents=True, exist_ok=True)
        return cls(path, out, plan, settings, cases)

    def run(self, processes: int, resume: bool, tell: Callable[[Job, Run, int], None]) -> None:  # noqa: FBT001 - named at its one call
        """Run what is missing; `tell(job, run, left)` after each, once its file is written; results now and then, and at the end."""
        jobs = jobs_of(self.plan, self.cases.networks)
        data = runs.hash_of(self.path)
        made_from = {one: runs.fingerprint(one, self.plan.protocol, data) for one in jobs}
        for job in jobs:
            found = runs.load(self._file(job), made_from[job]) if resume else None
            if found is not None and found.tells_of(job):
                self.done[job.name, job.seed] = found
        left = [one for one in jobs if (one.name, one.seed) not in self.done]
        left.sort(key=lambda one: not systems.fits_a_net(one.system))  # these first, so that no process waits long for the others
        write_after = 0.0

        def finished(job: Job, run: Run) -> None:
            nonlocal write_after
            runs.save(run, made_from[job], self._file(job))
            self.done[job.name, job.seed] = run
            left.remove(job)
            started = time.monotonic()
            if left and started >= write_after:
                self.write(len(left))
                ended = time.monotonic()
                write_after = ended + (ended - started) / _WRITING_SHARE
            tell(job, run, len(left))

        try:
            runs.run_all(list(left), self.path, {self.plan.inputs: self.cases}, self.settings, self.plan.protocol, processes, finished)
        finally:
            self.write(len(left))

    def _file(self, job: Job) -> Path:
        return self.out / "runs" / job.file

    # ---- results ----

    def write(self, left: int) -> None:
        """metrics.json, users.csv.gz and report.html, of what is there."""
        by_name = self._by_user()
        metrics = self._metrics(by_name)
        note = f"{left} runs are still missing." if left else ""
        _replace(self.out / "metrics.json", json.dumps(metrics, indent=1).encode())
        _replace(self.out / "users.csv.gz", gzip.compress(self._users(by_name).encode(), mtime=0))
        _replace(self.out / "report.html", page(metrics, self._charts(), note).encode())

    def _by_user(self) -> dict[str, list[dict[str, scores.Doubles]]]:
        values: defaultdict[str, list[dict[str, scores.Doubles]]] = defaultdict(list)
        for (name, _), run in sorted(self.done.items(), key=lambda one: one[0][1]):
            values[name].append(scores.by_user(run, self.cases, self.plan.cuts))
        in_order = dict.fromkeys(one.name for one in jobs_of(self.plan, self.cases.networks))
        return {name: values[name] for name in in_order if name in values}

    def _metrics(self, by_name: Mapping[str, list[dict[str, scores.Doubles]]]) -> dict[str, Any]:
        against = scores.against(by_name, self.plan.reference, self.plan.metric)
        models = {}
        for name, seeds in by_name.items():
            done = [self.done[key] for key in sorted(self.done) if key[0] == name]
            means = [{metric: float(np.nanmean(value_U)) for metric, value_U in one.items()} for one in seeds]
            whole = [scores.over_all(run, self.cases) for run in done]
            means = [{**one, **other} for one, other in zip(means, whole, strict=True)]
            models[name] = {
                **{metric: float(np.mean([one[metric] for one in means])) for metric in means[0]},
                **({"std": _spread(means)} if len(means) > 1 else {}),
                "events_per_second": float(np.mean([run.events_per_second for run in done])),
                "seeds": [{"seed": run.seed, **one} for run, one in zip(done, means, strict=True)],
                "settings": dict(done[0].settings), "tried": list(done[0].tried), "against": against.get(name),
            }  # fmt: skip
        return {"data": self._data(), "protocol": self._protocol(), "models": models}

    def _data(self) -> dict[str, Any]:
        part_E = self.cases.part_E
        return {
            "name": self.path.resolve().name, "users": len(self.cases.users), "items": len(self.cases.items),
            "interactions": {
                "train": int((part_E == TRAIN_PART).sum()), "validation": int((part_E == VALIDATION_PART).sum()),
                "test": int((part_E == TEST_PART).sum()),
            },
            "networks": list(self.cases.networks), "topics": self.cases.topics,
            "mean_gap_days": round(self.cases.tau_seconds / 86_400, 3),
        }  # fmt: skip

    def _protocol(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "split": "time" if plan.inputs.by_time else "user", "ties": plan.protocol.ties, "wave": plan.protocol.wave,
            "owned_items": "ranked" if plan.protocol.keep_owned else "left out", "seeds": plan.seeds,
            "filters": asdict(plan.inputs.filters), "sizes": asdict(plan.size), "reference": plan.reference,
            "compared_by": plan.metric,
        }  # fmt: skip

    def _users(self, by_name: Mapping[str, list[dict[str, scores.Doubles]]]) -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        metrics = next((list(one[0]) for one in by_name.values()), [])
        writer.writerow(["model", "seed", "user", *metrics])
        for name, seeds in by_name.items():
            for seed, values in enumerate(seeds):
                for user in np.flatnonzero(~np.isnan(values[metrics[0]])):
                    writer.writerow([name, seed, self.cases.users[user], *(repr(float(values[one][user])) for one in metrics)])
        return out.getvalue()

    # ---- figures ----

    def _charts(self) -> list[Chart]:
        first = {name: run for (name, seed), run in self.done.items() if seed == 0}
        compared = {name: first[name] for name in self.plan.names if name in first}
        own = {name: run for name, run in compared.items() if name == systems.ABLATED or name in systems.ABLATIONS}
        if not compared:
            return []
        charts = [figures.over_time(compared, self.cases, "Figure 3: accuracy over time", "Each system as its users go on.")]
        if len(own) > 1:
            charts.append(figures.over_time(own, self.cases, "Figure 4: ablations over time", "The model, and without one part."))
        pair = {name: own[name] for name in (systems.ABLATED, "noho") if name in own}
        if self.cases.networks and len(pair) > 1:
            charts.append(figures.by_density(pair, self.cases))
        found = (self._by_factors(first), self._by_rate(first), self._by_part(first), self._by_input(first))
        charts += [chart for chart in found if chart is not None]
        makers = (figures.by_list_length, figures.by_gap, figures.by_posts, figures.by_history, figures.by_novelty)
        return charts + [make(compared, self.cases) for make in makers]

    def _by_factors(self, first: Mapping[str, Run]) -> Chart | None:
        name, sizes = self.plan.reference, {}
        for k in sorted({*FACTORS, self.plan.size.factors}):
            run = first.get(name if k == self.plan.size.factors else f"{name} k={k}")
            if run is not None:
                sizes[k] = scores.means(run, self.cases, self.plan.cuts)
        if len(sizes) < 2:
            return None
        lines = {metric: [one[metric] for one in sizes.values()] for metric in (f"ndcg@{k}" for k in self.plan.cuts)}
        return Chart("Figure 6: accuracy by embedding size", "The model fitted anew for each size k.", "k", "NDCG", list(sizes), lines)

    def _by_rate(self, first: Mapping[str, Run]) -> Chart | None:
        run = first.get(systems.ABLATED)
        if run is None:
            return None
        tried = sorted(run.tried, key=lambda one: float(one["online_rate"]))
        lines = {part: [float(one[part]) for one in tried] for part in ("validation", "test")}
        return Chart(
            "Accuracy by online rate", "One fit of preset paper, streamed with each rate of Adam; 0 = no online learning.",
            "rate", "NDCG@100",
            [float(one["online_rate"]) for one in tried], lines, log_x=True,
        )  # fmt: skip

    def _by_part(self, first: Mapping[str, Run]) -> Chart | None:
        run = first.get(WHOLE)
        if run is None or len(run.tried) < 2:
            return None
        lines = {part: [float(one[part]) for one in run.tried] for part in ("validation", "test")}
        return Chart(
            "What each part is worth", "One fit of preset full, streamed whole and without one part.", "without", "NDCG@100",
            [", ".join(one.get("without", ())) or "nothing" for one in run.tried], lines,
        )  # fmt: skip

    def _by_input(self, first: Mapping[str, Run]) -> Chart | None:
        name = self.plan.reference
        found = {"all posts": first.get(name), **{
            one.removeprefix(f"{name}, posts: "): run for one, run in first.items() if one.startswith(f"{name}, posts: ")
        }}  # fmt: skip
        values = {one: scores.means(run, self.cases, self.plan.cuts) for one, run in found.items() if run is not None}
        if len(values) < 2:
            return None
        lines = {metric: [one[metric] for one in values.values()] for metric in (f"ndcg@{k}" for k in self.plan.cuts)}
        return Chart(
            "What the posts add", "The model fitted and streamed with all posts, none, another user's, or one network less.",
            "posts", "NDCG", list(values), lines,
        )  # fmt: skip


def _spread(means: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Standard deviation over seeds of each metric."""
    return {metric: float(np.std([one[metric] for one in means], ddof=1)) for metric in means[0]}


def _replace(file: Path, content: bytes) -> None:
    """Write whole or not at all."""
    partial = file.with_name(f"{file.name}.partial")
    partial.write_bytes(content)
    partial.replace(file)

"""`crossnet evaluate` on a small world, as a user runs it."""

import csv
import fcntl
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from model.blend.parts import NAMES
from model.compared import Compared
from streams.cli.evaluate import command
from streams.errors import DataError, SettingsError
from streams.evaluate import runs, systems
from streams.evaluate.cases import TEST_PART
from streams.evaluate.inputs import NO_POSTS, SWAPPED, WITHOUT, Filters, Inputs, altered, read
from streams.evaluate.plan import Plan, jobs_of
from streams.evaluate.protocol import Outcome, Protocol, begin, stream
from streams.evaluate.systems import Size
from streams.folder import Folder, split
from streams.records import Post
from streams.settings import Settings
from tests.conftest import ROOT
from tests.integration.until import until
from tests.streams.evaluate.small import HELD

OWN = "tests.streams.evaluate.small:Counting"
BROKEN = "tests.streams.evaluate.small:Broken"
ENDLESS = "tests.streams.evaluate.small:Endless"
HOUR = 3_600_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six users on two networks, twelve items, half a year."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    events = [{"user": f"u{n % 6}", "item": f"i{random.integers(12)}", "at": 1_700_000_000_000 + n * 7 * HOUR} for n in range(240)]
    words = [[f"w{topic}x{number}" for number in range(6)] for topic in range(3)]
    posts = [
        {"user": f"u{n % 6}", "network": ("twitter", "gplus")[n % 2], "at": 1_700_000_000_000 + n * 5 * HOUR,
         "text": " ".join(random.choice(words[n % 3], 5))} for n in range(330)
    ]  # fmt: skip
    for name, records in (("events", events), ("posts", posts)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records), "utf-8")
    return folder


def _evaluate(data: Path, out: Path, *options: str) -> Result:
    small = ("--topics", "3", "--factors", "3", "--hidden", "4", "--epochs", "2", "--jobs", "1")
    return CliRunner().invoke(command, [str(data), "--out", str(out), *small, *options], catch_exceptions=False)


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two systems on two seeds, with the sweeps."""
    folder = tmp_path_factory.mktemp("out")
    result = _evaluate(data, folder, "--models", "paper,noho", "--seeds", "2", "--k", "5,10")
    assert 0 == result.exit_code, result.output
    return folder


def test_metrics(out: Path) -> None:
    """metrics.json has data, protocol, and for each system its means, seeds, settings and the comparison with the preset."""
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    assert {"train": 168, "validation": 24, "test": 48} == metrics["data"]["interactions"]
    assert "strict" == metrics["protocol"]["ties"]
    noho = metrics["models"]["noho"]
    assert {"hr@5", "hr@10", "ndcg@5", "ndcg@10", "coverage@12", "events_per_second"} <= noho.keys()
    assert {"seeds", "settings", "tried", "against"} <= noho.keys()
    assert [0, 1] == [one["seed"] for one in noho["seeds"]]
    of_seeds = [one["hr@10"] for one in noho["seeds"]]
    assert pytest.approx((np.mean(of_seeds), np.std(of_seeds, ddof=1))) == (noho["hr@10"], noho["std"]["hr@10"])
    assert {"name", "difference", "low", "high", "p"} == noho["against"].keys()
    assert metrics["models"]["paper"]["against"] is None


def test_users(out: Path) -> None:
    """users.csv.gz has a line for each system, seed and user, whose mean is what metrics.json says."""
    lines = list(csv.DictReader(io.StringIO(gzip.decompress((out / "users.csv.gz").read_bytes()).decode())))
    own = [float(one["ndcg@10"]) for one in lines if (one["model"], one["seed"]) == ("noho", "1")]
    expected = json.loads((out / "metrics.json").read_text("utf-8"))["models"]["noho"]["seeds"][1]["ndcg@10"]
    assert 6 == len(own)
    assert pytest.approx(expected) == np.mean(own)


class _Outside(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses, and scripts of any kind."""
        values: Mapping[str, str | None] = dict(attrs)
        self.found += [one for name in ("src", "href", "xlink:href") if (one := values.get(name)) and not one.startswith("#")]
        self.found += [tag] if tag == "script" else []


def test_report(out: Path) -> None:
    """The report stands alone: charts inside with their tables, deviations at the end, nothing from outside."""
    text = (out / "report.html").read_text("utf-8")
    outside = _Outside()
    outside.feed(text)
    assert [] == outside.found
    for expected in ("Figure 3:", "Figure 4:", "Figure 5:", "Figure 6:", "Accuracy by online rate", "What the posts add"):
        assert f"<h3>{expected}" in text, expected
    assert "\u00b1" in text.split("<h2 id=figures>")[0].split("<table>")[-1], "two seeds have a spread"
    assert len(re.findall("<svg", text)) == text.count("<figure>")
    assert text.index("Results") < text.index("Deviations from the paper</h2>")


def test_resume(data: Path, out: Path) -> None:
    """With --resume whole runs are kept, and a file that is cut or made otherwise is made again."""
    files = sorted((out / "runs").iterdir())
    stamps = {file: file.stat().st_mtime_ns for file in files}
    files[0].write_bytes(files[0].read_bytes()[:100])
    before = (out / "metrics.json").read_bytes()
    again = _evaluate(data, out, "--models", "paper,noho", "--seeds", "2", "--k", "5,10", "--resume")
    assert 1 == again.stderr.count(" left, about")
    assert stamps[files[1]] == files[1].stat().st_mtime_ns
    without_speed = re.compile(rb'"events_per_second": [0-9.e+]+')
    assert without_speed.sub(b"", before) == without_speed.sub(b"", (out / "metrics.json").read_bytes())


def test_what_is_shown_is_never_chosen(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that a job only shows are told and not chosen, however good; a run that shows more does where less is asked for."""
    inputs, size, rates = Inputs(topics=3, sweeps=5), Size(4, 3, 2, 2), [{"online_rate": 0.0}, {"online_rate": 0.1}]
    cases, plain = read(Folder(data), inputs, Settings()), runs.Job("paper", "paper", inputs, size, 0)
    monkeypatch.setattr(systems, "variants", lambda _: rates)
    best, worst = (choose(runs.run(plain, cases, Protocol()).tried, key=itemgetter("validation")) for choose in (max, min))
    assert best["validation"] > worst["validation"]
    monkeypatch.setattr(systems, "variants", lambda _: [{"online_rate": worst["online_rate"]}])
    showing = replace(plain, shown=((("online_rate", best["online_rate"]),),))
    less, more = (runs.run(job, cases, Protocol()) for job in (plain, showing))
    assert {"online_rate": worst["online_rate"]} == more.settings
    assert [worst, best] == more.tried
    assert runs.fingerprint(plain, Protocol(), "") == runs.fingerprint(showing, Protocol(), "")
    other = replace(plain, shown=((("online_rate", 0.5),),))
    jobs = (plain, showing, other)
    assert (True, False, False, True, True, False) == tuple(run.tells_of(job) for run in (less, more) for job in jobs)


@pytest.mark.parametrize("system", ["paper", "full", "gru4rec"])
@pytest.mark.parametrize("ties", ["strict", "order"])
def test_what_is_only_counted_is_counted_once(data: Path, system: str, ties: str) -> None:
    """A stream that goes on from a copy of what had counted the beginning ranks as one that ran from the start."""
    inputs, protocol = Inputs(topics=3, sweeps=5), Protocol(ties, list_size=5)
    cases = read(Folder(data), inputs, Settings())
    chosen = {"online_rate": 0.01}
    fitted: Any = systems.make(system, Size(4, 3, 2, 2), 0)
    fitted.fit(cases.training())
    whole = stream(fitted.with_settings(**chosen), cases, protocol)
    begun = begin(fitted, cases, protocol)
    assert 168 >= begun > 100
    for _ in range(2):
        rest = stream(fitted.with_settings(**chosen), cases, protocol, begun=begun)
        np.testing.assert_array_equal(whole.rank_E, rest.rank_E)
        np.testing.assert_array_equal(whole.lists_EK, rest.lists_EK)


def test_topics_are_fitted_once(data: Path) -> None:
    """Cases with other posts, made with the topics of those with all posts, are what they are made alone."""
    inputs = Inputs(topics=3, sweeps=5)
    service = read(Folder(data), inputs, Settings()).service
    assert service is not None
    for posts in (NO_POSTS, SWAPPED, WITHOUT + "gplus"):
        altered_inputs = replace(inputs, posts=posts)
        alone, given = (read(Folder(data), altered_inputs, Settings(), topics) for topics in (None, service))
        first, second = (np.stack([one.step.x_M for one in cases.events]) for cases in (alone, given))
        np.testing.assert_array_equal(first, second)


def test_a_class_of_ones_own(data: Path, tmp_path: Path) -> None:
    """--model package.module:Class takes part like any other; what offers less is refused by name."""
    result = _evaluate(data, tmp_path, "--models", "paper", "--model", OWN, "--no-sweeps")
    assert 0 == result.exit_code, result.output
    assert [OWN, "paper"] == sorted(json.loads((tmp_path / "metrics.json").read_text("utf-8"))["models"], key=str.lower, reverse=True)


def test_systems_that_fit_a_net_come_first(data: Path, tmp_path: Path) -> None:
    """What takes seconds comes last, so that no process waits long for another."""
    result = _evaluate(data, tmp_path, "--models", "pop-1d,clstm,pop-7d,paper", "--no-sweeps")
    assert ["clstm", "paper", "pop-1d", "pop-7d"] == re.findall(r"min  (\S+) seed", result.output)


def test_an_error_leaves_the_results_of_what_was_done(data: Path, tmp_path: Path) -> None:
    """When a system fails, metrics.json and the report have all that ended before it."""
    with pytest.raises(RuntimeError, match="12 items are too many"):
        _evaluate(data, tmp_path, "--models", "pop-1d,pop-7d,pop-30d", "--model", BROKEN, "--no-sweeps")
    assert {"pop-1d", "pop-7d", "pop-30d"} == json.loads((tmp_path / "metrics.json").read_text("utf-8"))["models"].keys()
    assert "1 runs are still missing" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_end_with_the_command(data: Path, tmp_path: Path, number: signal.Signals) -> None:
    """However the command is ended, no job of it goes on."""
    held = tmp_path / "held"
    held.touch()
    program = [sys.executable, "-c", "from streams.cli import main; main()", "evaluate", str(data), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [*program, "--topics", "3", "--models", "pop-1d", "--model", ENDLESS, "--no-sweeps", "--jobs", "2"],
        cwd=ROOT, env={**os.environ, HELD: str(held)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as command:  # fmt: skip
        until(lambda: not _is_free(held) or command.poll() is not None, "a job is at work", 120)
        assert command.poll() is None
        command.send_signal(number)
    until(lambda: _is_free(held), "the job has ended", 60)


def _is_free(file: Path) -> bool:
    """Whether no process holds the file: a lock ends with its process."""
    with file.open() as one:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nobody", "no system 'nobody'"), ("json:JSONDecoder", "has no fit, rank, advance, learn"), ("x.y:Z", "imported")],
)
def test_no_such_system(data: Path, tmp_path: Path, name: str, expected: str) -> None:
    """A name that is no system's, or a class that offers less, is refused with what to do."""
    with pytest.raises(SettingsError, match=expected):
        _evaluate(data, tmp_path, "--models", name)


@pytest.mark.parametrize("system", ["paper", "full"])
def test_split_by_time_sees_no_future(data: Path, tmp_path: Path, system: str) -> None:
    """Cut at one moment, another future leaves every earlier list of the whole system, fit included, as it was."""
    lines = (data / "events.jsonl").read_text("utf-8").splitlines()
    changed = [line if number < 220 else json.dumps({**json.loads(line), "item": "i0"}) for number, line in enumerate(lines)]
    (tmp_path / "events.jsonl").write_text("\n".join(changed), "utf-8")
    (tmp_path / "posts.jsonl").write_text((data / "posts.jsonl").read_text("utf-8"), "utf-8")
    inputs = Inputs(by_time=True, topics=3, sweeps=5)
    job = runs.Job(system, system, inputs, Size(4, 3, 2, 2), 0)
    first, second = (runs.run(job, read(Folder(path), inputs, Settings()), Protocol(list_size=10)) for path in (data, tmp_path))
    moment = 220 - 192  # interactions of the test part before the change
    assert first.lists_TK[:moment].tolist() == second.lists_TK[:moment].tolist()
    assert first.rank_E[:220].tolist() == second.rank_E[:220].tolist()


def test_altered_posts(data: Path) -> None:
    """Posts can be left out, one network of them too, or given to another user, everybody's to exactly one other."""
    parts = split(Folder(data))
    posts = {name: [one.record for one in altered(parts, Inputs(posts=name)) if isinstance(one.record, Post)]
             for name in ("all", NO_POSTS, SWAPPED, WITHOUT + "gplus")}  # fmt: skip
    assert [330, 0, 330, 165] == [len(one) for one in posts.values()]
    given = {(one.user, other.user) for one, other in zip(posts["all"], posts[SWAPPED], strict=True)}
    assert (6, 6, 6) == (len(given), len({one for one, _ in given}), len({other for _, other in given}))
    assert all(one != other for one, other in given)
    assert [one.text for one in posts["all"]] == [one.text for one in posts[SWAPPED]]


def test_filters(data: Path) -> None:
    """Quiet users and items are left out until nobody is too quiet; what leaves nothing is an error."""
    plain = Inputs(topics=3, sweeps=2)
    kept = read(Folder(data), replace(plain, filters=Filters(10, (("twitter", 20),), 10)), Settings())
    assert 12 > len(kept.items)
    counts = np.bincount([one.item for one in kept.events])
    assert 10 <= counts.min()
    with pytest.raises(DataError, match="no interaction passes the filters"):
        read(Folder(data), replace(plain, filters=Filters(interactions=1000)), Settings())


def test_the_size_of_a_wave_changes_little(data: Path) -> None:
    """Ranked and learned one by one, eight or 64 at a time, preset full is as accurate, within 2 %."""
    inputs, size = Inputs(topics=3, sweeps=5), Size(4, 3, 2, 2)
    cases = read(Folder(data), inputs, Settings())
    job = runs.Job("full", "full", inputs, size, 0)
    values = [runs.ndcg(_outcome(runs.run(job, cases, Protocol(wave=wave, list_size=5))), cases, TEST_PART) for wave in (1, 8, 64)]
    assert max(values) <= 1.02 * min(values)


def _outcome(one: runs.Run) -> Outcome:
    return Outcome(one.rank_E, one.lists_TK)


def test_the_parts_of_the_whole_share_its_fit(tmp_path: Path) -> None:
    """What each part is worth comes from one job: the whole, then without each part by name, each another stream."""
    random = np.random.default_rng(3)
    # Two crowds, each with items of its own, so that peers tell; posts for the posts.
    base = [{"user": f"u{n % 16}", "at": 1_700_000_000_000 + n * HOUR} for n in range(360)]
    events = [{**one, "item": f"i{2 * random.integers(24) + n % 2}"} for n, one in enumerate(base)]
    posts = [{**one, "network": "twitter", "text": f"word{n % 2}"} for n, one in enumerate(base)]
    for name, records in (("events", events), ("posts", posts)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records), "utf-8")
    inputs = Inputs(topics=3, sweeps=5)
    plan = Plan(("full",), 1, (48,), inputs, Size(4, 3, 2, 2), Protocol(list_size=10), sweeps=True, reference="full")
    job = jobs_of(plan, ())[0]
    tried = runs.run(job, read(Folder(tmp_path), inputs, Settings()), plan.protocol).tried
    assert [None, *((part,) for part in NAMES)] == [one.get("without") for one in tried]
    whole = tried[0]["validation"], tried[0]["test"]
    same = {part for one in tried[1:] for part in one["without"] if (one["validation"], one["test"]) == whole}
    assert same <= {"texts", "second"}  # texts are the names alone, and there is too little to learn from for the second cell


@pytest.mark.parametrize("part", NAMES)
def test_a_part_can_be_left_out_by_name(part: str) -> None:
    """`full-without-PART` is preset full without that part."""
    systems.known(f"full-without-{part}")
    ranker = systems.make(f"full-without-{part}", Size(), 0)
    assert isinstance(ranker, Compared)
    assert ("full", (part,)) == (ranker.settings["preset"], ranker.settings["without"])

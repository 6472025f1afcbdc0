"""The README typed in, top to bottom, as a newcomer would: on a broker and a data folder of his own."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import synth
from streams.broker import Broker, free_port
from tests.integration.kafka import Kafka
from tests.integration.running import too_early
from tests.integration.until import until
from tests.readme import commands

_LEFT_OUT = {
    "deploy/run": "sets the machine up, or runs these very tests",
    "docker": "wants a container engine",
    "congress": "takes an hour",
}
# What a newcomer would put in the place of the README's words; sizes are made small so that the test is short.
_SIZES = "--topics 4 --factors 8 --hidden 16 --epochs 1"
_WORDS = {
    r"\bDATA\b": "world",
    r"^(crossnet train world .*?)(?= *#|$)": rf"\1 {_SIZES} --sweeps 5 --preset full",
    r"^(crossnet evaluate world .*?)(?= *#|$)": rf"\1 {_SIZES} --no-sweeps --jobs 1 --models full,paper,pop-7d,item-knn",
    r"--trials 30": "--trials 1 --epochs 1",
    r"--speed 60x": "--speed 10000000x",
    r"^curl ": "curl -fsS ",
}
_STAYS = ("crossnet worker", "crossnet serve")  # in the background, until stopped
_WATCHES = {"--watch": "lag by partition", "--follow": "ann"}  # goes on until stopped; and what it has said by then
_ONE_IS_WELL_TOO = ("crossnet doctor", "crossnet dead-letters list")  # exit code 1: something is not as it should be
_SECONDS = 240.0


class Terminal:
    """A shell with an environment that stays, and what runs in its background."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.background: dict[str, subprocess.Popen[bytes]] = {}

    def type(self, line: str) -> None:
        """Run a line as what it is; fails with what it said."""
        verb = " ".join(line.split()[:2])
        if line.startswith("export "):
            said = self._run(f"{line.partition(' #')[0]} && env -0")
            self.environment = dict(one.split("=", 1) for one in said.split("\0") if "=" in one)
        elif verb in _STAYS:
            self.background[verb] = self._start(line, self.folder / f"{verb.split()[1]}.log")
        elif watched := [said for option, said in _WATCHES.items() if option in line]:
            self._watch(line, watched[0])
        else:
            self._run(line)

    def stop(self, verb: str) -> None:
        """SIGTERM, as service managers send it; a program that ended before, or ends badly, fails."""
        process = self.background.pop(verb)
        process.terminate()
        assert 0 == process.wait(60), f"{verb}: {(self.folder / f'{verb.split()[1]}.log').read_text('utf-8')[-2000:]}"

    def _run(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        allowed = (0, 1) if line.startswith(_ONE_IS_WELL_TOO) else (0,)
        assert done.returncode in allowed, f"{line}\nended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def _start(self, line: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            return subprocess.Popen(
                ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def _watch(self, line: str, wanted: str) -> None:
        log = self.folder / "watched.log"
        process = self._start(line, log)
        try:
            until(lambda: wanted in log.read_text("utf-8") or process.poll() is not None, f"{line} says {wanted!r}", _SECONDS)
            assert wanted in log.read_text("utf-8"), f"{line}\nended with {process.returncode}\n{log.read_text('utf-8')}"
        finally:
            process.terminate()
            process.wait(60)

    def close(self) -> None:
        """Leave nothing running."""
        for process in self.background.values():
            process.kill()
            process.wait()


@pytest.fixture
def terminal(local: Broker, tmp_path: Path) -> Iterator[Terminal]:
    """In a folder with a small world, with a broker and ports of its own; `crossnet` is on the PATH."""
    bootstrap = local.up()
    synth.write(synth.World(users=20, items=40, interactions=15), tmp_path / "world")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CROSSNET_")} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CROSSNET_WORKER__PORT": str(free_port()), "CROSSNET_SERVE__PORT": str(free_port()),
        "CROSSNET_WORKER__CHECKPOINT_INTERACTIONS": "20", "BROKER": bootstrap,
    }  # fmt: skip
    terminal = Terminal(tmp_path, environment)
    yield terminal
    terminal.close()


@pytest.mark.timeout(1200)
def test_every_command_of_the_readme_works_as_it_is_typed(terminal: Terminal) -> None:
    """From the data folder to the last table each ends well, or runs until it is stopped; what is left out has a reason."""
    left_out = dict(_LEFT_OUT)
    if shutil.which("curl") is None:
        left_out["curl"] = "is not on this machine"
    typed = [line for line in commands() if not any(name in line for name in left_out)]
    for line in typed:
        words = _said(line, terminal)
        if " model rollback " in words:
            terminal.stop("crossnet worker")
        terminal.type(words)
        _wait_after(words, terminal)
    terminal.stop("crossnet serve")
    assert {} == terminal.background
    figures = json.loads((terminal.folder / "results" / "metrics.json").read_text("utf-8"))
    assert figures
    assert all(any(name in line for line in commands()) for name in _LEFT_OUT), "nothing of that kind is in the README any more"


def _said(line: str, terminal: Terminal) -> str:
    """The line with what this machine, world and run have in the place of the README's examples."""
    for pattern, word in _WORDS.items():
        line = re.sub(pattern, word, line)
    line = line.replace("broker:9092", terminal.environment["BROKER"])
    line = line.replace(":8080", f":{terminal.environment['CROSSNET_SERVE__PORT']}")
    if "20001" in line:
        newest = max((terminal.folder / "artifacts" / "mine" / "online").glob("[0-9]*"), key=lambda one: int(one.name))
        line = line.replace("20001", newest.name)
    if "dead-letters-0-17" in line:
        (letter,) = Kafka(terminal.environment["BROKER"]).read_all("dead-letters")
        line = line.replace("dead-letters-0-17", f"dead-letters-{letter.partition}-{letter.offset}")
    return line


def _wait_after(line: str, terminal: Terminal) -> None:
    """What a reader would wait for before he goes on."""
    if line.startswith("crossnet worker"):
        _until_answers(terminal, "WORKER", "/readyz", "ready")
        Kafka(terminal.environment["BROKER"]).produce("tweets", [too_early()])
        _until_answers(terminal, "WORKER", "/metrics", "crossnet_dead_letters_total{")
    elif line.startswith("crossnet serve"):
        _until_answers(terminal, "SERVE", "/readyz", "ready")
    elif line.startswith("crossnet replay"):
        online = terminal.folder / "artifacts" / "mine" / "online"
        until(lambda: [*online.glob("[0-9]*")], "the worker has written a checkpoint", _SECONDS)


def _until_answers(terminal: Terminal, whose: str, path: str, wanted: str) -> None:
    address = f"http://127.0.0.1:{terminal.environment[f'CROSSNET_{whose}__PORT']}{path}"

    def answers() -> bool:
        ended = [verb for verb, process in terminal.background.items() if process.poll() is not None]
        assert [] == ended, (terminal.folder / f"{whose.lower()}.log").read_text("utf-8")[-2000:]
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return wanted in answer.read().decode()
        except OSError:
            return False

    until(answers, f"{address} says {wanted!r}", _SECONDS)

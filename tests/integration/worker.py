"""A real worker process on the real broker, as a test sees it: telemetry, signals, exit code."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from click.testing import CliRunner

import streams.cli
from streams.broker import HOST, free_port
from streams.errors import CrossnetError
from streams.faults import VARIABLE
from streams.settings import Settings
from tests.integration.kafka import write_settings
from tests.integration.until import until

_CROSSNET = [sys.executable, "-c", "from streams.cli import main; main()"]


def crossnet(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    command = [*_CROSSNET, *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CROSSNET_")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=600)
    if check and done.returncode:
        raise AssertionError(f"crossnet {arguments} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def inside(*arguments: str | Path) -> tuple[int, str, str]:
    """Run a verb in this process, which saves the seconds that importing torch takes: exit code, output, errors."""
    result = CliRunner().invoke(streams.cli.crossnet, list(map(str, arguments)))
    if isinstance(result.exception, CrossnetError):
        return 2, result.stdout, f"crossnet: {result.exception}"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def artifact_for(settings: Settings, trained: Path, folder: Path) -> Path:
    """A copy of an artifact with a test's own Kafka topics."""
    shutil.copytree(trained, folder)
    write_settings(settings, folder)
    return folder


class Worker:
    """One process; use it as a context manager: it is killed at the end."""

    def __init__(self, artifact: Path, arguments: Sequence[str] = ("--from", "earliest"), fault: str = "") -> None:
        self.port = free_port()
        self._log = artifact / f"worker-{self.port}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CROSSNET_")}
        environment[VARIABLE] = fault
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_CROSSNET, "worker", "--artifacts", str(artifact), "--port", str(self.port), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip

    def exposition(self) -> str:
        """The text of /metrics."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    def value(self, series: str) -> float:
        """The value of one series, such as `crossnet_lists_total{trigger="post"}`; 0 where it is not there."""
        for line in self.exposition().splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def total(self, name: str) -> float:
        """The sum over all series of a metric."""
        lines = self.exposition().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))

    def wait_ready(self) -> None:
        """Return once the worker reads its input."""
        until(self._is_ready, f"the worker is ready; see {self._log}", 240)

    def wait_read(self, records: int) -> None:
        """Return once so many records have been read and all of them are committed."""
        until(lambda: self.total("crossnet_records_total") >= records, f"{records} records read; see {self._log}", 300)
        until(lambda: self.total("crossnet_uncommitted_records") == 0, f"all committed; see {self._log}", 240)

    def wait_drained(self) -> None:
        """Return once all there is has been read and committed."""
        until(lambda: "crossnet_lag_records{" in self.exposition(), f"lags are known; see {self._log}", 240)
        until(self._is_drained, f"all read and committed; see {self._log}", 300)

    def _is_drained(self) -> bool:
        return self.total("crossnet_lag_records") == 0 and self.total("crossnet_uncommitted_records") == 0

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def is_stopped(self) -> bool:
        """Whether a SIGSTOP holds it."""
        return Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "T"

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(120)

    def settle(self, seconds: float) -> None:
        """Return once it has drained its input, or has ended."""
        until(self._has_settled, f"drained or ended; see {self._log}", seconds)

    def _has_settled(self) -> bool:
        if self._process.poll() is not None:
            return True
        try:
            return self._is_drained()
        except OSError:
            return False

    def wait(self) -> int:
        """Wait for an end of its own; the exit code."""
        return self._process.wait(240)

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text("utf-8", "replace")

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the worker ended with {self._process.returncode}: {self.log()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/readyz", timeout=60) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.kill()

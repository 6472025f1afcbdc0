"""A worker process as a bench sees it: started, asked for its figures, killed or stopped."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.broker import HOST, free_port
from streams.faults import VARIABLE

CROSSNET = [sys.executable, "-c", "from streams.cli import main; main()"]
_LOOK_SECONDS = 0.02


def crossnet(bootstrap: str, *arguments: str | Path, settings: Mapping[str, str] | None = None) -> None:
    """Run a verb to its end."""
    environment = {**os.environ, "CROSSNET_BOOTSTRAP": bootstrap, **(settings or {})}
    subprocess.run([*CROSSNET, *map(str, arguments)], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603


def wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Return when the condition holds; RuntimeError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:.0f} s: {what}")
        time.sleep(_LOOK_SECONDS)


class Program:
    """One `crossnet worker`; killed at the end of a `with`."""

    def __init__(self, artifact: Path, bootstrap: str, settings: Mapping[str, str] | None = None, fault: str = "") -> None:
        self.port = free_port()
        self.log = artifact / f"worker-{self.port}.log"
        environment = {**os.environ, "CROSSNET_BOOTSTRAP": bootstrap, VARIABLE: fault, **(settings or {})}
        command = [*CROSSNET, "worker", "--artifacts", str(artifact), "--from", "earliest", "--port", str(self.port)]
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603

    def metrics(self) -> dict[str, float]:
        """All series with their values; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def total(self, name: str) -> float:
        """The sum over the series of a metric."""
        return sum(value for series, value in self.metrics().items() if series == name or series.startswith(name + "{"))

    def is_ready(self) -> bool:
        """Whether it reads its input. Asked often while it starts, so by the question that costs it least."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/readyz", timeout=10):
                return True
        except OSError:
            return False

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def is_stopped(self) -> bool:
        """Whether a SIGSTOP holds it."""
        return Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] == "T"

    def is_drained(self) -> bool:
        """Whether all there is has been read and committed."""
        found = self.metrics()
        lags = [value for series, value in found.items() if series.startswith("crossnet_lag_records{")]
        return bool(lags) and not sum(lags) and found["crossnet_uncommitted_records"] == 0

    def resident_bytes(self) -> int:
        """Memory of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> float:
        """SIGTERM; how many seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return time.monotonic() - begun

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.has_ended():
            self.process.send_signal(signal.SIGCONT)
            self.kill()

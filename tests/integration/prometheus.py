"""A real Prometheus that scrapes what a test tells it to, every second."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from streams.broker import HOST, free_port
from streams.scrape import get
from tests.integration.until import until

_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: {rules}
scrape_configs:
  - job_name: crossnet
    static_configs: [{{targets: {targets}}}]
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A server of its own; use it as a context manager."""

    def __init__(self, folder: Path, targets: Sequence[str], rules: Sequence[Path] = ()) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._folder = folder
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(targets=json.dumps(list(targets)), rules=json.dumps([str(one) for one in rules])), "utf-8")
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={HOST}:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def query(self, expression: str) -> list[Sample]:
        """Result of an instant query."""
        status, body = self._get(f"/api/v1/query?query={quote(expression)}")
        answer: dict[str, Any] = json.loads(body)
        if status != 200:
            raise AssertionError(f"{expression}: {answer.get('error')}")
        return [Sample(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def value(self, expression: str) -> float | None:
        """The single value of an instant query; None when there is no series yet."""
        found = self.query(expression)
        if len(found) > 1:
            raise AssertionError(f"{expression} gives {len(found)} series, not one")
        return found[0].value if found else None

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their expressions, health and, of alerts, state."""
        groups = json.loads(self._get("/api/v1/rules")[1])["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def __enter__(self) -> Self:
        try:
            until(self._ready, f"Prometheus answers on {self.url}; see {self._folder / 'prometheus.log'}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"Prometheus ended: {(self._folder / 'prometheus.log').read_text('utf-8')[-500:]}")
        try:
            return self._get("/-/ready")[0] == 200
        except OSError:
            return False

    def _get(self, path: str) -> tuple[int, bytes]:
        return get(f"{HOST}:{self.port}", path)

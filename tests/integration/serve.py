"""A real `crossnet serve` process on the real broker, and lists to serve."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streams.broker import HOST, free_port
from streams.records import Last, Recommendation
from streams.settings import Settings
from tests.integration.kafka import write_settings
from tests.integration.until import until

DAY_MS = 86_400_000
_CROSSNET = [sys.executable, "-c", "from streams.cli import main; main()"]


class Serve:
    """One process; use it as a context manager: it is stopped at the end."""

    def __init__(self, settings: Settings, folder: Path, arguments: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / "serve.log"
        write_settings(settings, folder)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CROSSNET_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_CROSSNET, "serve", "--artifacts", str(folder), "--port", str(self.port), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON it is
        """The JSON of a good answer."""
        status, body = self.request("GET", path)
        if status != 200:
            raise AssertionError(f"{path}: {status} {body[:500]!r}")
        return json.loads(body)

    def post(self, network: str, event: object) -> tuple[int, Any]:
        """Send an event; status and JSON."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        status, answer = self.request("POST", f"/events/{network}", body, {"Content-Type": "application/json"})
        return status, json.loads(answer)

    def ready(self) -> str:
        """What /readyz says: "ready", or why not; "" when nobody answers."""
        if self.process.poll() is not None:
            raise AssertionError(f"serve ended with {self.process.returncode}: {self.log.read_text('utf-8')[-2000:]}")
        try:
            return self.request("GET", "/readyz")[1].decode().strip()
        except OSError:
            return ""

    def wait_ready(self) -> None:
        """Return once lists are up to date."""
        until(lambda: self.ready() == "ready", f"serve is ready; see {self.log}")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.stop()


def window(gap_seconds: float | None = 3600.0, topic: int = 3) -> dict[str, Any]:
    """A window of three posts."""
    topics = {"twitter": [[topic, 1.4], [5, 0.6]], "gplus": []}
    return {"gap_seconds": gap_seconds, "posts": {"twitter": 2, "gplus": 1}, "topics": topics}


def made(user: str, number: int = 0, item: str | None = "taken", size: int = 20, rank: int | None = 3) -> Recommendation:
    """The list after a user's interaction `number`, or after a post where `item` is None."""
    entries: list[dict[str, Any]] = [{"item": f"item{place:03d}", "score": 1 - place / 100} for place in range(size)]
    for entry in entries[:10]:
        entry["why"] = {"net": entry["score"]}
        if item is None:
            entry["why"]["moved"] = {"twitter": {"by": 0.25, "topics": {"3": 0.5, "5": -0.125}}}
    return Recommendation(
        id=f"events-0-{number}", user=user, at=DAY_MS * (number + 1), trigger="interaction" if item else "post", items=entries,
        window=window(0.0 if item else 7200.0), attention=[(1, 0.5), (3, 0.25)],
        last=Last(item, rank, 1, 7, window(topic=number % 8)) if item else None,
        model={"version": "abc", "preset": "paper", "lessons": number},
    )  # fmt: skip


def record(one: Recommendation) -> tuple[bytes, bytes, None]:
    """As it is produced."""
    return one.user.encode(), one.to_json(), None

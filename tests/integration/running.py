"""A worker that has taken a small synthetic world and a few records that cannot be used, and still runs."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams import synth
from streams.settings import Settings
from tests.integration.kafka import Kafka, Record
from tests.integration.worker import Worker, artifact_for, crossnet

BAD = (b"{", b"\x1b[31m not json", b'{"user":"u"}')
_FUTURE_SECONDS = 2
_DAY_MS = 86_400_000
_SIZES = ("--topics", "6", "--sweeps", "8", "--epochs", "1", "--hidden", "16", "--factors", "8", "--preset", "full")


@dataclass(frozen=True, slots=True)
class Running:
    """What a test needs of it."""

    kafka: Kafka
    settings: Settings
    world: Path
    artifact: Path
    worker: Worker
    records: int
    "sent and good"

    @property
    def address(self) -> str:
        """Of its /metrics."""
        return f"127.0.0.1:{self.worker.port}"


@contextmanager
def running(kafka: Kafka, folder: Path) -> Iterator[Running]:
    """Make the world, train, replay, and run the worker until all is committed."""
    settings = kafka.settings(("twitter", "gplus"), partitions=2)
    kafka.create(settings)
    world = folder / "world"
    synth.write(synth.World(users=20, items=40, interactions=15), world)
    crossnet("train", world, "--out", folder / "trained", *_SIZES)
    artifact = artifact_for(settings, folder / "trained", folder / "artifact")
    sent = json.loads(crossnet("replay", world, "--artifacts", artifact, "--json").stdout)["records"]
    with Worker(artifact) as worker:
        worker.wait_ready()
        kafka.produce(settings.networks["twitter"], [Record(b"u", value) for value in BAD] + [too_early()])
        worker.wait_read(sent + len(BAD) + 1)
        yield Running(kafka, settings, world, artifact, worker, sent)


def too_early() -> Record:
    """A record that is refused as one of the future, and no longer is some seconds later."""
    now = round(time.time() * 1000)
    value = json.dumps({"user": "early", "at": now + _DAY_MS, "text": "guitar album chord"})
    return Record(b"early", value.encode(), at=now - _FUTURE_SECONDS * 1000)

"""What benches of the worker stand on: a broker, a synthetic world, an artifact of it, and backlogs on Kafka topics of their own."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from streams.bench.program import Program, crossnet
from streams.broker import Broker, free_port
from streams.connection import producer
from streams.folder import Folder
from streams.records import Interaction, Post, Source
from streams.replay import value_of
from streams.settings import Settings, load

_ENVIRONMENT = "CROSSNET_BOOTSTRAP"
_KAFKA = ("ITEMS", "RECOMMENDATIONS", "DEAD_LETTERS", "STATE", "LESSONS", "GROUP")
_NOWHERE = Source("", 0, 0)
_START_MS = 1_720_000_000_000  # after the world has ended: earlier posts would be late, and make no lists due
_STEP_MS = 1000
SMALL = ("--topics", "60", "--sweeps", "20", "--epochs", "1", "--hidden", "128")


@dataclass(frozen=True, slots=True)
class Bed:
    """A running broker (None = that of CROSSNET_BOOTSTRAP), an artifact, and the words and names of its world."""

    broker: Broker | None
    bootstrap: str
    artifact: Path
    texts: Sequence[str]
    users: Sequence[str]
    items: Sequence[str]

    def own(self, name: str, settings: Mapping[str, str] | None = None) -> "Own":
        """A run that shares neither Kafka topics, which are made, nor a folder of checkpoints with others."""
        given = {f"CROSSNET_KAFKA__{key}": f"{name}-{key.lower().replace('_', '-')}" for key in _KAFKA}
        given |= {"CROSSNET_NETWORKS": json.dumps({"twitter": f"{name}-tweets", "gplus": f"{name}-gplus"})}
        given |= {"CROSSNET_KAFKA__TARGET": f"{name}-events", **(settings or {})}
        artifact = self.artifact.with_name(name)
        shutil.copytree(self.artifact, artifact)
        crossnet(self.bootstrap, "kafka-topics", "create", "--artifacts", artifact, settings=given)
        return Own(self, name, artifact, given)

    def posts(self, count: int, draw: np.random.Generator, start: int = 0) -> list[Post]:
        """Posts a second of event time apart, so that a user's list is renewed once an hour of his time, as in life."""
        texts, numbers = self.texts, range(start, start + count)
        return [Post(self._user(draw), "twitter", _at(n), texts[n % len(texts)], _NOWHERE) for n in numbers]

    def interactions(self, count: int, draw: np.random.Generator, start: int = 0) -> list[Interaction]:
        """Interactions a second of event time apart."""
        items = draw.integers(len(self.items), size=count)
        return [Interaction(self._user(draw), self.items[item], _at(start + n), _NOWHERE) for n, item in enumerate(items)]

    def mixed(self, posts: int, interactions: int, draw: np.random.Generator, start: int) -> list[Post | Interaction]:
        """Both, in the order of their times."""
        both: list[Post | Interaction] = [*self.posts(posts, draw, start), *self.interactions(interactions, draw, start)]
        return sorted(both, key=lambda one: one.at)

    def _user(self, draw: np.random.Generator) -> str:
        return self.users[int(draw.integers(len(self.users)))]


@dataclass(frozen=True, slots=True)
class Own:
    """One run's Kafka topics, as the environment of its programs."""

    bed: Bed
    name: str
    artifact: Path
    environment: Mapping[str, str]

    def worker(self, fault: str = "") -> Program:
        """A worker on them."""
        return Program(self.artifact, self.bed.bootstrap, self.environment, fault)

    def settings(self) -> Settings:
        """What its programs take from the environment."""
        kafka = {key.rpartition("__")[2].lower(): value for key, value in self.environment.items() if "KAFKA__" in key}
        networks = json.loads(self.environment["CROSSNET_NETWORKS"])
        found = load(options={"kafka.bootstrap": self.bed.bootstrap, **{f"kafka.{key}": value for key, value in kafka.items()}})
        return found.model_copy(update={"networks": networks})

    async def send(self, records: Sequence[Post | Interaction]) -> None:
        """Write records to them."""
        settings = self.settings()
        async with producer(settings.kafka, linger_ms=5) as client:
            for one in records:
                name = settings.kafka.target if isinstance(one, Interaction) else settings.networks[one.network]
                await client.send(name, value_of(one), key=one.user.encode())


@contextmanager
def bed(users: int, items: int, sizes: Sequence[str] = SMALL) -> Iterator[Bed]:
    """All of it, gone afterwards."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        given = os.environ.get(_ENVIRONMENT)
        broker = None if given else Broker(folder / "kafka", free_port())
        bootstrap = broker.up(fresh=True) if broker else str(given)
        try:
            world, artifact = folder / "world", folder / "artifact"
            crossnet(bootstrap, "synth", world, "--users", str(users), "--items", str(items), "--seed", "1")
            crossnet(bootstrap, "train", world, "--out", artifact, *sizes)
            taken = list(Folder(world).interactions())
            texts = [one.text for one in Folder(world).posts()]
            yield Bed(broker, bootstrap, artifact, texts, sorted({one.user for one in taken}), sorted({one.item for one in taken}))
        finally:
            if broker is not None:
                broker.down()


def _at(number: int) -> int:
    return _START_MS + number * _STEP_MS

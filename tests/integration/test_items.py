"""The Kafka topic `items` while a worker runs: items come, change and go."""

import json
import time
from pathlib import Path
from typing import Any

from model import Known, lesson_of
from streams.settings import Settings
from tests.integration.kafka import Kafka, Record
from tests.integration.running import Running
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for

_HOUR_MS = 3_600_000


class _Reader:
    """One who posts, and so gets a list whenever he does."""

    def __init__(self, kafka: Kafka, settings: Settings) -> None:
        self.kafka, self.settings = kafka, settings
        self.at = round(time.time() * 1000) - 20 * 24 * _HOUR_MS

    def items(self) -> list[str]:
        """What is on his next list."""
        self.at += 2 * _HOUR_MS
        value = json.dumps({"user": "reader", "at": self.at, "text": "guitar"}).encode()
        self.kafka.produce(self.settings.networks["twitter"], [Record(b"reader", value)])
        until(lambda: self._newest() is not None, "his list is there", 60)
        made = self._newest()
        assert made is not None
        return [entry["item"] for entry in made["items"]]

    def _newest(self) -> dict[str, Any] | None:
        lists = [json.loads(one.value) for one in self.kafka.read_all(self.settings.kafka.recommendations) if one.value is not None]
        return next((one for one in lists if (one["user"], one["at"]) == ("reader", self.at)), None)


def test_items_come_change_and_go_while_the_worker_runs(kafka: Kafka, running: Running, tmp_path: Path) -> None:
    """No topic `items` is fine; a new item is on lists before anybody took it, also after kill -9, and is told to the model once; a
    changed text is told too; one that is retired, or whose record has no value, is on no list any more.
    """
    settings = kafka.settings(partitions=2)
    kafka.create(settings)
    kafka.delete(settings.kafka.items)
    artifact = artifact_for(settings, running.artifact.parent / "trained", tmp_path / "artifact")
    reader = _Reader(kafka, settings)

    def say(item: str, **fields: str | bool) -> None:
        value = json.dumps({"item": item, **fields}).encode() if fields else None
        kafka.produce(settings.kafka.items, [Record(item.encode(), value)])

    def told() -> list[tuple[str, ...]]:
        lessons = [lesson_of(one.value) for one in kafka.read_all(settings.kafka.lessons, "read_committed") if one.value is not None]
        return [one.items for one in lessons if isinstance(one, Known)]

    with Worker(artifact) as worker:
        worker.wait_ready()
        known = reader.items()
        assert "new" not in known
        kafka.create(settings)
        say("new", title="Guitar Chord: Album, part 9")
        say("broken", title="", text="", retired="no")
        until(lambda: told() == [("new",)], "the model was told of it", 60)
        assert "new" in reader.items()
        worker.kill()
    with Worker(artifact) as worker:
        worker.wait_ready()
        assert {*known, "new"} == {*reader.items()}
        say("new", title="Rocket Orbit: Moon, part 9")
        until(lambda: told() == [("new",), ("new",)], "the model was told of the change, and of nothing twice", 60)
        say("new", title="Rocket Orbit: Moon, part 9", retired=True)
        say(known[0])
        until(lambda: {"new", known[0]}.isdisjoint(reader.items()), "retired items have left the lists", 60)
        assert {*known[1:]} == {*reader.items()}
        assert 0 == worker.stop()
    assert [("new",), ("new",)] == told()

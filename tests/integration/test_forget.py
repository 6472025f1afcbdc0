"""The right to be forgotten, on a real Kafka that really compacts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from model import Recommender
from streams.bench.audit import audit
from streams.connection import admin
from streams.folder import Folder
from streams.settings import Settings, WorkerSettings
from tests.integration.kafka import Kafka, Record
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for, crossnet

_NETWORKS = ("floor", "press")
_EAGER = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0", "max.compaction.lag.ms": "1000"}


def test_a_forgotten_user_is_nowhere_after_compaction(
    kafka: Kafka, mini: Folder, artifacts: Callable[[str], Path], tmp_path: Path
) -> None:
    """State, lists and lessons do not hold him, the weights have no row of his, a restart does not bring him back; others stay."""
    settings = kafka.settings(_NETWORKS, partitions=2, worker=WorkerSettings(port=0, checkpoint_interactions=20, checkpoints_kept=1))
    kafka.create(settings)
    artifact = artifact_for(settings, artifacts("paper"), tmp_path / "artifact")
    crossnet("replay", mini.path, "--artifacts", artifact)
    user = next(mini.interactions()).user
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_drained()
        users = worker.value("crossnet_users")
        assert _held(kafka, settings, user)
        crossnet("forget", user, "--artifacts", artifact)
        until(lambda: worker.value("crossnet_forgotten_users_total") == 3, "he is forgotten once for each input")
        worker.wait_drained()
        assert users - 1 == worker.value("crossnet_users")
        _interactions(kafka, settings, 60)  # whose checkpoint replaces the one that knew him
        until(lambda: worker.value("crossnet_checkpoints_total") >= 2, "a newer checkpoint is written")
        worker.wait_drained()
        assert 0 == worker.stop()
    assert [] == audit(artifact, settings).faults
    (kept,) = (artifact / "online").glob("[0-9]*")
    assert user not in Recommender.load(kept)[0].users.names()
    _compact_eagerly(settings)
    until(lambda: not _held(kafka, settings, user, nudge=True), "no Kafka topic of ours holds him", 400, every=2)
    with Worker(artifact) as worker:
        worker.wait_ready()
        assert users - 1 + 60 == worker.value("crossnet_users")
        assert 0 == worker.stop()


def _interactions(kafka: Kafka, settings: Settings, count: int) -> None:
    values = [json.dumps({"user": f"newcomer {n}", "item": "v", "at": 1_700_000_000_000 + n}).encode() for n in range(count)]
    kafka.produce(settings.kafka.target, [(None, value, None) for value in values])


def _held(kafka: Kafka, settings: Settings, user: str, *, nudge: bool = False) -> list[str]:
    """The Kafka topics of ours that hold a name; `nudge` writes to each partition, so that Kafka closes the segment before."""
    names = (settings.kafka.state, settings.kafka.recommendations, settings.kafka.lessons)
    found = [name for name in names if any(user.encode() in (one.key or b"") + (one.value or b"") for one in kafka.read_all(name))]
    if nudge:
        for name in names[:2]:
            kafka.produce(name, [Record(b"nudge", None, partition=number) for number in range(settings.kafka.partitions)])
    return found


def _compact_eagerly(settings: Settings) -> None:
    async def alter() -> None:
        async with admin(settings.kafka) as client:
            policies = {settings.kafka.state: "compact", settings.kafka.recommendations: "compact,delete"}
            for name, policy in policies.items():
                await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {**_EAGER, "cleanup.policy": policy})])

    asyncio.run(alter())

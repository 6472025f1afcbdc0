"""Promises of event-time order on a real Kafka, where partitions are empty, end in markers or are written one after the other."""

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.bench.audit import audit
from streams.connection import producer
from streams.folder import Folder
from streams.records import Interaction
from streams.replay import chosen, value_of
from streams.settings import Settings, WorkerSettings
from tests.integration.kafka import Kafka
from tests.integration.until import until
from tests.integration.worker import Worker

_NETWORKS = ("floor", "press")
# On a slow machine much time may lie between two writes of a backlog.
_WORKER = WorkerSettings(port=0, settle_ms=5_000, session_timeout_ms=60_000)


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """This test's own Kafka topics, made."""
    settings = kafka.settings(_NETWORKS, partitions=2, worker=_WORKER)
    kafka.create(settings)
    return settings


def test_a_backlog_written_topic_after_topic_leaves_in_order(mini: Folder, artifact: Path, settings: Settings) -> None:
    """A running worker waits for what is written later and happened earlier: no inversion, windows as of an undisturbed run."""
    records = [one.record for one in chosen(mini, "test")]
    names = [settings.kafka.target, *settings.networks.values()]

    async def write() -> None:
        async with producer(settings.kafka, linger_ms=5) as client:
            for name in names:
                for one in records:
                    if name == (settings.kafka.target if isinstance(one, Interaction) else settings.networks[one.network]):
                        await client.send(name, value_of(one), key=one.user.encode())

    with Worker(artifact) as worker:
        worker.wait_ready()
        asyncio.run(write())
        worker.wait_read(len(records))
        assert 0 == worker.value("crossnet_inversions")
        assert 0 == worker.value("crossnet_forced_releases")
        assert 0 == worker.value("crossnet_late_posts_total")
        assert 0 == worker.stop()
    assert [] == audit(artifact, settings).faults


def test_markers_and_silent_partitions_hold_nothing_back(artifact: Path, settings: Settings) -> None:
    """A partition that ends in a transaction's marker is read to its end, also after a restart; empty ones are not waited for."""

    async def write(items: range) -> None:
        client = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, transactional_id=f"{settings.kafka.group}-sender")
        await client.start()
        for number in items:
            async with client.transaction():
                value = json.dumps({"user": "ann", "item": f"v{number}"}).encode()
                await client.send(settings.kafka.target, value, key=b"ann")
        await client.stop()

    for start in (0, 3):
        with Worker(artifact) as worker:
            worker.wait_ready()
            asyncio.run(write(range(start, start + 3)))
            lists = 'crossnet_lists_total{trigger="interaction"}'
            until(lambda worker=worker, lists=lists: worker.value(lists) == 3, "each has its list", 120)  # type: ignore[misc]
            worker.wait_drained()
            assert 0 == worker.stop()
    assert [] == audit(artifact, settings).faults

"""The Kafka topics of the contract on a real broker."""

import asyncio
import logging
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams import kafka_topics
from streams.broker import HOST, free_port
from streams.errors import BrokerError
from streams.settings import KafkaSettings, Settings
from tests.integration.kafka import Kafka


def _made(kafka: Kafka, *topics: NewTopic) -> None:
    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(list(topics))
        finally:
            await admin.close()

    asyncio.run(make())


def test_create_makes_all_and_only_once(kafka: Kafka) -> None:
    """The first call makes every Kafka topic, the second none, and then nothing differs."""
    settings = kafka.settings(networks=("press", "floor", "blog"), partitions=3)
    expected = [one.name for one in kafka_topics.wanted(settings)]
    assert asyncio.run(kafka_topics.create(settings)) == expected
    assert asyncio.run(kafka_topics.create(settings)) == []
    assert asyncio.run(kafka_topics.check(settings)) == []
    asyncio.run(kafka_topics.require(settings))


def test_missing_ones_are_named(kafka: Kafka) -> None:
    """Before `create`, each Kafka topic is one line with the remedy, and `require` raises the first."""
    settings = kafka.settings()
    lines = asyncio.run(kafka_topics.check(settings))
    assert [line.split()[2] for line in lines] == [one.name for one in kafka_topics.wanted(settings)]
    assert all("crossnet kafka-topics create" in line for line in lines)
    with pytest.raises(BrokerError, match="is missing"):
        asyncio.run(kafka_topics.require(settings))


def test_differences_are_named_with_their_remedy(kafka: Kafka) -> None:
    """Another partition count, cleanup policy or size limit: what is, what should be, what to do."""
    settings = kafka.settings(partitions=2)
    names = settings.kafka
    _made(
        kafka,
        NewTopic(names.target, 3, 1),
        NewTopic(names.state, 2, 1),
        NewTopic(names.lessons, 2, 1, topic_configs={"max.message.bytes": "33554432"}),
        NewTopic(names.dead_letters, 5, 1),
    )
    assert names.target not in asyncio.run(kafka_topics.create(settings))
    found = {line.split()[2]: line for line in asyncio.run(kafka_topics.check(settings))}
    assert set(found) == {names.target, names.state, names.lessons, names.dead_letters}
    assert "has 3 partitions instead of 2" in found[names.target]
    assert "cleanup.policy = delete instead of compact" in found[names.state]
    assert "has 2 partitions instead of 1" in found[names.lessons]
    assert "max.message.bytes = 1048588 instead of 2097152" in found[names.dead_letters]


def test_dead_letters_take_two_megabytes(kafka: Kafka) -> None:
    """A record of 1 MB plus headers, which Kafka's default refuses, fits into dead letters."""
    settings = kafka.settings()
    kafka.create(settings)
    large = b"x" * (2**20 + 2**19)
    kafka.produce(settings.kafka.dead_letters, [(b"u", large, None)])
    assert [one.value for one in kafka.read_all(settings.kafka.dead_letters)] == [large]


def test_no_broker_is_one_sentence_within_seconds(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody at the address: the address and the remedy, soon."""
    caplog.set_level(logging.CRITICAL, "aiokafka")
    settings = Settings.model_construct(kafka=KafkaSettings(bootstrap=f"{HOST}:{free_port()}"))
    begun = time.monotonic()
    with pytest.raises(BrokerError, match="crossnet broker up") as caught:
        asyncio.run(kafka_topics.check(settings))
    assert time.monotonic() - begun < 10
    assert settings.kafka.bootstrap in str(caught.value)

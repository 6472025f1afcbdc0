"""Damage to what a worker stands on: its state and limits on Kafka, its folder of checkpoints. For benches and tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from streams import kafka_topics, restore
from streams.connection import admin, consumer, producer
from streams.settings import Settings

_OFFSETS = "__consumer_offsets"
FULL, READ_ONLY = "size=64k", "size=64k,ro"  # what `mounted` mounts


async def has_open_offsets(settings: Settings) -> bool:
    """Whether somebody's offsets are in a transaction that is neither committed nor aborted.

    Of all that a commit writes, they alone are sure to have reached the broker at the point inside it.
    """
    count = (await kafka_topics.partitions(settings, [_OFFSETS]))[_OFFSETS]
    places = [TopicPartition(_OFFSETS, number) for number in range(count)]
    ends: list[int] = []
    for isolation in ("read_committed", "read_uncommitted"):
        async with consumer(settings.kafka, isolation_level=isolation) as client:
            ends.append(sum((await client.end_offsets(places)).values()))
    return ends[0] < ends[1]


async def limit_lists(settings: Settings, size: str) -> None:
    """Have Kafka refuse lists of more bytes than this."""
    async with admin(settings.kafka) as client:
        given = {"max.message.bytes": size, "cleanup.policy": "compact,delete"}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.kafka.recommendations, given)])


async def alter_row(settings: Settings) -> str:
    """Flip a byte in the newest row of the memory of some user; gives whose it was."""
    rows = restore.read(settings, settings.kafka.state, range(settings.kafka.partitions), 0)
    newest = {one.key: one async for one in rows if one.key[:1] == b"u"}
    row = next(one for one in newest.values() if one.value is not None)
    value = bytearray(row.value)
    value[len(value) // 2] ^= 1
    async with producer(settings.kafka) as client:
        await client.send(settings.kafka.state, bytes(value), key=row.key, partition=row.partition, headers=list(row.headers))
    return str(row.key[1:], "utf-8")


async def delete_before(settings: Settings, kafka_topic: str, partition: int, offset: int) -> None:
    """Delete the records before an offset, as retention does."""
    async with admin(settings.kafka) as client:
        await client.delete_records({TopicPartition(kafka_topic, partition): RecordsToDelete(offset)})


def cut_newest(artifact: Path) -> str:
    """Take the end off the newest checkpoint; gives its name."""
    newest = max((artifact / "online").glob("[0-9]*"))
    tensors = newest / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1000])
    return newest.name


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system in memory over a folder. Raises CalledProcessError where that is not allowed: nothing else stops root."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)  # noqa: S603, S607 - root's own
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607 - as above


def can_mount() -> bool:
    """Whether this process may."""
    try:
        with TemporaryDirectory() as name, mounted(Path(name), FULL):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False

"""What this machine and this Kafka lack for crossnet to run, each with its remedy."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiokafka import ConsumerRecord

from streams import kafka_topics, tail
from streams.connection import api_keys, why
from streams.errors import BrokerError
from streams.folder import partition_of
from streams.kafka_jars import find_java
from streams.scrape import Metrics
from streams.settings import Settings

OK, WARNING, PROBLEM = "ok", "warning", "problem"
_GIB = 2**30
_DISK = 5 * _GIB  # checkpoints, Kafka's log of a small stream
_SKEW_MS = 5_000
_SAMPLE = 1_000  # newest records of the input, of all partitions together
_OFF_PARTITION = 0.01  # a few records of an odd producer are processed all the same
# The newest kind of request that a version brought: what a broker offers tells how old it can be at most.
_VERSIONS = {74: "3.7", 75: "3.8", 80: "3.9", 92: "4.1"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` is empty when it is well."""

    what: str
    state: str
    said: str
    remedy: str = ""


async def examine(settings: Settings, artifacts: Path | None) -> AsyncIterator[Finding]:
    """Everything, machine first; what needs Kafka is left out, and said to be, when there is none."""
    for finding in _machine(settings, artifacts):
        yield finding
    refused = await why(settings.kafka)
    if refused is not None:
        yield Finding("Kafka", PROBLEM, refused, "Kafka version, Kafka topics, producers and clocks were not looked at")
        return
    yield await _version(settings)
    differences = await kafka_topics.check(settings)
    for line in differences:
        said, _, remedy = line.partition("; ")
        yield Finding("Kafka topics", PROBLEM, said, remedy)
    if not differences:
        yield Finding("Kafka topics", OK, f"all there, {settings.kafka.partitions} partitions each")
    there = [name for name in settings.input_topics() if not any(f"Kafka topic {name} is missing" in line for line in differences)]
    newest = [one async for one in tail.last(settings, there, _SAMPLE)] if there else []
    records = [one for one in newest if _user(one)]  # what is no record at all is a dead letter, and told of there
    for finding in (_keys(records), _partitioner(settings, records), _clock(records)):
        yield finding


def _machine(settings: Settings, artifacts: Path | None) -> Iterator[Finding]:
    try:
        yield Finding("Java", OK, find_java())
    except BrokerError as error:
        said, _, remedy = str(error).partition("; ")
        yield Finding("Java", WARNING, said, f"{remedy}; only `crossnet broker` needs it")
    maven = shutil.which("mvn")
    lacks = "install it (`apt-get install maven`, `brew install maven`); only `crossnet broker` needs it"
    yield Finding("Maven", OK, maven) if maven else Finding("Maven", WARNING, "no mvn on the PATH", lacks)
    yield _docker()
    yield _port(settings)
    yield from (_disk(place) for place in dict.fromkeys((Path.cwd(), artifacts or Path.cwd())))


def _docker() -> Finding:
    docker = shutil.which("docker")
    if docker is None:
        return Finding("Docker", OK, "not installed; only deploy/compose.yml needs it")
    command = [docker, "info", "--format", "{{.ServerVersion}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - our own arguments
    except subprocess.TimeoutExpired:
        return Finding("Docker", WARNING, "the engine does not answer", "restart it; only deploy/compose.yml needs it")
    version = done.stdout.strip()
    if done.returncode or not version:
        return Finding("Docker", WARNING, "installed, but no engine answers", "start it; only deploy/compose.yml needs it")
    return Finding("Docker", OK, f"engine {version}")


def _port(settings: Settings) -> Finding:
    worker = settings.worker
    if worker.port == 0:
        return Finding("port of the worker", OK, "any free one")
    address = f"{worker.host}:{worker.port}"
    with socket.socket(socket.AF_INET6 if ":" in worker.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((worker.host, worker.port))
        except OSError as error:
            return _taken(address, error)
    return Finding("port of the worker", OK, f"{address} is free")


def _taken(address: str, error: OSError) -> Finding:
    try:
        metrics = Metrics(address, 2.0)
        metrics.read()
        if "crossnet_ready" in metrics.names():
            return Finding("port of the worker", OK, f"a worker answers at {address}")
    except (OSError, ValueError):
        pass
    said = f"{address} cannot be listened on ({error.strerror})"
    return Finding("port of the worker", PROBLEM, said, "set worker.host and worker.port, or stop the program that has it")


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    said = f"{free / _GIB:,.1f} GiB free at {place}"
    if not os.access(place, os.W_OK):
        return Finding("disk", PROBLEM, f"{place} cannot be written to", "run as its owner, or name another folder")
    if free < _DISK:
        return Finding("disk", WARNING, said, f"make room: checkpoints and logs want {_DISK // _GIB} GiB")
    return Finding("disk", OK, said)


async def _version(settings: Settings) -> Finding:
    offered = await api_keys(settings.kafka)
    known = [version for key, version in _VERSIONS.items() if key in offered]
    if not known:
        return Finding("Kafka", WARNING, f"{settings.kafka.bootstrap} is older than 3.7", "update it; 3.7 and newer are supported")
    return Finding("Kafka", OK, f"{settings.kafka.bootstrap}, version {known[-1]} or newer")


def _keys(records: list[ConsumerRecord]) -> Finding:
    bad = sum(one.key is None or one.key != _user(one).encode() for one in records)
    if not records:
        return Finding("keys of the input", OK, "no input yet")
    if bad == 0:
        return Finding("keys of the input", OK, f"the user, in all of the newest {len(records):,} records")
    said = f"not the user in {bad:,} of the newest {len(records):,} records"
    return Finding("keys of the input", WARNING, said, "key by user: Kafka keeps a user's events in order only within one partition")


def _partitioner(settings: Settings, records: list[ConsumerRecord]) -> Finding:
    off = sum(partition_of(_user(one), settings.kafka.partitions) != one.partition for one in records)
    name = "partitioner of the producers"
    if not records:
        return Finding(name, OK, "no input yet")
    said = f"{off:,} of the newest {len(records):,} records are not where murmur2 of the user puts them"
    if off > _OFF_PARTITION * len(records):
        return Finding(name, PROBLEM, said, "librdkafka: partitioner=murmur2_random; Java and aiokafka do so by themselves")
    return Finding(name, OK, said)


def _clock(records: list[ConsumerRecord]) -> Finding:
    if not records:
        return Finding("clocks", OK, "no input yet")
    ahead = max(one.timestamp for one in records) - round(time.time() * 1000)
    if ahead > _SKEW_MS:
        said = f"the newest record is {ahead / 1000:,.1f} s in this machine's future"
        return Finding("clocks", WARNING, said, "run NTP on the producers' machines and on this one")
    return Finding("clocks", OK, f"no record of the future; the newest is {-ahead / 1000:,.1f} s old")


def _user(record: ConsumerRecord) -> str:
    value = tail.fields(record)
    return str(value.get("user", "")) if value else ""


def run(settings: Settings, artifacts: Path | None) -> list[Finding]:
    """All findings."""

    async def collect() -> list[Finding]:
        return [one async for one in examine(settings, artifacts)]

    return asyncio.run(collect())

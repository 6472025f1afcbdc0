"""The least that a Kafka with an authorizer must allow each program, as `kafka-acls.sh` takes it.

READ and WRITE imply DESCRIBE. Nobody needs CREATE but whoever runs `crossnet kafka-topics create`.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Acl:
    """One rule: `kind` is topic, group, transactional-id or cluster; `operation` as Kafka writes it."""

    kind: str
    name: str
    operation: str


def worker(settings: Settings) -> Iterator[Acl]:
    """Of `crossnet worker`: inputs in, everything else out, rows and lessons back at a start, old lessons deleted."""
    kafka = settings.kafka
    yield from _topics("Read", *settings.input_topics(), kafka.state, kafka.lessons, kafka.items)
    yield from _topics("Write", kafka.recommendations, kafka.dead_letters, kafka.state, kafka.lessons)
    yield from _topics("DescribeConfigs", *settings.input_topics(), *_outputs(settings))
    yield Acl("topic", kafka.lessons, "Delete")
    yield Acl("group", kafka.group, "Read")
    yield Acl("group", f"{kafka.group}-active", "Read")
    yield Acl("transactional-id", f"{kafka.group}-worker", "Write")


def serve(settings: Settings) -> Iterator[Acl]:
    """Of `crossnet serve`: lists, items and dead letters in, events out; how far the worker is."""
    yield from _topics("Read", settings.kafka.recommendations, settings.kafka.items, settings.kafka.dead_letters)
    yield from _topics("Write", *settings.input_topics())
    yield Acl("group", settings.kafka.group, "Describe")


def replay(settings: Settings) -> Iterator[Acl]:
    """Of `crossnet replay`, and of whatever produces events."""
    yield from _topics("Write", *settings.input_topics(), settings.kafka.items)


def operate(settings: Settings) -> Iterator[Acl]:
    """Of who runs `kafka-topics create`, `status`, `doctor`, `tail`, `dead-letters` and `model`."""
    yield from _topics("Read", *settings.input_topics(), *_outputs(settings))
    yield from _topics("Write", *settings.input_topics(), settings.kafka.dead_letters)
    yield from _topics("DescribeConfigs", *settings.input_topics(), *_outputs(settings))
    yield Acl("group", settings.kafka.group, "Describe")
    yield Acl("cluster", "kafka-cluster", "Create")
    yield Acl("cluster", "kafka-cluster", "Describe")


PROGRAMS = {"worker": worker, "serve": serve, "replay": replay, "operate": operate}


def command(acl: Acl, user: str, bootstrap: str) -> str:
    """The rule as a command line of Kafka's own tool."""
    what = "--cluster" if acl.kind == "cluster" else f"--{acl.kind} {shlex.quote(acl.name)}"
    who = shlex.quote(f"User:{user}")
    return f"kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal {who} --operation {acl.operation} {what}"


def _outputs(settings: Settings) -> tuple[str, ...]:
    kafka = settings.kafka
    return (kafka.items, kafka.recommendations, kafka.dead_letters, kafka.state, kafka.lessons)


def _topics(operation: str, *names: str) -> Iterator[Acl]:
    return (Acl("topic", name, operation) for name in names)

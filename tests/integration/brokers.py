"""Which broker the tests use: CROSSNET_BOOTSTRAP, else Docker's where an engine answers, else a local one of their own."""

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.broker import Broker, answers, free_port
from tests.integration.until import until

IMAGE = "apache/kafka:4.4.0"


@contextmanager
def any_broker(folder: Path) -> Iterator[tuple[str, str]]:
    """Address of a broker and where it comes from; what was started is stopped again."""
    external = os.environ.get("CROSSNET_BOOTSTRAP")
    if external:
        yield Broker().up(), "CROSSNET_BOOTSTRAP"
    elif _engine_answers():
        with _in_docker() as bootstrap:
            yield bootstrap, f"Docker, {IMAGE}"
    else:
        local = Broker(folder, port=0)
        try:
            yield local.up(), "local Apache Kafka"
        finally:
            local.down()


def _engine_answers() -> bool:
    with warnings.catch_warnings():
        # Docker's client leaves its socket open when nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        answered = _ping()
        gc.collect()
    return answered


def _ping() -> bool:
    import docker  # type: ignore[import-untyped]

    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


@contextmanager
def _in_docker() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container = DockerContainer(IMAGE).with_bind_ports(port, port)
    host = container.get_docker_client().host()
    for name, value in _environment(host, port).items():
        container = container.with_env(name, value)
    with container:
        bootstrap = f"{host}:{port}"
        until(lambda: answers(bootstrap), f"the broker in Docker answers at {bootstrap}", seconds=90)
        yield bootstrap


def _environment(host: str, port: int) -> dict[str, str]:
    """The image takes its own defaults only when nothing at all is set."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093" if port != 9093 else "1@localhost:9094",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:{9093 if port != 9093 else 9094}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_HEAP_OPTS": "-Xmx512m",
    }

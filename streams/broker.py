"""A local single-node Apache Kafka (KRaft) in a folder of its own: fetched with Maven, run on Java, loopback only.

    DIR/data               Kafka's log and metadata, kept between `up`s
    DIR/server.properties  written anew by each `up`
    DIR/broker.log         what the broker said since the last `up`
    DIR/broker.pid         "pid port"
"""

import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from streams.errors import BrokerError
from streams.kafka_jars import DEFAULT_DIR, fetch_jars, find_java, jvm_command, last_line
from streams.pidfile import PidFile, within

HOST = "127.0.0.1"
DEFAULT_PORT = 9092

_UP_SECONDS = 180.0  # 3-5 s on an idle machine; a laden CI machine needs more
_DOWN_SECONDS = 20.0  # a clean stop takes 1-2 s

SINGLE_NODE = """\
# One node: nothing can be replicated.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# 50 partitions each by default: one folder and several open files a partition, and seconds at the first use.
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
# A group of one need not wait for others.
group.initial.rebalance.delay.ms=0
"""
_PROPERTIES = SINGLE_NODE + """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs={data}
# A misspelt Kafka topic must be an error, and what was written stays until `--fresh`.
auto.create.topics.enable=false
log.retention.ms=-1
# The default of 128 MB is a quarter of the heap.
log.cleaner.dedupe.buffer.size=33554432
# Compaction looks for work more often than every 15 s.
log.cleaner.backoff.ms=2000
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What `Broker.status` found; `pid` is None when the broker is not ours or not there."""

    running: bool
    bootstrap: str
    pid: int | None


class Broker:
    """The broker of one folder; `port` 0 takes any free one. With `CROSSNET_BOOTSTRAP` set, that broker and no own one."""

    def __init__(self, directory: Path = DEFAULT_DIR, port: int = DEFAULT_PORT) -> None:
        self.directory = directory.resolve()
        self.port = port
        self._pid_file = PidFile(self.directory / "broker.pid")

    def up(self, *, fresh: bool = False) -> str:
        """Start the broker unless it runs, wait until it answers, return its address; `fresh` deletes its data first."""
        external = os.environ.get("CROSSNET_BOOTSTRAP")
        if external:
            return _reached(external)
        if fresh:
            self.down()
            shutil.rmtree(self.directory / "data", ignore_errors=True)
        running = self._running()
        if running and self._joins(*running):
            return f"{HOST}:{running[1]}"
        java = find_java()
        jars = fetch_jars()
        port = self.port or free_port()
        if not is_free(port):
            raise BrokerError(
                f"port {port} is taken by another program; choose one with --port, or set CROSSNET_BOOTSTRAP to use the Kafka there"
            )
        self._configure(port)
        self._format(java, jars)
        self._start(java, jars, port)
        return f"{HOST}:{port}"

    def status(self) -> Status:
        """Whether a broker answers, and where."""
        external = os.environ.get("CROSSNET_BOOTSTRAP")
        if external:
            return Status(running=any(map(_connects, external.split(","))), bootstrap=external, pid=None)
        running = self._running()
        if running is None:
            return Status(running=False, bootstrap=f"{HOST}:{self.port}", pid=None)
        pid, port = running
        return Status(running=answers(f"{HOST}:{port}"), bootstrap=f"{HOST}:{port}", pid=pid)

    def down(self) -> bool:
        """Stop the broker of this folder; False when none ran. An external broker is left alone."""
        return self._pid_file.stop(_DOWN_SECONDS)

    def kill(self) -> None:
        """End it at once, without a clean stop, to see what that does."""
        running = self._running()
        if running is not None:
            os.kill(running[0], signal.SIGKILL)
            within(_DOWN_SECONDS, lambda: self._running() is None)

    @property
    def _log(self) -> Path:
        return self.directory / "broker.log"

    def _running(self) -> tuple[int, int] | None:
        """Process id and port."""
        running = self._pid_file.running()
        return (running[0], running[1]) if running else None

    def _joins(self, pid: int, port: int) -> bool:
        """Wait for a broker that runs already; False when it was just about to end."""
        stop = f"`crossnet broker down --dir {self.directory}`"
        if self.port not in (0, port):
            raise BrokerError(
                f"the broker of {self.directory} already runs on port {port} (pid {pid}), not {self.port}; "
                f"use that port, or stop it with {stop}"
            )
        if not within(_UP_SECONDS, lambda: self._running() is None or answers(f"{HOST}:{port}")):
            raise BrokerError(f"the broker on {HOST}:{port} (pid {pid}) does not answer; see {self._log}, stop it with {stop}")
        return self._running() is not None

    def _configure(self, port: int) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(host=HOST, port=port, controller_port=free_port(), data=self.directory / "data")
        (self.directory / "server.properties").write_text(text, "utf-8")

    def _format(self, java: str, jars: Path) -> None:
        """Give an empty folder its cluster id, as KRaft demands."""
        if (self.directory / "data" / "meta.properties").exists():
            return
        # 22 characters of base64; the first byte 0, because an id that begins with "-" reads as an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode()[:22]
        tool = [*jvm_command(java, jars), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "--cluster-id", cluster]
        done = subprocess.run(  # noqa: S603 - our own arguments
            [*tool, "--config", str(self.directory / "server.properties")], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BrokerError(f"Kafka could not prepare {self.directory / 'data'}: {last_line(done.stdout + done.stderr)}")

    def _start(self, java: str, jars: Path, port: int) -> None:
        kafka = [*jvm_command(java, jars), "kafka.Kafka", str(self.directory / "server.properties")]
        process = self._pid_file.start(kafka, self._log, port)
        if process is None:
            raise BrokerError(f"another `broker up` is at work in {self.directory}; wait for it")
        try:
            self._wait(process, port)
        except BaseException:
            self.down()
            raise

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        up = within(_UP_SECONDS, lambda: process.poll() is not None or answers(f"{HOST}:{port}"))
        if up and process.poll() is None:
            return
        how = f"ended with code {process.returncode}" if up else f"does not answer after {_UP_SECONDS:.0f} s"
        said = last_line(self._log.read_text("utf-8", errors="replace"))
        raise BrokerError(f"Kafka on port {port} {how}: {said}; all of it is in {self._log}, `--fresh` starts with empty data")


def answers(address: str) -> bool:
    """Whether the first of these "host:port" speaks Kafka's protocol and knows of a live broker.

    An open port is not enough: Kafka opens it seconds before it serves, and another program may hold it. So this asks
    for metadata, version 1, of no Kafka topic: the answer is size, correlation id, number of brokers, ...
    """
    client = b"crossnet"
    request = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection(_split(address.split(",")[0]), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    if len(head) < 12:
        return False
    _, correlation, brokers = struct.unpack(">iii", head)
    return bool(correlation == 1 and brokers > 0)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nothing listens on this port."""
    # Binding alone is not enough: macOS lets 127.0.0.1 be bound beside a listener on all addresses.
    if _connects(f"{HOST}:{port}"):
        return False
    with socket.socket() as probe:
        # Connections of an earlier program still in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reached(bootstrap: str) -> str:
    # Only the connection: a broker of the operator's may want TLS and a password.
    if not any(map(_connects, bootstrap.split(","))):
        raise BrokerError(f"nothing listens at CROSSNET_BOOTSTRAP={bootstrap}; start that broker or unset the variable")
    return bootstrap


def _connects(address: str) -> bool:
    try:
        with socket.create_connection(_split(address), timeout=5):
            return True
    except OSError:
        return False


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BrokerError(f"broker address {address!r} is not host:port, such as {HOST}:{DEFAULT_PORT}")
    return host.strip("[]"), int(port)

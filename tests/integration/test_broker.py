"""The local broker: start, stop, data kept, and clear words when it cannot."""

import shutil
import signal
import socket
import subprocess
import sys
from os import kill
from pathlib import Path

import pytest

import streams.broker
import streams.kafka_jars
from streams.broker import HOST, Broker, answers, free_port
from streams.errors import BrokerError
from streams.kafka_jars import fetch_jars
from tests.integration.kafka import Kafka
from tests.integration.until import until


def test_data_is_kept_until_fresh(local: Broker) -> None:
    """What was written survives a stop, a kill -9, and not `fresh`; a second `up` joins the running broker."""
    kafka = Kafka(local.up())
    settings = kafka.settings()
    kafka.create(settings)
    kafka.produce("t" + settings.kafka.target[1:], [(b"u", b"one", None)])
    assert local.up() == kafka.bootstrap
    assert local.down()
    assert not local.status().running

    local.port = int(kafka.bootstrap.split(":")[1])
    local.up()
    assert [one.value for one in kafka.read_all(settings.kafka.target)] == [b"one"]
    pid = local.status().pid
    assert pid is not None
    kill(pid, signal.SIGKILL)
    until(lambda: not local.status().running, "a killed broker is not called running")
    local.up()
    assert [one.value for one in kafka.read_all(settings.kafka.target)] == [b"one"]

    local.up(fresh=True)
    with pytest.raises(AssertionError, match="no Kafka topic"):
        kafka.read_all(settings.kafka.target)


def test_status_and_down_without_a_broker(local: Broker) -> None:
    """A folder where nothing runs: said so, and stopping is no error."""
    assert not local.status().running
    assert not local.down()


def test_an_external_broker_is_used_and_none_started(broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CROSSNET_BOOTSTRAP set, `up` gives that address and leaves the folder empty."""
    monkeypatch.setenv("CROSSNET_BOOTSTRAP", broker)
    own = Broker(tmp_path / "own")
    assert own.up() == broker
    assert own.status().running
    assert not (tmp_path / "own").exists()


def test_an_external_broker_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at CROSSNET_BOOTSTRAP: the address and the remedy, not a broker of our own."""
    monkeypatch.setenv("CROSSNET_BOOTSTRAP", f"{HOST}:{free_port()}")
    with pytest.raises(BrokerError, match="unset the variable"):
        Broker(tmp_path).up()


def test_a_port_taken_by_another_program(local: Broker) -> None:
    """An open port is not a broker: it does not answer, and `up` refuses it by number."""
    with socket.create_server((HOST, 0)) as other:
        local.port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {local.port} is taken"):
            local.up()


def test_a_program_that_is_no_kafka_does_not_answer() -> None:
    """A listener that closes the connection, or nobody at all, is no broker."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        other.close()
        assert not answers(f"{HOST}:{port}")


@pytest.mark.parametrize(("program", "says"), [("java", "no Java"), ("mvn", "no Maven")])
def test_a_missing_program_is_named_with_the_remedy(
    program: str, says: str, local: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Java or Maven: one sentence with what to install."""
    found = shutil.which
    monkeypatch.setattr(streams.kafka_jars, "JARS", tmp_path / "jars")
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == program else found(name, path=path))
    with pytest.raises(BrokerError, match=says) as caught:
        local.up()
    assert "apt-get install" in str(caught.value)


def test_a_broken_start_tells_what_kafka_said(local: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that ends at once: its code and its last line, and nothing left running."""
    monkeypatch.setattr(streams.broker, "_PROPERTIES", streams.broker._PROPERTIES + "log.segment.bytes=1\n")
    with pytest.raises(BrokerError, match="Kafka"):
        local.up()
    assert not local.status().running


def test_the_verb_prints_and_exits(local: Broker) -> None:
    """`broker status` exits 1 when stopped and 0 when running, and names the address."""

    def broker(verb: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from streams.cli import main; main()", "broker", verb, "--dir", str(local.directory)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    fetch_jars()
    stopped = broker("status")
    assert (stopped.returncode, stopped.stdout.split()[0]) == (1, "stopped")
    bootstrap = local.up()
    running = broker("status")
    assert (running.returncode, running.stdout.split()[:2]) == (0, ["running", bootstrap])
    assert (broker("down").returncode, local.status().running) == (0, False)

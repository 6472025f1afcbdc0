"""Kafka with TLS, passwords and ACLs: what the documented minimum allows, and what is said when something is wrong."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import acls, connection, kafka_topics, synth
from streams.errors import BrokerError, SettingsError
from streams.settings import KafkaSettings, Settings, WorkerSettings
from tests.integration.kafka import write_settings
from tests.integration.secured import ADMIN, Secured, certificate
from tests.integration.serve import Serve
from tests.integration.until import until
from tests.integration.worker import Worker, crossnet, inside

_USERS = ("operate", "worker", "serve", "replay", "nobody")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, its Kafka topics made by the user `operate`, everybody with his program's rights and no others."""
    with Secured(tmp_path_factory.mktemp("secured"), _USERS) as broker:
        for user in _USERS[:-1]:
            broker.allow(user, acls.PROGRAMS[user](_settings(broker, user)))
        asyncio.run(kafka_topics.create(_settings(broker, "operate")))
        yield broker


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small artifact of a synthetic world."""
    folder = tmp_path_factory.mktemp("world")
    synth.write(synth.World(users=12, items=30, interactions=10), folder / "data")
    sizes = ("--topics", "5", "--sweeps", "5", "--epochs", "1", "--hidden", "8", "--factors", "8")
    crossnet("train", folder / "data", "--out", folder / "artifact", *sizes)
    return folder / "artifact"


def _settings(broker: Secured, user: str) -> Settings:
    return Settings.model_construct(
        networks={"twitter": "tweets", "gplus": "gplus-posts"}, kafka=broker.settings(user), worker=WorkerSettings(port=0)
    )


def _why(kafka: KafkaSettings) -> str:
    async def start() -> None:
        async with connection.consumer(kafka):
            pass

    with pytest.raises(BrokerError) as caught:
        asyncio.run(start())
    return str(caught.value)


def test_the_documented_acls_are_enough_for_a_whole_run(secured: Secured, artifact: Path, tmp_path: Path) -> None:
    """With nothing but the minimal ACLs, `replay` sends, the worker publishes, learns, commits and restores, `serve` serves,
    the operator looks; no log has a password.
    """
    write_settings(_settings(secured, "replay"), artifact)
    sent = json.loads(crossnet("replay", artifact.parent / "data", "--artifacts", artifact, "--json").stdout)
    write_settings(_settings(secured, "worker"), artifact)
    logs = []
    for arguments in (("--from", "earliest"), ()):
        with Worker(artifact, arguments) as worker:
            worker.wait_ready()
            if arguments:
                worker.wait_read(sent["records"])
                assert worker.total("crossnet_lists_total") > 0
            assert 0 == worker.stop()
            logs.append(worker.log())
    assert "restored" in logs[1]
    with Serve(_settings(secured, "serve"), tmp_path / "serve") as serve:
        serve.wait_ready()
        until(lambda: serve.get("/recommendations/user0001")["id"], "a list is served")
        assert 202 == serve.post("twitter", {"user": "user0001", "at": 1, "text": "hello"})[0]
        logs.append(serve.log.read_text("utf-8"))
    write_settings(_settings(secured, "operate"), artifact)
    for verb in (("status",), ("tail", "recommendations"), ("dead-letters", "list"), ("kafka-topics", "check")):
        code, output, said = inside(*verb, "--artifacts", artifact, "--json")
        assert (code in (0, 1), "") == (True, said), output
    assert not [user for user, word in secured.passwords.items() if word in "".join(logs)]


def test_a_wrong_password_is_named_without_being_told(secured: Secured, tmp_path: Path, artifact: Path) -> None:
    """One sentence with the user and the remedy, soon, exit code 2; the password stands nowhere."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-word", "utf-8")
    kafka = secured.settings("worker").model_copy(update={"password_file": str(wrong)})
    write_settings(_settings(secured, "worker").model_copy(update={"kafka": kafka}), artifact)
    begun = time.monotonic()
    done = crossnet("worker", "--artifacts", artifact, check=False)
    assert time.monotonic() - begun < 30
    assert 2 == done.returncode
    assert "refuses the user 'worker' or his password" in done.stderr
    assert "not-the-word" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_foreign_certificate_is_named(secured: Secured, tmp_path: Path) -> None:
    """Another CA than the broker's: not connected, and the setting that mends it."""
    certificate(tmp_path / "other.p12", tmp_path / "other.pem")
    said = _why(secured.settings("worker").model_copy(update={"ca_file": str(tmp_path / "other.pem")}))
    assert "not trusted" in said
    assert "kafka.ca_file" in said


@pytest.mark.parametrize("security", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_a_plain_client_is_told_what_the_broker_wants(secured: Secured, security: str) -> None:
    """Without TLS nothing is sent that the broker understands, and the sentence says where to look."""
    said = _why(secured.settings("worker").model_copy(update={"security": security}))
    assert f"{secured.bootstrap} does not speak {security}" in said


def test_who_may_do_nothing_is_told_so(secured: Secured) -> None:
    """A user without ACLs: Kafka's refusal by name, not a time-out."""
    with pytest.raises(BrokerError, match=r"Authorization|refuses|missing"):
        asyncio.run(kafka_topics.require(_settings(secured, "nobody")))


def test_the_password_comes_from_the_environment(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file CROSSNET_KAFKA_PASSWORD has it."""
    kafka = secured.settings(ADMIN).model_copy(update={"password_file": ""})
    monkeypatch.setenv(connection.PASSWORD, secured.passwords[ADMIN])
    assert None is asyncio.run(connection.why(kafka))
    monkeypatch.delenv(connection.PASSWORD)
    with pytest.raises(SettingsError, match=connection.PASSWORD):
        connection.options(kafka)


def test_no_log_level_tells_the_password(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    """At the loudest level of all libraries, a right and a wrong password alike."""
    caplog.set_level(logging.DEBUG)
    kafka = secured.settings(ADMIN)
    assert None is asyncio.run(connection.why(kafka))
    _why(kafka.model_copy(update={"username": "worker"}))
    assert caplog.text
    assert secured.passwords[ADMIN] not in caplog.text
    assert secured.passwords[ADMIN] not in repr(kafka)

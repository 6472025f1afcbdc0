"""A real Kafka and a real Prometheus for the tests that need them; the summary says which Kafka it was."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from streams.broker import Broker
from streams.errors import BrokerError
from streams.folder import Folder
from streams.settings import Settings
from tests.integration.brokers import any_broker
from tests.integration.kafka import Kafka
from tests.integration.prometheus import Prometheus
from tests.integration.running import Running
from tests.integration.running import running as start_running
from tests.integration.worker import artifact_for, crossnet

_TRAIN = ("--topics", "15", "--sweeps", "20", "--epochs", "2", "--hidden", "32", "--factors", "16")
_USED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running broker: CROSSNET_BOOTSTRAP, else one in Docker, else a local one."""
    with ExitStack() as stack:
        try:
            bootstrap, source = stack.enter_context(any_broker(tmp_path_factory.mktemp("kafka")))
        except BrokerError as error:
            _unavailable(str(error))
        pytestconfig.stash[_USED] = f"{source} at {bootstrap}"
        yield bootstrap


@pytest.fixture
def kafka(broker: str) -> Kafka:
    """The broker with names of this test's own."""
    return Kafka(broker)


@pytest.fixture(scope="session")
def running(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker that has taken a small world; tests look at it and leave it running."""
    with start_running(Kafka(broker), tmp_path_factory.mktemp("running")) as one:
        yield one


@pytest.fixture(scope="session")
def mini(data: Path) -> Folder:
    """The small real data set."""
    return Folder(data / "congress-mini")


@pytest.fixture(scope="session")
def artifacts(mini: Folder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that gives the artifact of the small real data set in a preset; each is trained once."""

    @functools.cache
    def trained(preset: str) -> Path:
        out = tmp_path_factory.mktemp("trained") / "artifact"
        crossnet("train", mini.path, "--out", out, "--preset", preset, *_TRAIN)
        return out

    return trained


@pytest.fixture
def artifact(artifacts: Callable[[str], Path], settings: Settings, tmp_path: Path) -> Path:
    """An artifact of preset `full` for the test's own `settings`."""
    return artifact_for(settings, artifacts("full"), tmp_path / "artifact")


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """A function that starts a Prometheus for "host:port" targets; it is stopped after the test."""
    if shutil.which("prometheus") is None:
        _unavailable("no prometheus on the PATH; `deploy/run test` installs it or says how")
    with ExitStack() as stack:

        def start(targets: Sequence[str], rules: Sequence[Path] = ()) -> Prometheus:
            folder = tmp_path / f"prometheus-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(Prometheus(folder, targets, rules))

        yield start


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the broker that the tests used."""
    terminalreporter.write_line(f"broker: {config.stash.get(_USED, 'none was needed')}")


def _unavailable(why: str) -> NoReturn:
    """Outside CI a laptop may lack something; in CI a test that did not run must not look like one that passed."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """An own broker, stopped after the test; independent of the one that the other tests use."""
    monkeypatch.delenv("CROSSNET_BOOTSTRAP", raising=False)
    broker = Broker(tmp_path / "broker", port=0)
    yield broker
    broker.down()

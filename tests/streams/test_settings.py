"""Settings: defaults, files, environment, options."""

import os
import tomllib
from pathlib import Path

import pytest

from streams.cli.options import SETTINGS_FILE, for_artifacts
from streams.errors import ArtifactError, SettingsError
from streams.settings import Settings, load


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CROSSNET_"):
            monkeypatch.delenv(name)


def _file(folder: Path, text: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(text, "utf-8")
    return file


def test_the_shipped_file_restates_the_defaults() -> None:
    """deploy/settings.toml names every setting with the default it has in code."""
    expected = Settings().model_dump()
    assert expected == tomllib.loads(SETTINGS_FILE.read_text("utf-8"))
    assert expected == load(SETTINGS_FILE).model_dump()


def test_later_files_win(tmp_path: Path) -> None:
    """What a later file says beats an earlier one; what it leaves out stays."""
    first = tmp_path / "a.toml"
    first.write_text("[kafka]\npartitions = 8\ngroup = 'one'\n", "utf-8")
    second = _file(tmp_path, "[kafka]\npartitions = 2\n")
    kafka = load(first, second).kafka
    assert (kafka.partitions, kafka.group) == (2, "one")


def test_networks_of_a_file_replace_the_default_ones(tmp_path: Path) -> None:
    """Naming networks means these and no others."""
    file = _file(tmp_path, "[networks]\npress = 'press-releases'\nfloor = 'floor'\n")
    assert load(file).input_topics() == ("press-releases", "floor", "youtube-events")


def test_environment_beats_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CROSSNET_ variable overrides the file's value and leaves its neighbours alone."""
    monkeypatch.setenv("CROSSNET_KAFKA__PARTITIONS", "16")
    monkeypatch.setenv("CROSSNET_BOOTSTRAP", "kafka:1")
    kafka = load(_file(tmp_path, "[kafka]\npartitions = 8\nbootstrap = 'file:2'\ngroup = 'mine'\n")).kafka
    assert (kafka.partitions, kafka.bootstrap, kafka.group) == (16, "kafka:1", "mine")


def test_options_beat_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option overrides a variable; an option that was not given does not."""
    monkeypatch.setenv("CROSSNET_BOOTSTRAP", "kafka:1")
    assert load(options={"kafka.bootstrap": "option:3"}).kafka.bootstrap == "option:3"
    assert load(options={"kafka.bootstrap": None}).kafka.bootstrap == "kafka:1"


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("[kafka]\npartition = 3\n", "kafka.partition", "kafka.partitions"),
        ("[line]\nwaves = 3\n", "line.waves", "line.wave"),
        ("[workers]\nport = 3\n", "workers", "worker.port"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, text: str, unknown: str, nearest: str) -> None:
    """A misspelt setting is refused, with itself and the nearest known one in the message."""
    with pytest.raises(SettingsError) as caught:
        load(_file(tmp_path, text))
    assert repr(unknown) in str(caught.value)
    assert nearest.split(".")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kafka]\npartitions = 0\n", "kafka.partitions = 0"),
        ("[line]\nlate_posts = 'maybe'\n", "line.late_posts = 'maybe'"),
        ("[networks]\na = 'same'\nb = 'same'\n", "share a Kafka topic"),
        ("kafka = \n", "is not TOML"),
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    """The message has the key and the value, on one line."""
    with pytest.raises(SettingsError, match=says) as caught:
        load(_file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A settings file that is not there is an error, not an empty file."""
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_an_artifact_brings_its_networks(tmp_path: Path) -> None:
    """The artifact's own settings stand above the shipped file, options above both."""
    _file(tmp_path, "[networks]\npress = 'press'\n[kafka]\npartitions = 3\n")
    settings = for_artifacts(tmp_path, "here:9", {"line.wave": 8})
    assert (
        settings.networks,
        settings.kafka.partitions,
        settings.kafka.bootstrap,
        settings.line.wave,
    ) == ({"press": "press"}, 3, "here:9", 8)


def test_a_missing_artifact_is_named_with_the_remedy(tmp_path: Path) -> None:
    """A folder that is not there: the message says how to make one."""
    with pytest.raises(ArtifactError, match="crossnet train"):
        for_artifacts(tmp_path / "none")

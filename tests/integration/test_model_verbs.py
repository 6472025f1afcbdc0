"""Versions of a model: kept by a real worker, told apart, gone back to."""

import json
from pathlib import Path
from typing import Any

import pytest

from model import Recommender
from streams.settings import Settings, WorkerSettings
from tests.integration.kafka import Kafka
from tests.integration.running import Running
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for, inside


@pytest.fixture(scope="module")
def worked(running: Running, broker: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """An artifact whose worker has learned and written checkpoints, and was stopped."""
    kafka = Kafka(broker)
    often = WorkerSettings(port=0, checkpoint_interactions=20, session_timeout_ms=6_000)
    settings = kafka.settings(("twitter", "gplus"), partitions=2, worker=often)
    kafka.create(settings)
    artifact = artifact_for(settings, running.artifact.parent / "trained", tmp_path_factory.mktemp("worked") / "artifact")
    sent = _json("replay", running.world, "--artifacts", artifact)["records"]
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_read(sent)
        until(lambda: worker.total("crossnet_checkpoints_total") > 0, "a checkpoint is written")
        code, _, said = inside("model", "rollback", "trained", "--artifacts", artifact)
        assert (2, True) == (code, "stop them first" in said)
        assert 0 == worker.stop()
    return artifact, settings


def _json(*arguments: str | Path) -> Any:  # noqa: ANN401 - what a verb printed
    return json.loads(_said(*arguments, "--json"))


def _said(*arguments: str | Path) -> str:
    code, output, errors = inside(*arguments)
    assert 0 == code, errors
    return output


def test_info_names_the_live_version_and_counts_every_list_once(worked: tuple[Path, Settings]) -> None:
    """The newest checkpoint is live; the versions' events sum to the interactions that Kafka holds lists of."""
    artifact, _ = worked
    versions = _json("model", "info", "--artifacts", artifact)["versions"]
    assert len(versions) > 1
    assert [False] * (len(versions) - 1) + [True] == [one["live"] for one in versions]
    lists = _said("tail", "recommendations", "--artifacts", artifact, "--last", "100000", "--json").splitlines()
    assert sum(json.loads(one)["trigger"] == "interaction" for one in lists) == sum(one["events"] for one in versions)
    assert versions[-1]["name"] in _said("model", "info", "--artifacts", artifact)


def test_log_learns_the_lessons_again(worked: tuple[Path, Settings]) -> None:
    """Every lesson since the oldest version that Kafka has the rest of, losses finite; from a later one no more; never in part."""
    artifact, _ = worked
    everything = _said("model", "log", "--artifacts", artifact, "--json").splitlines()
    kept = _json("model", "info", "--artifacts", artifact)["versions"]
    live, name = kept[-1], _said("model", "log", "--artifacts", artifact).split()[-1]
    (oldest,) = (one for one in kept if one["name"] == name)
    assert len(everything) >= live["lessons"] - oldest["lessons"]
    if name != "trained":
        code, _, said = inside("model", "log", "--since", "trained", "--artifacts", artifact)
        assert (2, True) == (code, "Kafka has deleted" in said)
    assert all(0 < json.loads(line)["loss"] < 20 for line in everything)
    since = _said("model", "log", "--since", live["name"], "--artifacts", artifact, "--json").splitlines()
    assert len(since) <= len(everything)
    assert f"{len(everything)} lessons" in _said("model", "log", "--artifacts", artifact)


def test_diff_tells_what_moved(worked: tuple[Path, Settings]) -> None:
    """A version differs from itself by nothing; the net of preset full stays, its heads move."""
    artifact, _ = worked
    same = _json("model", "diff", "trained", "trained", "--artifacts", artifact)
    assert {0.0} == set(same["moved"].values())
    name = _json("model", "info", "--artifacts", artifact)["versions"][-1]["name"]
    found = _json("model", "diff", "trained", name, "--artifacts", artifact)
    assert {0.0} == {moved for part, moved in found["moved"].items() if part.startswith("weight.")}
    assert found["moved"]["blend.head1.W_IH"] > 0
    assert found["lessons"] > 0


def test_rollback_is_what_the_next_start_takes(worked: tuple[Path, Settings]) -> None:
    """After a rollback the worker starts with exactly the trained weights, the users keep their history, and it can be undone."""
    artifact, settings = worked
    before = _json("model", "info", "--artifacts", artifact)["versions"][-1]["name"]
    made = _json("model", "rollback", "trained", "--artifacts", artifact)["live"]
    assert made == _json("model", "info", "--artifacts", artifact)["versions"][-1]["name"]
    restored, _ = Recommender.load(artifact / "online" / made)
    trained, _ = Recommender.load(artifact / "model")
    assert trained.state_hash() == restored.state_hash()
    with Worker(artifact, ()) as worker:
        worker.wait_ready()
        assert "and 0 lessons" in worker.log()
        assert 0 == worker.stop()
    again = _json("model", "rollback", before, "--artifacts", artifact)["live"]
    assert [again] == [one["name"] for one in _json("model", "info", "--artifacts", artifact)["versions"] if one["live"]]
    assert settings.kafka.lessons


def test_an_unknown_version_is_named(worked: tuple[Path, Settings]) -> None:
    """Exit code 2, with the versions there are."""
    artifact, _ = worked
    code, _, said = inside("model", "diff", "trained", "nonsense", "--artifacts", artifact)
    assert (2, True) == (code, "there are trained" in said)

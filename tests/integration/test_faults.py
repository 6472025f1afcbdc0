"""Promises under faults: after each, nothing lost, nothing twice, and weights that are those of the lesson log."""

import asyncio
import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.bench.audit import audit
from streams.bench.damage import alter_row, cut_newest, delete_before, has_open_offsets, limit_lists
from streams.bench.faults import uncounted
from streams.bench.hostile import hostile
from streams.broker import Broker
from streams.folder import Folder
from streams.settings import Settings, WorkerSettings
from tests.integration.kafka import Kafka, Record
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for, crossnet

_NETWORKS = ("floor", "press")
_SUMMER = ("--from", "2023-06-15")  # a third of the data: enough that every fault finds its worker at work
_WORKER = WorkerSettings(
    port=0, commit_ms=100, commit_events=200, checkpoint_interactions=150, session_timeout_ms=10_000,
    stop_seconds=60,  # three workers that start and stop at once on two cores take longer than one
)  # fmt: skip


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """This test's own Kafka topics, and a worker that commits and writes checkpoints often."""
    settings = kafka.settings(_NETWORKS, partitions=2, worker=_WORKER)
    kafka.create(settings)
    return settings


def _finish(artifact: Path) -> str:
    """Let an undisturbed worker end the work; its counters add up; gives its log."""
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_drained()
        assert 0 == uncounted(worker.total)
        assert 0 == worker.stop()
        return worker.log()


def test_kills_at_every_stage_lose_and_double_nothing(mini: Folder, artifact: Path, settings: Settings) -> None:
    """Killed in and after the commit, while it learns, restores and writes a checkpoint: the rest is as if nothing had been."""
    crossnet("replay", mini.path, "--artifacts", artifact, *_SUMMER)
    faults = ("transaction.inside", "checkpoint.inside", "transaction.after:2", "restore.inside", "lists.after:2", "learn.inside:9")
    for fault in faults:
        with Worker(artifact, fault=fault) as worker:
            assert -signal.SIGKILL == worker.wait(), worker.log()
    assert "ERROR" not in _finish(artifact)
    found = audit(artifact, settings)
    assert [] == found.faults
    assert found.interactions > 1000


def test_a_standby_takes_over_from_one_that_stops_and_one_that_freezes(mini: Folder, artifact: Path, settings: Settings) -> None:
    """It says for whom it waits; SIGTERM ends in time; whoever was frozen is fenced and exits with one line."""
    crossnet("replay", mini.path, "--artifacts", artifact, *_SUMMER)
    with Worker(artifact) as first, Worker(artifact) as second, Worker(artifact) as third:
        workers = [first, second, third]
        active = _the_active_one(workers)
        until(lambda: active.total("crossnet_commits_total") > 3, "it is at work", every=0.01)
        assert 0 == active.stop()  # longer than `stop_seconds` would be 1
        assert "ERROR" not in active.log()
        workers.remove(active)
        frozen = _the_active_one(workers)
        until(lambda: frozen.total("crossnet_commits_total") > 1, "it is at work", every=0.01)
        frozen.send(signal.SIGSTOP)
        workers.remove(frozen)
        (last,) = workers
        assert "stands by" in last.log()
        last.wait_ready()
        frozen.send(signal.SIGCONT)
        assert 1 == frozen.wait()
        errors = [line for line in frozen.log().splitlines() if "ERROR" in line]
        assert 1 == len(errors)
        assert "taken over" in errors[0]
        last.wait_drained()
        assert 0 == last.stop()
    assert [] == audit(artifact, settings).faults


def _the_active_one(workers: list[Worker]) -> Worker:
    """Wait until one is active and the others stand by."""
    def waiting() -> list[bool]:
        return ["crossnet_standby 1.0" in worker.exposition() for worker in workers]

    for worker in workers:
        until(lambda worker=worker: _answers(worker), "the worker answers", 240)  # type: ignore[misc]
    until(lambda: waiting().count(True) == len(workers) - 1, "all but one stand by", 240)
    (active,) = (worker for worker, waits in zip(workers, waiting(), strict=True) if not waits)
    active.wait_ready()
    return active


def _answers(worker: Worker) -> bool:
    try:
        return bool(worker.exposition())
    except OSError:
        return False


def test_a_transaction_that_times_out_ends_its_worker(
    kafka: Kafka, mini: Folder, artifacts: Callable[[str], Path], tmp_path: Path
) -> None:
    """A worker frozen inside a transaction that Kafka ends meanwhile exits with one line; the next one loses and doubles nothing."""
    worker_settings = _WORKER.model_copy(update={"transaction_timeout_ms": 1_000, "session_timeout_ms": 6_000})
    settings = kafka.settings(_NETWORKS, partitions=2, worker=worker_settings)
    kafka.create(settings)
    artifact = artifact_for(settings, artifacts("full"), tmp_path / "artifact")
    crossnet("replay", mini.path, "--artifacts", artifact)
    with Worker(artifact, fault="transaction.inside:2:STOP") as worker:
        until(worker.is_stopped, "it freezes in its transaction", 240)
        assert asyncio.run(has_open_offsets(settings))
        until(lambda: not asyncio.run(has_open_offsets(settings)), "Kafka ends the transaction", 240, every=1)
        worker.send(signal.SIGCONT)
        assert 1 == worker.wait()
        (error,) = [line for line in worker.log().splitlines() if "ERROR" in line]
        assert "stood still longer than Kafka waits" in error
    assert "ERROR" not in _finish(artifact)
    assert [] == audit(artifact, settings).faults


def test_a_killed_broker_loses_nothing(mini: Folder, artifacts: Callable[[str], Path], local: Broker, tmp_path: Path) -> None:
    """Kafka dies while the worker is at work and comes back: the same worker, or the next one, ends the work."""
    kafka = Kafka(local.up())
    settings = kafka.settings(_NETWORKS, partitions=2, worker=_WORKER)
    kafka.create(settings)
    artifact = artifact_for(settings, artifacts("full"), tmp_path / "artifact")
    crossnet("replay", mini.path, "--artifacts", artifact, *_SUMMER)
    with Worker(artifact) as worker:
        worker.wait_ready()
        until(lambda: worker.total("crossnet_commits_total") > 3, "it is at work", every=0.01)
        local.kill()
        local.port = int(kafka.bootstrap.rpartition(":")[2])
        local.up()
        worker.settle(400)
    _finish(artifact)
    assert [] == audit(artifact, settings).faults


def test_lists_that_kafka_refuses_end_the_worker(kafka: Kafka, artifact: Path, settings: Settings) -> None:
    """Without its list no interaction counts as done: the worker says why and ends, and the next one makes up for it."""
    asyncio.run(limit_lists(settings, "100"))
    kafka.produce(settings.kafka.target, [(b"ann", json.dumps({"user": "ann", "item": f"v{n}"}).encode(), None) for n in range(3)])
    with Worker(artifact) as worker:
        assert 1 == worker.wait()
        assert "MessageSizeTooLarge" in worker.log()
        assert "Event loop is closed" not in worker.log()
    asyncio.run(limit_lists(settings, str(2**20)))
    assert "ERROR" not in _finish(artifact)
    assert [] == audit(artifact, settings).faults


def test_a_broken_checkpoint_is_named_counted_and_skipped(mini: Folder, artifact: Path, settings: Settings) -> None:
    """Lessons end where the oldest kept checkpoint begins; a cut checkpoint gives way to the one before, with the same weights."""
    crossnet("replay", mini.path, "--artifacts", artifact)
    _finish(artifact)
    kept = sorted((artifact / "online").glob("[0-9]*"))
    assert _WORKER.checkpoints_kept == len(kept)
    assert int(kept[0].name) == _first_offset(settings)
    assert kept[-1].name == cut_newest(artifact)
    with Worker(artifact) as worker:
        worker.wait_ready()
        assert 1 == worker.value("crossnet_broken_checkpoints")
        assert 0 == worker.stop()
        assert f"checkpoint {kept[-1].name} is skipped" in worker.log()
    assert [] == audit(artifact, settings).faults


def _first_offset(settings: Settings) -> int:
    from streams.restore import lessons_range

    return asyncio.run(lessons_range(settings))[0]


def test_a_folder_that_takes_no_checkpoint_stops_nobody(mini: Folder, artifact: Path, settings: Settings) -> None:
    """It is said and counted, learning goes on, and no lesson is deleted."""
    (artifact / "online").write_text("in the way of the folder", "utf-8")
    crossnet("replay", mini.path, "--artifacts", artifact)
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_drained()
        assert worker.value("crossnet_failed_checkpoints_total") > 1
        assert 0 == worker.value("crossnet_checkpoints_total")
        assert 0 == worker.stop()
        assert "no checkpoint could be written" in worker.log()
    assert 0 == _first_offset(settings)
    assert [] == audit(artifact, settings).faults


def test_an_altered_row_costs_its_user_alone(mini: Folder, artifact: Path, settings: Settings) -> None:
    """A state row with a flipped byte is named and counted; its user starts anew, all others are as they were."""
    crossnet("replay", mini.path, "--artifacts", artifact)
    _finish(artifact)
    user = asyncio.run(alter_row(settings))
    with Worker(artifact) as worker:
        worker.wait_ready()
        assert 1 == worker.value("crossnet_broken_rows")
        assert 0 == worker.stop()
        assert "its user starts anew" in worker.log()
    assert (user,) == audit(artifact, settings).differing
    assert "ERROR" not in _finish(artifact)


def test_records_sent_twice_and_records_deleted_too_early(kafka: Kafka, artifact: Path, settings: Settings) -> None:
    """What a producer repeats under one id counts once; what retention took before it was read is said and counted."""
    values = [json.dumps({"user": "ann", "item": f"v{n}", "at": 1_700_000_000_000 + n, "id": n}).encode() for n in range(10)]
    kafka.produce(settings.kafka.target, [(b"ann", value, None) for value in values for _ in range(3)])
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_read(30)
        assert 20 == worker.value("crossnet_repeated_records_total")
        assert 10 == worker.value('crossnet_lists_total{trigger="interaction"}')
        assert 0 == worker.stop()
    assert [] == audit(artifact, settings).faults
    places = kafka.produce(settings.kafka.target, [(b"ann", values[0], None)] * 5)
    asyncio.run(delete_before(settings, settings.kafka.target, *places[2]))
    with Worker(artifact) as worker:
        worker.wait_ready()
        assert 2 == worker.value("crossnet_lost_records")
        worker.wait_read(3)
        assert 0 == worker.stop()
        assert f"offset {places[0][1]} is not on the log any more" in worker.log()


def test_hostile_records_are_dead_letters_beside_good_ones(
    kafka: Kafka, mini: Folder, artifact: Path, settings: Settings
) -> None:
    """Mutated, random, deep, huge and odd records kill nothing, and every good one beside them is processed as ever."""
    good = [json.dumps({"user": one.user, "at": one.at, "text": one.text}).encode() for one in list(mini.posts())[:300]]
    draw = random.Random(7)  # noqa: S311 - no secret
    bad = hostile(good, 2000, draw)
    mixed = [Record(None, value, partition=draw.randrange(2)) for value in [*good, *bad]]
    draw.shuffle(mixed)
    kafka.produce(settings.networks["press"], mixed)
    kafka.produce(settings.kafka.target, [Record(value[:300], value) for value in bad[:500]])
    log = _finish(artifact)
    assert "ERROR" not in log
    found = audit(artifact, settings)
    assert [] == found.faults
    assert len(mixed) + 500 == found.records

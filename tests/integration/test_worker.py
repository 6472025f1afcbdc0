"""Promises of the whole worker: real records through a real Kafka, a real Prometheus beside it."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from streams import assemble, replay
from streams.folder import Folder, Part, on_log
from streams.line import drive
from streams.records import Interaction, Post, Recommendation
from streams.settings import LineSettings, Settings, WorkerSettings
from streams.tally import Tally
from tests.integration.kafka import Kafka, Record
from tests.integration.prometheus import Prometheus
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for, crossnet

_NETWORKS = ("floor", "press")


@pytest.fixture(scope="session", params=["paper", "full"])
def trained(artifacts: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """An artifact of it, made by the verb, in each preset."""
    return artifacts(request.param)


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """This test's own Kafka topics, made."""
    settings = kafka.settings(_NETWORKS, partitions=3)
    kafka.create(settings)
    return settings


def _lists(kafka: Kafka, settings: Settings) -> list[dict[str, object]]:
    return [json.loads(one.value) for one in kafka.read_all(settings.kafka.recommendations) if one.value is not None]


def _offline(trained: Path, mini: Folder, settings: Settings) -> tuple[dict[str, Recommendation], dict[str, float]]:
    """Lists by id and accuracy of the same records without Kafka."""
    line = assemble.line_of(assemble.load(trained, settings.line), settings)
    made: dict[str, Recommendation] = {}
    tally = Tally()
    for output in drive(line, (one.record for one in on_log(replay.chosen(mini, "test"), settings))):
        tally.add(output.taken)
        made.update({one.id: one for one in output.lists})
    return made, tally.means()


def test_real_data_through_kafka_gives_what_the_files_give(
    kafka: Kafka, settings: Settings, trained: Path, mini: Folder, tmp_path: Path, prometheus: Callable[[Sequence[str]], Prometheus]
) -> None:
    """Every interaction has one list, counts equal the files', lists and accuracy equal those of the run without Kafka."""
    artifact = artifact_for(settings, trained, tmp_path / "artifact")
    parts = replay.chosen(mini, "test")
    interactions = [one.record for one in parts if isinstance(one.record, Interaction)]
    crossnet("replay", mini.path, "--artifacts", artifact)
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_read(len(parts))
        server = prometheus([f"127.0.0.1:{worker.port}"])
        until(lambda: server.value('crossnet_ranked_total{ranking="scored"}') == len(interactions), "Prometheus has scraped")
        assert len(interactions) == worker.value('crossnet_lists_total{trigger="interaction"}')
        assert len(parts) == worker.total("crossnet_records_total")
        assert 0 == worker.total("crossnet_dead_letters_total")
        expected_lists, expected_means = _offline(trained, mini, settings)
        for ranking in ("scored", "published", "popularity"):
            for cut in (10, 100):
                labels = f'{{k="{cut}",ranking="{ranking}"}}'
                hits, gain = worker.value("crossnet_hits_total" + labels), worker.value("crossnet_gain_total" + labels)
                assert expected_means[f"{ranking}_hr@{cut}"] == pytest.approx(hits / len(interactions), abs=1e-12)
                assert expected_means[f"{ranking}_ndcg@{cut}"] == pytest.approx(gain / len(interactions), abs=1e-12)
        _check_exposition(worker.exposition())
        assert 0 == worker.stop()
    lists = _lists(kafka, settings)
    ids = Counter(one["id"] for one in lists)
    assert {1} == set(ids.values())
    assert set(expected_lists) == set(ids)
    for one in lists:
        expected = json.loads(expected_lists[str(one["id"])].to_json())
        assert [entry["item"] for entry in expected["items"]] == [entry["item"] for entry in one["items"]]  # type: ignore[attr-defined]
        assert expected["window"] == one["window"]
        assert expected["last"] == one["last"]


def _check_exposition(text: str) -> None:
    if shutil.which("promtool") is None:
        pytest.fail("no promtool on the PATH; `deploy/run test` installs it with prometheus")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


_BAD: tuple[tuple[str, bytes], ...] = (
    ("not-json", b"{"),
    ("not-json", b"\xff\xfe"),
    ("not-json", b'{"user":"u","text":"t","at":NaN}'),
    ("missing-field", b'{"user":"u"}'),
    ("wrong-field", b'{"user":1,"text":"t"}'),
    ("bad-id", b'{"user":"","text":"t"}'),
    ("bad-id", b'{"user":"%s","text":"t"}' % (b"u" * 300)),
    ("oversized", b'{"user":"u","text":"%s"}' % (b"t" * 1_000_000)),
    ("bad-time", b'{"user":"u","text":"t","at":-5}'),
    ("future", b'{"user":"u","text":"t","at":99999999999999}'),
)


def test_bad_input_becomes_dead_letters_and_neighbours_live(
    kafka: Kafka, settings: Settings, trained: Path, tmp_path: Path
) -> None:
    """Each bad record is a dead letter with reason and source; good ones beside it, without key, of new items, are processed."""
    artifact = artifact_for(settings, trained, tmp_path / "artifact")
    good = b'{"user":"newcomer","item":"an item nobody knows","at":1700000000000}'
    places = kafka.produce(settings.networks["press"], [Record(b"u", value) for _, value in _BAD])
    kafka.produce(settings.kafka.target, [(b"x", b"[]", None), (None, good, None), (b"newcomer", good, None)])
    with Worker(artifact) as worker:
        worker.wait_ready()
        worker.wait_read(len(_BAD) + 3)
        assert 2 == worker.value('crossnet_lists_total{trigger="interaction"}')
        assert 1 == worker.value("crossnet_null_keys_total")
        assert 0 == worker.stop()
    letters = kafka.read_all(settings.kafka.dead_letters, "read_committed")
    headers = [dict(one.headers) for one in letters]
    expected = Counter([reason for reason, _ in _BAD] + ["not-an-object"])
    assert expected == Counter(one["reason"].decode() for one in headers)
    assert {value for _, value in _BAD} | {b"[]"} == {one.value for one in letters}
    sent = [(settings.networks["press"], place) for place in places]
    assert set(sent) <= {(one["kafka_topic"].decode(), (int(one["partition"]), int(one["offset"]))) for one in headers}


def test_a_killed_worker_goes_on_where_it_committed(
    kafka: Kafka, settings: Settings, trained: Path, mini: Folder, tmp_path: Path
) -> None:
    """After kill -9 the checkpoint and the lessons since lead to the same lists, all copies under one id with one content."""
    settings = settings.model_copy(update={"worker": WorkerSettings(port=0, checkpoint_interactions=50, commit_ms=200)})
    artifact = artifact_for(settings, trained, tmp_path / "artifact")
    parts = replay.chosen(mini, "test")
    crossnet("replay", mini.path, "--artifacts", artifact)
    with Worker(artifact) as worker:
        worker.wait_ready()
        until(lambda: worker.total("crossnet_checkpoints_total") >= 1, "a checkpoint is written", every=0.01)
        worker.kill()
    assert list((artifact / "online").glob("[0-9]*"))
    with Worker(artifact) as worker:
        worker.wait_ready()
        until(lambda: worker.exposition().count("crossnet_lag_records{") == 3 * settings.kafka.partitions, "every lag is known")
        until(lambda: worker.total("crossnet_lag_records") == 0, "all read")
        until(lambda: worker.total("crossnet_uncommitted_records") == 0, "all committed")
        assert 0 == worker.stop()
    expected, _ = _offline(trained, mini, settings)
    content: dict[str, set[str]] = {}
    for one in _lists(kafka, settings):
        content.setdefault(str(one["id"]), set()).add(json.dumps([entry["item"] for entry in one["items"]]))  # type: ignore[attr-defined]
    assert {str(one.record.source) for one in _sourced(parts, settings)} <= set(content)
    same = sum(content[name] == {json.dumps([entry["item"] for entry in one.items])} for name, one in expected.items())
    assert len(expected) == same


def _sourced(parts: list[Part], settings: Settings) -> list[Part]:
    return [one for one in on_log(parts, settings) if isinstance(one.record, Interaction)]


@pytest.mark.parametrize(
    ("change", "said"),
    [("missing", "no artifact"), ("topics", "trained on topics"), ("broker", "crossnet broker up"), ("partitions", "partition")],
)
def test_what_an_operator_can_mend_is_one_sentence(
    kafka: Kafka, trained: Path, tmp_path: Path, change: str, said: str
) -> None:
    """A missing or foreign artifact, no broker, unequal partitions: one sentence, exit code 2, no traceback."""
    settings = kafka.settings(_NETWORKS, partitions=2, line=LineSettings())
    artifact = artifact_for(settings, trained, tmp_path / "artifact")
    arguments = ["worker", "--artifacts", str(artifact), "--port", "0"]
    if change == "missing":
        arguments[2] = str(tmp_path / "nowhere")
    elif change == "topics":
        _retrain_topics(artifact)
    elif change == "broker":
        arguments += ["--bootstrap", "127.0.0.1:1"]
    else:
        kafka.create(settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": 3})}))
    done = crossnet(*arguments, check=False)
    assert 2 == done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert 1 == done.stderr.count("crossnet:")


def _retrain_topics(artifact: Path) -> None:
    from topics_svc import TopicConfig, fit

    words = ["alpha beta gamma", "beta gamma delta", "gamma delta alpha"]
    fit([("a", text) for text in words * 5], TopicConfig(topics=15, sweeps=2, average_last=1, min_posts=1)).save(artifact / "topics")


def test_a_post_alone_gives_a_list(kafka: Kafka, settings: Settings, trained: Path, mini: Folder, tmp_path: Path) -> None:
    """A user who has only posted is ranked from his open window."""
    artifact = artifact_for(settings, trained, tmp_path / "artifact")
    text = next(one.text for one in mini.posts())
    assert isinstance(next(mini.posts()), Post)
    value = json.dumps({"user": "reader", "at": 1700000000000, "text": text}).encode()
    with Worker(artifact, ()) as worker:
        worker.wait_ready()
        kafka.produce(settings.networks["press"], [(b"reader", value, None)])
        worker.wait_read(1)
        until(lambda: worker.value('crossnet_lists_total{trigger="post"}') == 1, "the list is sent")
        assert 0 == worker.stop()
    (one,) = _lists(kafka, settings)
    assert ("reader", "post", {"floor": 0, "press": 1}) == (one["user"], one["trigger"], one["window"]["posts"])  # type: ignore[index]

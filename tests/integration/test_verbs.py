"""What an operator asks of a running system: its records, its state, its dead letters, its health."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from streams import replay
from streams.folder import Folder
from streams.records import Interaction
from streams.settings import Settings
from tests.integration.kafka import Kafka, Record
from tests.integration.running import BAD, Running
from tests.integration.until import until
from tests.integration.worker import crossnet, inside


def _json(*arguments: str | Path, code: int = 0) -> Any:  # noqa: ANN401 - what a verb printed
    found, output, errors = inside(*arguments, "--json")
    assert code == found, errors
    return json.loads(output)


def test_tail_shows_the_newest_lists_with_titles(running: Running) -> None:
    """Of one user, as many as asked for, the newest last, items by their titles."""
    done = crossnet("tail", "recommendations", "--artifacts", running.artifact, "--user", "user0003", "--last", "2", "--items", "3")
    lines = done.stdout.splitlines()
    assert 8 == len(lines)
    assert 2 == sum("user0003" in line for line in lines)
    titles = {one.title for one in Folder(running.world).items().values()}
    assert all(any(title in line for title in titles) for line in lines if line.startswith("   "))


def test_tail_posts_gives_a_line_each_and_obeys_no_control_sequence(running: Running) -> None:
    """All networks together, as JSON with the place of each, and readable without an escape in it."""
    done = crossnet("tail", "posts", "--artifacts", running.artifact, "--last", "7", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert 0 < len(found) <= 7
    assert set(running.settings.networks.values()) >= {one["kafka_topic"] for one in found}
    shown = crossnet("tail", "posts", "--artifacts", running.artifact, "--last", "50").stdout
    assert "\x1b" not in shown


def test_tail_follows(running: Running) -> None:
    """With --follow a post that comes later appears."""
    command = [sys.executable, "-c", "from streams.cli import main; main()", "tail", "posts", "--artifacts", str(running.artifact)]
    process = subprocess.Popen([*command, "--last", "1", "--follow", "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        value = json.dumps({"user": "follower", "at": 1, "text": "hello there"}).encode()
        running.kafka.produce(running.settings.networks["gplus"], [Record(b"follower", value)])
        assert "follower" == json.loads(process.stdout.readline())["user"]
    finally:
        process.kill()
        process.communicate()


def test_status_is_all_in_one(running: Running) -> None:
    """Members, partitions, lag and the worker's own figures; 0 when ready, 1 with the reason when a worker does not answer."""
    found = _json("status", "--artifacts", running.artifact, "--worker", running.address)
    assert 6 == sum(one["partitions"] for one in found["members"])
    assert 6 == len(found["partitions"])
    assert [] == found["problems"]
    assert found["workers"][0]["figures"]["records"] >= running.records
    readable = crossnet("status", "--artifacts", running.artifact, "--worker", running.address).stdout
    assert "all ready" in readable
    away = _json("status", "--artifacts", running.artifact, "--worker", "127.0.0.1:1", code=1)
    assert "nothing answers" in away["problems"][0]


def test_lag_is_what_is_not_committed(kafka: Kafka, tmp_path: Path) -> None:
    """Without any worker: every record of the input is lag, the group is empty, exit code 1."""
    settings = _made(kafka, tmp_path)
    kafka.produce(settings.kafka.target, [Record(b"u", b"{}")] * 5)
    found = _json("status", "--artifacts", tmp_path, code=1)
    assert (5, []) == (found["lag"], found["members"])


def test_dead_letters_are_listed_shown_and_sent_again_once(running: Running) -> None:
    """What the worker refused is listed by reason; what is right by now is sent once, the rest is left."""
    found = _json("dead-letters", "list", "--artifacts", running.artifact, code=1)
    assert {"not-json": 2, "missing-field": 1, "future": 1} == found["reasons"]
    future = next(one for one in found["letters"] if one["reason"] == "future")
    shown = _json("dead-letters", "show", future["place"], "--artifacts", running.artifact)
    assert "early" == json.loads(shown["value"])["user"]
    assert running.settings.networks["twitter"] in shown["source"]

    dry = _json("dead-letters", "requeue", "--artifacts", running.artifact, "--dry-run", code=1)
    assert {"sent": 1, "left": len(BAD)} == dry
    assert 4 == _json("dead-letters", "list", "--artifacts", running.artifact, code=1)["open"]
    assert {"sent": 1, "left": 0} == _json("dead-letters", "requeue", "--reason", "future", "--artifacts", running.artifact)
    assert {"sent": 0, "left": 0} == _json("dead-letters", "requeue", "--reason", "future", "--artifacts", running.artifact)
    assert 3 == _json("dead-letters", "list", "--artifacts", running.artifact, code=1)["open"]
    arguments = ("tail", "recommendations", "--artifacts", running.artifact, "--user", "early", "--json")
    until(lambda: "early" in crossnet(*arguments).stdout, "the record sent again gave its user a list")


def test_dead_letters_by_time_and_kafka_topic(running: Running) -> None:
    """A range of time or another Kafka topic without any: none, exit code 0."""
    for option in (("--from", "2090-01-01"), ("--to", "2000-01-01"), ("--kafka-topic", "elsewhere")):
        assert 0 == _json("dead-letters", "list", "--artifacts", running.artifact, *option)["open"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("dead-letters", "show", "nonsense"), ("dead-letters", "list", "--from", "yesterday"), ("status", "--worker", "host"),
        ("replay", ".", "--speed", "fast"), ("replay", ".", "--speed", "10x", "--rate", "3"),
    ],
)  # fmt: skip
def test_wrong_options_are_exit_code_2(arguments: tuple[str, ...]) -> None:
    """What cannot be meant is told in words, before anything is asked of Kafka."""
    done = crossnet(*arguments, check=False)
    assert 2 == done.returncode
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_records_of_anybody_do_not_end_a_verb(kafka: Kafka, tmp_path: Path) -> None:
    """Lists and dead letters that no worker wrote are shown as they are or left out; one without a key is sent again all the same."""
    settings = _made(kafka, tmp_path)
    strange = [b"[]", b'{"user":5,"items":[{}],"at":"?"}', b'{"user":"a","items":"x","last":[1]}', b"\xff"]
    kafka.produce(settings.kafka.recommendations, [Record(b"x", value) for value in strange])
    kafka.produce(settings.kafka.items, [Record(b"x", b"{")])
    assert 2 == crossnet("tail", "recommendations", "--artifacts", tmp_path).stdout.count("not understood")
    source = [("reason", b"odd"), ("partition", b"0"), ("offset", b"5")]
    here, elsewhere = ([*source, ("kafka_topic", name.encode())] for name in (settings.kafka.target, "elsewhere"))
    value = json.dumps({"user": "ann", "item": "x"}).encode()
    letters = [Record(None, value, headers=here), Record(b"k", value, headers=elsewhere), Record(b"k", value)]
    kafka.produce(settings.kafka.dead_letters, letters)
    assert {"sent": 1, "left": 1} == _json("dead-letters", "requeue", "--force", "--artifacts", tmp_path, code=1)
    assert [value] == [one.value for one in kafka.read_all(settings.kafka.target)]
    assert 1 == _json("dead-letters", "list", "--artifacts", tmp_path, code=1)["open"]


def test_doctor_finds_what_is_wrong_with_the_input(kafka: Kafka, running: Running, tmp_path: Path) -> None:
    """A healthy input has no problem; one without keys, on wrong partitions, of the future, and a missing Kafka topic are named."""
    assert 0 == _json("doctor", "--artifacts", running.artifact)["problems"]
    settings = _made(kafka, tmp_path)
    value, ahead = json.dumps({"user": "ann", "item": "x", "at": 1}).encode(), round(time.time() * 1000) + 600_000
    kafka.produce(settings.kafka.target, [Record(None, value, ahead, number % 2) for number in range(40)])
    found = {one["what"]: one for one in _json("doctor", "--artifacts", tmp_path, code=1)["findings"]}
    assert "problem" == found["partitioner of the producers"]["state"]
    assert "murmur2_random" in found["partitioner of the producers"]["remedy"]
    assert "warning" == found["keys of the input"]["state"]
    assert "warning" == found["clocks"]["state"]
    assert all(one["remedy"] for one in found.values() if one["state"] != "ok")


def test_doctor_without_kafka_looks_at_the_machine() -> None:
    """No broker: one problem with its remedy, and Java, Maven and disk all the same."""
    found = _json("doctor", "--bootstrap", "127.0.0.1:1", code=1)
    assert 1 == found["problems"]
    assert {"Java", "Maven", "Docker", "disk", "Kafka"} <= {one["what"] for one in found["findings"]}


def test_replay_sends_a_slice(running: Running, kafka: Kafka, tmp_path: Path) -> None:
    """--from and --to cut by event time over the whole folder; a slice of nothing is an error that says so."""
    settings = _made(kafka, tmp_path)
    parts = replay.chosen(Folder(running.world), "all")
    begin, end = parts[100].record.at, parts[160].record.at
    expected = replay.between(parts, begin, end)
    arguments = ("replay", running.world, "--artifacts", tmp_path, "--from", str(begin), "--to", str(end))
    assert len(expected) == _json(*arguments, "--speed", "1000000000x")["records"]
    sent = [json.loads(one.value or b"")["at"] for one in kafka.read_all(settings.kafka.target)]
    assert sorted(one.record.at for one in expected if isinstance(one.record, Interaction)) == sorted(sent)
    done = crossnet("replay", running.world, "--artifacts", tmp_path, "--to", "1990-01-01", check=False)
    assert (2, True) == (done.returncode, "no records" in done.stderr)


def _made(kafka: Kafka, folder: Path) -> Settings:
    from tests.integration.kafka import write_settings

    settings = kafka.settings(("twitter", "gplus"), partitions=2)
    kafka.create(settings)
    write_settings(settings, folder)
    return settings

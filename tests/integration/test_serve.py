"""`crossnet serve` on a real Kafka."""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.broker import HOST, Broker, free_port
from streams.settings import Settings
from tests.integration.kafka import Kafka, Record
from tests.integration.serve import Serve, made, record
from tests.integration.until import until
from tests.integration.worker import crossnet


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """Kafka topics of this test's own."""
    settings = kafka.settings()
    kafka.create(settings)
    return settings


@pytest.fixture
def serve(settings: Settings, tmp_path: Path) -> Iterator[Serve]:
    """A server that is up to date."""
    with Serve(settings, tmp_path / "serve") as one:
        one.wait_ready()
        yield one


def _item(name: str, **fields: object) -> tuple[bytes, bytes, None]:
    return name.encode(), json.dumps({"item": name, **fields}).encode(), None


def _is_unknown(serve: Serve, user: str) -> bool:
    return serve.request("GET", f"/users/{user}")[0] == 404


def test_without_the_kafka_topic_of_items_lists_are_served(kafka: Kafka, tmp_path: Path) -> None:
    """The light is green without titles; they come once somebody makes the Kafka topic."""
    settings = kafka.settings()
    kafka.create(settings)
    kafka.delete(settings.kafka.items)
    with Serve(settings, tmp_path / "serve") as serve:
        serve.wait_ready()
        kafka.produce(settings.kafka.recommendations, [record(made("ann", 0))])
        until(lambda: not _is_unknown(serve, "ann"), "the list is there")
        kafka.create(settings)
        kafka.produce(settings.kafka.items, [_item("item000", title="First")])
        until(lambda: serve.get("/recommendations/ann?n=1")["items"][0]["title"] == "First", "the title is there")


def test_a_list_produced_to_kafka_is_served(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """The newest list of a user comes with titles, age and model; items asked to be left out, and retired ones, are."""
    kafka.produce(settings.kafka.items, [_item("item000", title="First"), _item("item001", retired=True)])
    kafka.produce(settings.kafka.recommendations, [record(made("ann", 0)), record(made("ann", 1))])
    until(lambda: serve.get("/recommendations/ann")["id"] == "events-0-1", "the list is there")
    until(lambda: serve.get("/items/item001")["retired"], "the items are there")
    answer = serve.get("/recommendations/ann?n=3&exclude=item002&exclude=item004")
    assert ["item000", "item003", "item005"] == [one["item"] for one in answer["items"]]
    assert ("First", 1.0, {"net": 1.0}) == tuple(answer["items"][0][name] for name in ("title", "score", "why"))
    assert (False, "interaction", {"version": "abc", "preset": "paper", "lessons": 1}) == (
        answer["fallback"], answer["trigger"], answer["model"],
    )  # fmt: skip
    assert 0 <= answer["age_seconds"] < 60


def test_a_user_is_shown_as_his_record_says(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Window, gap, attention, ranks of the last interaction, and the interactions before it, newest first."""
    kafka.produce(settings.kafka.items, [_item("taken", title="Taken")])
    kafka.produce(settings.kafka.recommendations, [record(made("ann", number, rank=number + 1)) for number in range(3)])
    kafka.produce(settings.kafka.recommendations, [record(made("ann", 2, rank=3)), record(made("ann", 9, item=None))])
    until(lambda: serve.request("GET", "/users/ann")[0] == 200 and serve.get("/users/ann")["id"] == "events-0-9", "the user is there")
    until(lambda: serve.request("GET", "/items/taken")[0] == 200 and serve.get("/items/taken")["title"], "the item is there")
    answer = serve.get("/users/ann")
    assert (7200.0, {"twitter": 2, "gplus": 1}) == (answer["window"]["gap_seconds"], answer["window"]["posts"])
    assert {"topic": 3, "weight": 1.4, "words": []} == answer["window"]["topics"]["twitter"][0]
    assert [{"steps_ago": 1, "weight": 0.5}, {"steps_ago": 3, "weight": 0.25}] == answer["attention"]
    assert answer["last"] is None
    # The list repeated under its old id tells of nothing new.
    assert [(3, "Taken", 2), (2, "Taken", 1), (1, "Taken", 0)] == [
        (one["rank_scored"], one["title"], one["window"]["topics"]["twitter"][0]["topic"]) for one in answer["past"]
    ]


def test_an_unknown_user_gets_what_is_popular(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """The list is marked as a fallback and ranks items by how often they were taken lately; /users knows nothing of him."""
    taken = ["b", "a", "b", "c", "b", "a"]
    kafka.produce(settings.kafka.recommendations, [record(made(f"u{n}", 0, item=item)) for n, item in enumerate(taken)])
    until(lambda: serve.get("/figures")["lists_read"] == len(taken), "the lists are there")
    answer = serve.get("/recommendations/nobody?n=2")
    assert (True, ["b", "a"], None) == (answer["fallback"], [one["item"] for one in answer["items"]], answer["age_seconds"])
    assert 404 == serve.request("GET", "/users/nobody")[0]


def test_running_accuracy_is_that_of_the_ranks(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Hit rates over the interactions told of, each once, for all three rankings."""
    ranks = [1, 11, None, 10]
    lists = [made(f"u{n}", n, rank=rank) for n, rank in enumerate(ranks)]
    kafka.produce(settings.kafka.recommendations, [record(one) for one in [*lists, lists[0]]])
    until(lambda: serve.get("/figures")["lists_read"] == 5, "the lists are there")
    accuracy = serve.get("/figures")["accuracy"]
    assert (4, 0.5, 0.75, 1.0, 1.0) == (
        accuracy["events"], accuracy["scored_hr@10"], accuracy["scored_hr@100"], accuracy["published_hr@10"],
        accuracy["popularity_hr@10"],
    )  # fmt: skip


def test_an_event_goes_to_kafka_where_the_users_others_go(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """202 with the record's place; its key is the user, its partition the one of Kafka's own partitioner, its value as it was sent."""
    event = {"user": "ann", "item": "a", "at": 1_700_000_000_000}
    status, place = serve.post(settings.kafka.target, event)
    assert 202 == status
    ((partition, _),) = kafka.produce(settings.kafka.target, [(b"ann", b"{}", None)])
    (one, _) = kafka.read_all(settings.kafka.target)
    assert (place["kafka_topic"], place["partition"], place["offset"]) == (settings.kafka.target, one.partition, one.offset)
    assert (partition, b"ann", event) == (one.partition, one.key, json.loads(one.value))
    assert 202 == serve.post("twitter", {"user": "ann", "text": "a post"})[0]
    assert 1 == len(kafka.read_all(settings.networks["twitter"]))
    assert 'crossnet_serve_events_total{network="twitter"} 1.0' in serve.request("GET", "/metrics")[1].decode()


_WRONG: list[tuple[object, str]] = [
    (b"{", "not-json"), (b"[]", "not-an-object"), ({"text": "x"}, "missing-field"), ({"user": 1, "text": "x"}, "wrong-field"),
    ({"user": "x" * 257, "text": "x"}, "bad-id"), ({"user": "ann", "text": "x" * 20_001}, "oversized"),
    ({"user": "ann", "text": "x", "at": "soon"}, "bad-time"), ({"user": "ann", "text": "x", "at": 2**60}, "future"),
]  # fmt: skip


def test_a_wrong_event_is_refused_with_the_schemas_error(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """422 with the reason a dead letter would have had, and nothing goes to Kafka."""
    for event, reason in _WRONG:
        status, answer = serve.post("twitter", event)
        assert (422, reason) == (status, answer["error"])
    assert [] == kafka.read_all(settings.networks["twitter"])


def test_a_restart_loses_nothing(kafka: Kafka, settings: Settings, serve: Serve, tmp_path: Path) -> None:
    """A second server says of every user what the first one says; a tombstone makes both forget."""
    kafka.produce(settings.kafka.recommendations, [record(made(f"u{n % 5}", n)) for n in range(30)])
    until(lambda: serve.get("/figures")["lists_read"] == 30, "the lists are there")
    with Serve(settings, tmp_path / "second") as second:
        second.wait_ready()
        for path in [f"/users/u{n}" for n in range(5)]:
            one, other = serve.get(path), second.get(path)
            assert {**one, "age_seconds": 0} == {**other, "age_seconds": 0}
        kafka.produce(settings.kafka.recommendations, [Record(b"u0", None)])
        for server in (serve, second):
            until(partial(_is_unknown, server, "u0"), "the user is forgotten")
        assert 0 == second.stop()


def test_records_that_are_none_are_counted_and_their_neighbours_served(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Garbage in `recommendations` and `items` stops nothing."""
    bad = [b"{", b"[]", b"{}", b'{"id":"x","user":"ann","at":1,"trigger":"post","items":[{"item":1}]}', b"\xff\xfe"]
    kafka.produce(settings.kafka.recommendations, [(b"ann", one, None) for one in bad])
    kafka.produce(settings.kafka.recommendations, [record(made("ann"))])
    kafka.produce(settings.kafka.items, [(b"x", b"{", None), _item("good", title="Good")])
    until(lambda: serve.request("GET", "/items/good")[0] == 200, "the good item is there")
    until(lambda: serve.get("/figures")["lists_read"] == 1, "the good list is there")
    _, exposition = serve.request("GET", "/metrics")
    assert f'crossnet_serve_unreadable_total{{kafka_topic="{settings.kafka.recommendations}"}} 5.0' in exposition.decode()


def test_the_figures_know_how_far_the_worker_is(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Lag is what the worker's group has not committed, throughput what it commits; without a group nothing is made up."""
    kafka.produce(settings.kafka.target, [(b"ann", b"{}", None)] * 30)
    until(lambda: serve.get("/figures")["lists_read"] == 0, "serve answers")
    assert (None, None) == tuple(serve.get("/figures")[name] for name in ("lag", "records_per_second"))
    ((partition, _),) = kafka.produce(settings.kafka.target, [(b"ann", b"{}", None)])
    asyncio.run(_commit(settings, partition, 10))
    until(lambda: serve.get("/figures")["lag"] == 21, "the lag is known")
    asyncio.run(_commit(settings, partition, 31))
    until(lambda: serve.get("/figures")["lag"] == 0, "the worker is through")
    assert 0 < serve.get("/figures")["records_per_second"] <= 31


async def _commit(settings: Settings, partition: int, offset: int) -> None:
    kafka, place = settings.kafka, TopicPartition(settings.kafka.target, partition)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=kafka.group, enable_auto_commit=False) as consumer:
        consumer.assign([place])
        await consumer.commit({place: offset})


def test_dead_letters_are_counted_by_reason(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Counts come from the headers, the newest stand first with reason, error and place; a letter without headers counts too."""
    headers = [("error", b"no 'user'"), ("kafka_topic", b"tweets"), ("partition", b"1"), ("offset", b"7")]
    letters = [Record(None, b"x", headers=[("reason", reason), *headers]) for reason in (b"not-json", b"missing-field", b"not-json")]
    kafka.produce(settings.kafka.dead_letters, [Record(None, b"y", partition=0), *(replace(one, partition=0) for one in letters)])
    until(lambda: sum(serve.get("/figures")["dead_letters"]["by_reason"].values()) == 4, "they are there")
    found = serve.get("/figures")["dead_letters"]
    assert {"not-json": 2, "missing-field": 1, "none given": 1} == found["by_reason"]
    assert ("not-json", "no 'user'", "tweets-1-7") == tuple(found["newest"][0][name] for name in ("reason", "error", "source"))


def test_prometheus_understands_its_metrics(kafka: Kafka, settings: Settings, serve: Serve) -> None:
    """Promtool has nothing to say against /metrics, and requests, users and readiness are in it."""
    kafka.produce(settings.kafka.recommendations, [record(made("ann"))])
    until(lambda: serve.get("/figures")["users"] == 1, "the list is there")
    status, exposition = serve.request("GET", "/metrics")
    assert 200 == status
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=exposition, check=False, capture_output=True)
        assert (0, b"") == (done.returncode, done.stdout + done.stderr)
    for series in ("crossnet_serve_users 1.0", "crossnet_serve_ready 1.0", 'requests_total{route="/figures",status="200"}'):
        assert series in exposition.decode()


def test_what_an_operator_can_mend_is_one_sentence(tmp_path: Path) -> None:
    """Open to everybody, a missing token, a port that cannot be had: exit code 2 and a sentence with the remedy."""
    with socket.create_server((HOST, 0)) as taken:
        wrong = {
            ("--host", "0.0.0.0"): "--insecure",  # noqa: S104 - refused
            ("--token-file", "none/such"): "cannot be read",
            ("--port", str(taken.getsockname()[1])): "set serve.port to a free one",
        }
        for arguments, said in wrong.items():
            done = crossnet("serve", "--artifacts", tmp_path, *arguments, check=False)
            assert 2 == done.returncode, done.stderr
            assert said in done.stderr
            assert 1 == len(done.stderr.strip().splitlines())


def test_kafka_away_means_old_lists_and_a_red_light(tmp_path: Path) -> None:
    """Without Kafka lists stay with their age, /readyz says why it is red, events get 503; when it is back all recovers by itself."""
    broker = Broker(tmp_path / "kafka", free_port())
    try:
        kafka = Kafka(broker.up())
        settings = kafka.settings()
        with Serve(settings, tmp_path / "serve") as serve:
            until(lambda: "is missing; run `crossnet kafka-topics create`" in serve.ready(), "the missing Kafka topic is named")
            kafka.create(settings)
            kafka.produce(settings.kafka.recommendations, [record(made("ann", 0))])
            serve.wait_ready()
            broker.down()
            until(lambda: "last answer" in serve.ready(), "the light is red")
            assert serve.request("GET", "/readyz")[0] == 503
            assert "events-0-0" == serve.get("/recommendations/ann")["id"]
            assert serve.get("/recommendations/ann")["age_seconds"] > 0
            status, answer = serve.post("twitter", {"user": "ann", "text": "x"})
            assert (503, "kafka") == (status, answer["error"])
            broker.up()
            serve.wait_ready()
            kafka.produce(settings.kafka.recommendations, [record(made("ann", 1))])
            until(lambda: serve.get("/recommendations/ann")["id"] == "events-0-1", "the new list is there")
            assert 202 == serve.post("twitter", {"user": "ann", "text": "x"})[0]
            assert 0 == serve.stop()
    finally:
        broker.down()

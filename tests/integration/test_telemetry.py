"""Dashboard and alerts on a real Prometheus: every query they make has data after a run."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.conftest import ROOT
from tests.integration.kafka import Kafka, Record
from tests.integration.prometheus import Prometheus
from tests.integration.running import Running
from tests.integration.serve import Serve
from tests.integration.until import until
from tests.integration.worker import Worker, artifact_for, inside

_DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "crossnet.json"
_ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
_METRIC = re.compile(r"\b((?:crossnet|process)_\w+)")


def _queries() -> Iterator[tuple[str, str]]:
    """Panel and expression of every query; Grafana fills in the interval, four scrapes or more."""
    for panel in json.loads(_DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """Kafka topics of this test's own."""
    settings = kafka.settings(("twitter", "gplus"), partitions=2)
    kafka.create(settings)
    return settings


def test_every_panel_and_alert_has_data(
    running: Running, kafka: Kafka, settings: Settings, tmp_path: Path, prometheus: Callable[..., Prometheus]
) -> None:
    """A worker and a server do some work under the eyes of Prometheus: no panel is empty, no rule asks for what is not there.

    And the worker has logged a few lines, each a JSON object, none for an event.
    """
    artifact = artifact_for(settings, running.artifact.parent / "trained", tmp_path / "artifact")
    with Worker(artifact, ("--from", "earliest", "--log-format", "json")) as worker, Serve(settings, tmp_path / "serve") as serve:
        worker.wait_ready()
        serve.wait_ready()
        server = prometheus([f"127.0.0.1:{worker.port}", serve.url.removeprefix("http://")], [_ALERTS])
        until(lambda: server.value("count(up == 1)") == 2, "both are scraped")
        code, output, said = inside("replay", running.world, "--artifacts", artifact, "--json")
        assert 0 == code, said
        kafka.produce(settings.kafka.target, [Record(b"u", b"no json")])
        worker.wait_read(json.loads(output)["records"] + 1)
        serve.get("/recommendations/user0001")

        def has_data(expression: str) -> bool:
            # Quantiles are of the last minute: something must go on happening.
            kafka.produce(settings.kafka.target, [Record(b"user0001", b'{"user":"user0001","item":"item0001"}')])
            return _has_data(server, expression)

        for panel, expression in _queries():
            until(lambda expression=expression: has_data(expression), f"{panel} has data: {expression}", every=1)  # type: ignore[misc]
        _check_rules(server)
        lines = worker.log().splitlines()
        assert 0 < len(lines) < 10
        assert {"info", "warning"} >= {json.loads(line)["level"] for line in lines}


def _has_data(server: Prometheus, expression: str) -> bool:
    return any(not math.isnan(one.value) for one in server.query(expression))


def _check_rules(server: Prometheus) -> None:
    rules = server.rules()
    assert 15 == len(rules)
    until(lambda: all(one["health"] == "ok" for one in server.rules()), "every rule has been evaluated without error")
    for rule in rules:
        for metric in _METRIC.findall(rule["query"]):
            assert server.query(metric), f"{rule['name']} asks for {metric}, which nobody exports"

    def firing() -> set[str]:
        return {one["name"] for one in server.rules() if one.get("state") == "firing"}

    until(lambda: "CrossnetDeadLetters" in firing(), "the dead letter is told of")
    assert {"CrossnetDeadLetters"} == firing()

"""What the worker's telemetry shows."""

import re

from streams import records
from streams.telemetry import Telemetry, memory_limit_bytes
from tests.conftest import ROOT


def test_series_exist_before_their_first_event() -> None:
    """A rate over the first minutes is right only where the series began at 0: reasons, triggers, Kafka topics, rankings."""
    text = Telemetry(["tweets"]).exposition().decode()
    for reason in records.REASONS:
        assert f'crossnet_dead_letters_total{{reason="{reason}"}} 0.0' in text
    for series in ('crossnet_lists_total{trigger="post"}', 'crossnet_records_total{kafka_topic="tweets"}', "crossnet_loss_count"):
        assert f"{series} 0.0" in text


def test_the_reasons_are_all_there_are() -> None:
    """REASONS names exactly what `records.py` refuses with, and `internal` for errors of ours."""
    source = (ROOT / "streams" / "records.py").read_text("utf-8")
    assert {*re.findall(r'InvalidRecord\(\s*"([a-z-]+)"', source), "internal"} == set(records.REASONS)


def test_the_memory_limit_is_a_real_one() -> None:
    """What the process may take lies between a hundred megabytes and the machine."""
    assert 10**8 < memory_limit_bytes() < 10**14

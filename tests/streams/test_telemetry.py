"""What the worker's telemetry shows."""

import re

from streams import records
from streams.align import Aligner
from streams.line import drive
from streams.telemetry import Telemetry, memory_limit_bytes
from tests.conftest import ROOT
from tests.streams.small import DAY, TEXTS, line, posted, took


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


def test_what_is_bounded_has_a_gauge() -> None:
    """Users, those decoded, their rows in the model, days of windows, items: as many as the line holds."""
    telemetry, one = Telemetry(), line()
    list(drive(one, [posted("cid", TEXTS[0], day * DAY) for day in (1, 2)] + [took("ann", "e", 3 * DAY)]))
    telemetry.look(one, Aligner(limit=1), 0)
    text = telemetry.exposition().decode()
    expected = {"users": 2, "decoded_users": 2, "model_users": 2, "daily_windows": 2, "items": 5, "retired_items": 0}
    for gauge, value in expected.items():
        assert f"crossnet_{gauge} {value}.0\n" in text

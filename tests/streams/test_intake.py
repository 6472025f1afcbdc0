"""Promises of streams/intake.py, with fetches made by hand."""

import json
import time

from aiokafka import ConsumerRecord

from streams.commit import Batch
from streams.intake import Intake
from streams.pump import Pump
from streams.reader import Fetched, Place
from streams.records import Recommendation
from streams.settings import Settings
from streams.telemetry import Telemetry
from tests.streams import small

SETTINGS = Settings.model_construct()
EVENTS, TWEETS = ("youtube-events", 0), ("tweets", 0)


class _Nowhere:
    async def publish(self, lists: list[Recommendation]) -> None:
        del lists

    async def commit(self, batch: Batch) -> int | None:
        return len(batch.lessons)

    async def prove(self) -> None:
        pass


def _intake() -> tuple[Intake, Pump]:
    line, telemetry = small.line(), Telemetry()
    pump = Pump(line, _Nowhere(), SETTINGS, telemetry)
    pump.assign([EVENTS, TWEETS])
    return Intake(line, pump, SETTINGS, telemetry), pump


def _record(at: int, offset: int = 0) -> ConsumerRecord:
    value = json.dumps({"user": "ann", "item": "a", "at": at}).encode()
    return ConsumerRecord(*EVENTS, offset, at, 0, b"ann", value, None, 3, len(value), ())


def _fetched(records: list[ConsumerRecord], came_at: float, tweets_asked_at: float | None) -> Fetched:
    tweets = Place(4, 7 if tweets_asked_at is None else 4, tweets_asked_at)
    places = {EVENTS: Place(len(records), len(records), came_at), TWEETS: tweets}
    return Fetched({EVENTS: records} if records else {}, came_at, places)


def _released(pump: Pump) -> int:
    return len(list(pump.aligner.release()))


def test_a_live_record_waits_for_one_answer_and_an_old_one_for_those_written_after_it() -> None:
    """The first leaves when the silent network was asked after it came, the second not before `settle_ms` more have gone by."""
    now = round(time.time() * 1000)
    for at, wait in ((now, 0.0), (now - 60_000, SETTINGS.worker.settle_ms / 1000)):
        intake, pump = _intake()
        intake.take(_fetched([_record(at)], 100.0, 99.9))
        assert 0 == _released(pump)
        intake.take(_fetched([], 100.1, 99.999 + wait))
        assert 0 == _released(pump)
        intake.take(_fetched([], 100.1, 100.0 + wait))
        assert 1 == _released(pump)


def test_a_network_whose_clock_runs_ahead_or_that_has_more_is_waited_for_no_longer_than_that() -> None:
    """The time a record claims does not decide how long it waits; what Kafka has and has not sent yet does."""
    intake, pump = _intake()
    intake.take(_fetched([_record(round(time.time() * 1000) + 3_600_000)], 100.0, None))
    assert {EVENTS: 0, TWEETS: 3} == intake.lags()
    assert 0 == _released(pump)
    intake.take(_fetched([], 100.0, 100.0))
    assert 1 == _released(pump)


def test_each_offset_is_taken_once() -> None:
    """After a rebalance Kafka sends again what is taken; what belongs to others is left to them."""
    intake, pump = _intake()
    intake.start_at({EVENTS: 1})
    intake.take(_fetched([_record(5, offset) for offset in range(3)], 100.0, 100.0))
    intake.take(_fetched([_record(5, offset) for offset in range(4)], 100.0, 100.0))
    assert 3 == pump.aligner.held
    pump.assign([TWEETS])
    intake.take(_fetched([_record(5, 9)], 100.0, 100.0))
    assert 0 == pump.aligner.held


def test_a_broker_that_says_nothing_is_not_waited_for_for_ever() -> None:
    """A partition about which nothing has been heard for `idle_ms` holds the others back no longer; one just heard of does."""
    intake, pump = _intake()
    now, idle_seconds = time.monotonic(), SETTINGS.worker.idle_ms / 1000
    intake.take(_fetched([_record(5)], now - idle_seconds, None))
    intake.pass_over_silent(lambda _: None)
    intake.pass_over_silent(lambda _: now)
    assert 0 == _released(pump)
    intake.pass_over_silent(lambda _: now - idle_seconds - 1)
    assert 1 == _released(pump)

"""Which records a replay sends, and when."""

import pytest

from streams.folder import Part
from streams.replay import at_rate, at_speed, between
from tests.streams.small import took

_PARTS = [Part(took("ann", "a", at), "test") for at in (1_000, 2_000, 5_000)]


def test_a_slice_takes_its_beginning_and_leaves_its_end() -> None:
    """`begin` belongs to the slice, `end` does not; None leaves that side open."""
    assert _PARTS[1:2] == between(_PARTS, 2_000, 5_000)
    assert _PARTS == between(_PARTS, None, None)
    assert [] == between(_PARTS, 6_000, None)


def test_a_rate_is_records_a_second() -> None:
    """Record n is due after n / rate seconds, whatever its time."""
    assert [0.0, 0.5, 1.0] == [at_rate(2.0)(number, one) for number, one in enumerate(_PARTS)]


def test_a_speed_is_a_multiple_of_the_datas_own_pace() -> None:
    """At 10x four seconds of event time take 0.4."""
    pace = at_speed(10.0, 1_000)
    assert [0.0, 0.1, 0.4] == pytest.approx([pace(number, one) for number, one in enumerate(_PARTS)])

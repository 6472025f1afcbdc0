"""Promises of streams/records.py."""

import pytest

from streams.records import DAY_MS, Interaction, InvalidRecord, Post, Source, parse

NOW = 1_700_000_000_000
SOURCE = Source("tweets", 1, 42)


def test_a_post_keeps_its_fields_and_its_source() -> None:
    """A valid post becomes a Post with the network of its Kafka topic."""
    expected = Post("ann", "twitter", NOW - 5, "hello", SOURCE)
    assert expected == parse(b'{"user":"ann","at":%d,"text":"hello","more":1}' % (NOW - 5), "twitter", SOURCE, NOW)


def test_an_interaction_takes_iso_time_and_the_records_timestamp() -> None:
    """`at` may be ISO 8601, with or without a zone, or missing."""
    assert Interaction("a", "v", 1_700_000_000_000, SOURCE) == parse(
        b'{"user":"a","item":"v","at":"2023-11-14T22:13:20"}', None, SOURCE, NOW
    )
    assert Interaction("a", "v", 1_699_996_400_000, SOURCE) == parse(
        b'{"user":"a","item":"v","at":"2023-11-14T22:13:20+01:00"}', None, SOURCE, NOW
    )
    assert NOW == parse(b'{"user":"a","item":"v"}', None, SOURCE, NOW).at


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        ("empty", None),
        ("not-json", b""),
        ("not-json", b"{"),
        ("not-json", b'{"user":"\xff"}'),
        ("not-json", b'{"user":"a","at":NaN}'),
        ("not-json", b'{"user":"\\ud800","text":"t"}'),
        ("not-json", b"[" * 100_000),
        ("not-an-object", b"[]"),
        ("not-an-object", b"null"),
        ("missing-field", b'{"text":"t"}'),
        ("missing-field", b'{"user":"a"}'),
        ("wrong-field", b'{"user":7,"text":"t"}'),
        ("wrong-field", b'{"user":"a","text":["t"]}'),
        ("bad-id", b'{"user":"","text":"t"}'),
        ("bad-id", b'{"user":"%s","text":"t"}' % (b"u" * 257)),
        ("oversized", b'{"user":"a","text":"%s"}' % (b"t" * 20_001)),
        ("bad-time", b'{"user":"a","text":"t","at":-1}'),
        ("bad-time", b'{"user":"a","text":"t","at":"soon"}'),
        ("bad-time", b'{"user":"a","text":"t","at":true}'),
        ("bad-time", b'{"user":"a","text":"t","at":1.5}'),
        ("bad-time", b'{"user":"a","text":"t","at":{}}'),
        ("future", b'{"user":"a","text":"t","at":%d}' % (NOW + DAY_MS + 1)),
        ("future", b'{"user":"a","text":"t","at":18446744073709551615}'),
    ],
)
def test_bad_input_has_a_reason(reason: str, value: bytes | None) -> None:
    """Whatever cannot be used is an InvalidRecord with a reason, never another error."""
    with pytest.raises(InvalidRecord) as caught:
        parse(value, "twitter", SOURCE, NOW)
    assert reason == caught.value.reason

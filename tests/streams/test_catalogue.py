"""Promises of streams/catalogue.py, and of what the line makes of it."""

from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from model import Known, Recommender, lesson_of
from streams.catalogue import Catalogue
from streams.items import known
from streams.line import Line, drive
from streams.records import Item, encode
from tests.streams.small import CONFIG, DAY, line, took


def _record(key: str, **fields: Any) -> ConsumerRecord:  # noqa: ANN401 - JSON
    return _raw(key.encode(), encode({"item": key, **fields}))


def _raw(key: bytes | None, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("items", 0, 0, 0, 0, key, value, None, 0, 0, [])


def _full(items_cap: int = 100) -> Line:
    one = line()
    one.recommender = Recommender(replace(CONFIG, preset="full", logits="identity", items_cap=items_cap), ("ann",), "abcd", seed=3)
    return one


def _told(one: Line, *records: ConsumerRecord) -> Known | None:
    for record in records:
        one.catalogue.take(record)
    return one.know(one.catalogue.take_news(100)) if one.catalogue.has_news else None


def test_the_newest_word_on_an_item_counts() -> None:
    """Of several records of one item the last says its text, and whether it is retired; it is told once."""
    catalogue = Catalogue()
    for name, title, retired in (("a", "old", False), ("b", "other", False), ("a", "guitar chord", False), ("b", "", True)):
        catalogue.take(_record(name, title=title, retired=retired))
    assert (["b"], True) == (catalogue.retired, catalogue.has_news)
    news = catalogue.take_news(10)
    wanted = known([Item("a", "guitar chord", "", retired=False)])
    assert (("a",), wanted.counts_nW.tolist()) == (news.items, news.counts_nW.tolist())
    assert not catalogue.has_news
    catalogue.take(_record("b"))
    assert [] == catalogue.retired


def test_the_latest_retired_items_are_kept() -> None:
    """Beyond the limit the one retired longest ago may be listed again, and is counted; one said again is the latest."""
    catalogue = Catalogue(retired_kept=2)
    for name in "abac":
        catalogue.take(_record(name, retired=True))
    assert (["a", "c"], 1) == (catalogue.retired, catalogue.dropped_retired)


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"title":"x"}', b'{"item":"","title":"x"}', b'{"item":"a","retired":1}'])
def test_what_is_no_item_is_counted_and_left(value: bytes) -> None:
    """A broken record changes nothing, and neither does one without key and value."""
    catalogue = Catalogue()
    catalogue.take(_raw(b"a", value))
    assert (1, [], False) == (catalogue.unreadable, catalogue.retired, catalogue.has_news)


def test_a_new_item_is_recommended_before_anybody_took_it() -> None:
    """It is on the next list, with or without a text, in any script; replaying the lesson gives the same weights."""
    one, other = _full(), _full()
    news = _told(one, _record("new", title="Ракета на орбите 火箭"), _record("bare"))
    assert news is not None
    other.recommender.replay(lesson_of(news.to_bytes()).to_bytes())
    assert one.recommender.state_hash() == other.recommender.state_hash()
    (made,) = [made for output in drive(one, [took("ann", "a", DAY)]) for made in output.lists]
    assert {"b", "c", "d", "new", "bare"} == {entry["item"] for entry in made.items}


def test_what_is_known_already_is_no_lesson() -> None:
    """At a start the whole catalogue is read again: only what differs is told, such as a title that changed."""
    one = _full()
    assert _told(one, _record("a", title="goal match"), _record("b")) is not None
    assert _told(one, _record("a", title="goal match"), _record("b")) is None
    changed = _told(one, _record("a", title="rocket orbit"), _record("b"))
    assert changed is not None
    assert ("a",) == changed.items


def test_a_retired_item_is_on_no_list_and_teaches_nothing() -> None:
    """Neither does one whose record has no value; both are back once the catalogue names them again."""
    one = _full()
    assert _told(one, _record("b", title="goal", retired=True), _raw(b"c", None), _record("gone", retired=True)) is None
    assert one.recommender.items.get("gone") is None
    (made,) = [made for output in drive(one, [took("ann", "a", DAY)]) for made in output.lists]
    assert ["d"] == [entry["item"] for entry in made.items]
    _told(one, _record("b", title="goal"))
    (made,) = [made for output in drive(one, [took("ann", "d", 2 * DAY, 1)]) for made in output.lists]
    assert ["b"] == [entry["item"] for entry in made.items]


def test_new_items_take_nobodys_row() -> None:
    """Beyond items_cap they are left out and counted, and what people took keeps its row; a text that changed is still told."""
    one = _full(items_cap=6)
    news = _told(one, *(_record(f"n{number}", title="rocket") for number in range(50)), _record("a", title="goal"))
    assert news is not None
    assert ({"n0", "n1", "a"}, 48, 6) == (set(news.items), one.counts["left_out_items"], len(one.recommender.items))
    assert all(one.recommender.items.get(name) is not None for name in "abcd")


def test_preset_paper_knows_nothing_of_items() -> None:
    """There the catalogue says what is retired, and nothing is told."""
    one = line()
    assert _told(one, _record("new", title="rocket"), _record("b", retired=True)) is None
    assert (None, ["b"]) == (one.recommender.items.get("new"), one.catalogue.retired)

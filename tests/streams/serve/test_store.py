"""Promises of streams/serve/store.py, past.py and popularity.py."""

import json
from dataclasses import replace
from typing import Any

import pytest

from streams.line import drive
from streams.records import Interaction, InvalidRecord, Post, encode
from streams.serve.answers import Answers
from streams.serve.popularity import Popularity
from streams.serve.store import Store
from tests.integration.serve import DAY_MS, made
from tests.streams.small import DAY, TEXTS, line, posted, took


def _store(history: int = 16) -> Store:
    return Store(history)


def test_a_list_comes_back_as_it_was() -> None:
    """What was packed is what was published, whatever characters it has and however long it is; a part of it when that is enough."""
    store, user = _store(), 'é"\n\u2028'
    for size in (0, 1, 20, 21, 1000):
        one = replace(made(user, size=size), user=user, items=[{"item": f"💡{n}", "score": -0.0} for n in range(size)])
        store.put_list(one.to_json(), 5)
        kept = store.kept(user)
        assert kept is not None
        assert (5, json.loads(one.to_json())) == (kept.published_ms, kept.fields())
        assert kept.fields()["items"][:10] == kept.fields(10)["items"][:10]


def test_what_the_line_writes_is_what_is_shown() -> None:
    """Lists of a real line lose nothing here: window, attention, ranks, terms and the window before come out as they went in."""
    records: list[Post | Interaction] = [took("ann", "a", DAY), posted("ann", TEXTS[0], DAY + 1, 1), took("ann", "b", 2 * DAY, 2)]
    (_, *_, one) = [made for output in drive(line(wave=1), records) for made in output.lists]
    store = _store()
    fields, told = store.put_list(one.to_json(), 0)
    assert told
    assert json.loads(one.to_json()) == fields
    shown = Answers(store, Popularity(1), {0: ["goal"]}).user("ann")
    assert shown is not None
    assert one.last is not None
    assert (one.last.rank_scored, {"twitter": 1, "gplus": 0}) == (shown["last"]["rank_scored"], shown["past"][0]["window"]["posts"])
    assert [one.items[0]["why"]] == [shown["items"][0]["why"]]
    assert [steps for steps, _ in one.attention] == [step["steps_ago"] for step in shown["attention"]]


def test_what_posts_moved_is_shown_with_the_topics_words() -> None:
    """By network and topic as the line said, the topics with their words."""
    one = line()
    list(drive(one, [took("ann", "a", DAY)]))
    posts = [posted("ann", TEXTS[0], DAY + 1, 1), posted("ann", "zzz", 2 * DAY, 2)]
    (said,) = [made for output in drive(one, posts) for made in output.lists if made.trigger == "post"]
    store = _store()
    store.put_list(said.to_json(), 0)
    ((topic, part),) = said.items[0]["why"]["moved"]["twitter"]["topics"].items()
    shown = Answers(store, Popularity(1), {int(topic): ["goal"]}).recommendations("ann", 1, frozenset())["items"][0]["why"]
    assert said.items[0]["why"]["net"] == shown["net"]
    assert {"twitter": {"by": part, "topics": [{"topic": int(topic), "by": part, "words": ["goal"]}]}} == shown["moved"]


@pytest.mark.parametrize(
    "moved",
    [3, [1], {"twitter": 1}, {"twitter": {"by": "1"}}, {"twitter": {"by": 1, "topics": [1]}},
     {"twitter": {"by": 1, "topics": {"\u0663": 1, "-1": 1, "9" * 5000: 1, "1": "x", "": 1}}}],
)  # fmt: skip
def test_what_is_no_term_is_not_shown(moved: object) -> None:
    """Terms of another shape than the contract's are left out, and the list stays."""
    store = _store()
    items = [{"item": "a", "score": 1.0, "why": {"net": 1.0, "trend": "much", "moved": moved}}]
    store.put_list(replace(made("ann"), items=items).to_json(), 0)
    why = Answers(store, Popularity(1), {}).recommendations("ann", 1, frozenset())["items"][0]["why"]
    assert 1.0 == why.pop("net")
    assert [] == [topic for one in why.pop("moved", {}).values() for topic in one["topics"]]
    assert {} == why


def test_the_past_is_short_newest_first_and_without_repeats() -> None:
    """The last few interactions are kept; a list repeated under its old id adds none, a post's list none either."""
    store = _store(history=3)
    told = [store.put_list(made("ann", number).to_json(), 0)[1] for number in (0, 1, 1, 2, 3)]
    told.append(store.put_list(made("ann", 9, item=None).to_json(), 0)[1])
    kept = store.kept("ann")
    assert kept is not None
    assert [True, True, False, True, True, False] == told
    assert ["events-0-3", "events-0-2", "events-0-1"] == [one["id"] for one in store.past(kept)]


def test_an_item_keeps_its_text_and_can_be_taken_back() -> None:
    """Long texts come back whole; a retired item is so until it is not; a forgotten one is unknown."""
    store = _store()
    for retired in (True, False):
        store.put_item(encode({"item": "a", "title": "A", "text": "x" * 20_000, "retired": retired}))
        found = store.item("a")
        assert found is not None
        assert ("A", 20_000, retired, retired) == (store.title("a"), len(found.text), found.retired, "a" in store.retired)
    store.forget_item("a")
    assert (None, "") == (store.item("a"), store.title("a"))


@pytest.mark.parametrize(
    "change",
    [{"user": 3}, {"id": None}, {"at": "1"}, {"items": {}}, {"items": [[]]}, {"items": [{"item": "a"}]},
     {"items": [{"item": 1, "score": 1}]}, {"trigger": []}],
)  # fmt: skip
def test_what_is_no_list_is_refused(change: dict[str, Any]) -> None:
    """A required field with another type is an InvalidRecord."""
    with pytest.raises(InvalidRecord):
        _store().put_list(json.dumps({**json.loads(made("ann").to_json()), **change}).encode(), 0)


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"attention": [[1], ["x", 1], 3, [2, 0.5]]}, "attention", [[2, 0.5]]),
        ({"attention": None}, "attention", []),
        ({"window": "x"}, "window", {"gap_seconds": None, "posts": {}, "topics": {}}),
        ({"window": {"gap_seconds": [], "posts": {"t": "2", "g": 1}, "topics": {"t": 1, "g": [[1, "x"], [2, 1]]}}}, "window",
         {"gap_seconds": None, "posts": {"g": 1}, "topics": {"t": [], "g": [[2, 1]]}}),
        ({"model": 7}, "model", {}), ({"last": {"item": 1}}, "last", None),
    ],
)  # fmt: skip
def test_optional_parts_of_another_shape_are_left_out(change: dict[str, Any], field: str, expected: object) -> None:
    """A list is served though a part beside its items is not what the contract says."""
    fields, _ = _store().put_list(json.dumps({**json.loads(made("ann").to_json()), **change}).encode(), 0)
    assert expected == fields[field]


def test_popularity_halves_with_event_time() -> None:
    """Two old interactions weigh less than one that is two half-lives younger; late ones and far futures change no order wrongly."""
    popularity = Popularity(half_life_days=1)
    for name, at in (("old", 0), ("old", 0), ("new", 2 * DAY_MS), ("late", 0)):
        popularity.add(name, at)
    assert ["new", "old", "late"] == [name for name, _ in popularity.top(now=10.0)]
    assert pytest.approx(1.0) == sum(share for _, share in popularity.top(now=10.0))
    popularity.add("far", 10_000 * DAY_MS)
    assert ["far", "new"] == [name for name, _ in popularity.without({"old"}, 2, now=100.0)]

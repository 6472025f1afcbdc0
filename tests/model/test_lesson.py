"""Lessons as values and as bytes."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from model import Known, Lesson, ModelError, lesson_of
from tests.model.small import Stream, recommender, small


@pytest.mark.parametrize("topics", [4, 0])
def test_bytes_give_the_same_lesson_back(topics: int) -> None:
    """Every field survives to the last bit, names in any script and models without topics included."""
    stream = Stream(recommender(small(topics=topics, dtype="float32")))
    stream.lesson(("ann", "ünal"))
    lesson = stream.lesson(("ann", "ünal"), ("v1", "動画"))
    again = Lesson.from_bytes(lesson.to_bytes())
    assert (lesson.users, lesson.items, lesson.at) == (again.users, again.items, again.at)
    for name in ("x_BM", "g_B", "h_BH", "C_BH", "h_A_BH"):
        np.testing.assert_array_equal(getattr(lesson, name), getattr(again, name))
    assert lesson.to_bytes() == again.to_bytes()


def test_learning_from_bytes_is_learning() -> None:
    """A replayed log of lessons gives the same weights, moments, ids and statistics, bit for bit."""
    live, replayed = recommender(small(dtype="float32")), recommender(small(dtype="float32"))
    stream = Stream(live)
    log = []
    for users in (("ann", "bob"), ("new", "cid"), ("bob",), ("newer", "new", "ann")):
        lesson = stream.lesson(users)
        log.append(lesson.to_bytes())
        live.learn(lesson)
    for value in log:
        replayed.learn(Lesson.from_bytes(value))
    assert live.state_hash() == replayed.state_hash()


def test_a_lesson_holds_what_was_before_the_step() -> None:
    """Its h and C are those of the memories that went into the wave."""
    stream = Stream(recommender())
    stream.lesson(("ann",))
    before = stream.memories["ann"]
    lesson = stream.lesson(("ann",))
    np.testing.assert_array_equal(before.h_H, lesson.h_BH[0])
    np.testing.assert_array_equal(before.C_H, lesson.C_BH[0])


def test_broken_bytes_are_refused() -> None:
    """A lesson cut at any byte, lengthened, or of another version is a ModelError."""
    value = Stream(recommender()).lesson(("ann", "bob")).to_bytes()
    for size in range(len(value)):
        with pytest.raises(ModelError):
            Lesson.from_bytes(value[:size])
    with pytest.raises(ModelError, match="should have"):
        Lesson.from_bytes(value + b"x")
    with pytest.raises(ModelError, match="version 4"):
        Lesson.from_bytes(value[:1] + b"\4" + value[2:])
    with pytest.raises(ModelError, match="cannot be read"):
        Lesson.from_bytes(value[:1] + b"\3" + value[2:])


def test_pasts_survive_as_bytes() -> None:
    """The items before each interaction, none included, and the end of the tie come back; cut anywhere they are refused."""
    plain = Stream(recommender()).lesson(("ann", "bob"))
    for ends_tie in (True, False):
        lesson = replace(plain, past=(("v1", "ü"), ()), ends_tie=ends_tie)
        found = Lesson.from_bytes(lesson.to_bytes())
        assert (lesson.past, ends_tie) == (found.past, found.ends_tie)
        for size in range(len(plain.to_bytes()), len(lesson.to_bytes())):
            with pytest.raises(ModelError):
                Lesson.from_bytes(lesson.to_bytes()[:size])


def test_parts_of_different_length_are_refused() -> None:
    """A lesson needs one item for each user."""
    lesson = Stream(recommender()).lesson(("ann", "bob"))
    with pytest.raises(ModelError, match="one of each"):
        Lesson(lesson.users, ("v1",), lesson.x_BM, lesson.g_B, lesson.h_BH, lesson.C_BH, lesson.h_A_BH, lesson.at)


def test_known_items_survive_as_bytes() -> None:
    """Names and word counts come back, items without text and in other scripts included; cut anywhere they are refused."""
    known = Known.of({"v1": ["act", "act", "water"], "empty": [], "\u00fc": ["\u6c34", "\udcff"], "long": ["word"] * 1000})
    value = known.to_bytes()
    found = lesson_of(value)
    assert isinstance(found, Known)
    assert known.items == found.items
    np.testing.assert_array_equal(known.counts_nW, found.counts_nW)
    assert [3, 0, 2, 255] == found.counts_nW.sum(axis=1).tolist()
    for size in range(1, len(value)):
        with pytest.raises(ModelError):
            lesson_of(value[:size])
    with pytest.raises(ModelError, match="should have"):
        lesson_of(value + b"x")
    with pytest.raises(ModelError, match="version 9"):
        lesson_of(value[:1] + b"\x09" + value[2:])
    assert () == Known.from_bytes(Known.of({}).to_bytes()).items


def test_words_fall_into_the_same_buckets_everywhere() -> None:
    """Where a word is counted does not depend on the process: CRC-32 of its UTF-8, its last byte."""
    assert [zlib.crc32(b"water") % 256] == np.flatnonzero(Known.of({"v1": ["water"]}).counts_nW[0]).tolist()

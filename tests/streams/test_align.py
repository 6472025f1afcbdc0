"""Promises of streams/align.py."""

from collections.abc import Iterable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.align import Aligner, Held, in_order
from streams.records import DeadLetter, Forget, Interaction, Post, Source
from tests.streams import small

PARTITIONS = [("events", 0), ("tweets", 0), ("tweets", 1)]


def _post(at: int, offset: int, partition: int = 0) -> Post:
    return Post("u", "twitter", at, small.TEXTS[offset % 4], Source("tweets", partition, offset))


def _interaction(at: int, offset: int) -> Interaction:
    return Interaction("u", "v", at, Source("events", 0, offset))


def _aligner(limit: int = 1000) -> Aligner:
    aligner = Aligner(limit)
    aligner.assign(PARTITIONS)
    return aligner


def _ask(aligner: Aligner, at: float, *but: tuple[str, int]) -> None:
    for partition in PARTITIONS:
        if partition not in but:
            aligner.asked(partition, at)


def test_a_record_waits_until_every_other_partition_was_asked_after_it_came() -> None:
    """What came at 7 leaves once each partition has a record or was asked at 7 or later; interactions precede posts of one time."""
    aligner = _aligner()
    aligner.put(_post(5, 0), due=7)
    aligner.put(_interaction(5, 0), due=7)
    assert [] == list(aligner.release())
    aligner.asked(("tweets", 1), 6)
    assert [] == list(aligner.release())
    aligner.asked(("tweets", 1), 7)
    assert [_interaction(5, 0)] == list(aligner.release())
    aligner.asked(("events", 0), 8)
    assert [_post(5, 0)] == list(aligner.release())
    assert not aligner.drained
    aligner.asked(("tweets", 0), 8)
    assert aligner.drained


def test_a_partition_known_to_have_more_holds_all_back() -> None:
    """However long ago it was asked: what it has is on its way."""
    aligner = _aligner()
    _ask(aligner, 9)
    aligner.asked(("tweets", 0), None)
    aligner.put(_interaction(5, 0), due=7)
    assert [] == list(aligner.release())
    aligner.put(_post(4, 0), due=10)
    assert [] == list(aligner.release())
    _ask(aligner, 10)
    assert [_post(4, 0), _interaction(5, 0)] == list(aligner.release())
    assert 0 == aligner.inversions


def test_a_clock_that_runs_ahead_holds_nobody_back() -> None:
    """Records of a network whose clock is an hour ahead leave as soon as others, which are counted as coming after them."""
    aligner, hour = _aligner(), 3_600_000
    for number in range(3):
        aligner.put(_post(number + hour, number), due=number)
        _ask(aligner, number)
        assert [_post(number + hour, number)] == list(aligner.release())
        aligner.put(_interaction(number, number), due=number)
        assert [_interaction(number, number)] == list(aligner.release())
    assert 3 == aligner.inversions


def test_the_limit_releases_and_counts() -> None:
    """Above the limit the lowest record leaves without waiting, and is counted."""
    aligner = _aligner(limit=2)
    for offset, at in enumerate([3, 4, 5]):
        aligner.put(_post(at, offset))
    assert [3] == [record.at for record in aligner.release() if isinstance(record, Post)]
    assert 1 == aligner.forced


def test_a_dead_letter_leaves_with_its_partition() -> None:
    """A dead letter or a wish to be forgotten has no time: it leaves at the head of its partition, and never earlier."""
    aligner = _aligner()
    dead, forget = DeadLetter(None, b"?", "not-json", "", Source("tweets", 0, 1)), Forget("u", Source("tweets", 0, 2))
    aligner.put(_post(9, 0))
    aligner.put(dead)
    aligner.put(forget)
    aligner.put(_interaction(7, 0))
    aligner.asked(("tweets", 1), 0)
    assert [_interaction(7, 0)] == list(aligner.release())
    aligner.asked(("events", 0), 0)
    assert [_post(9, 0), dead, forget] == list(aligner.release())


def test_a_new_assignment_keeps_what_is_held_of_partitions_that_stay() -> None:
    """After a rebalance the records of partitions that were kept are still there, once."""
    aligner = _aligner()
    aligner.put(_post(1, 0))
    aligner.assign([("tweets", 0)])
    assert [_post(1, 0)] == list(aligner.release())


@settings(deadline=None)
@given(st.data())
def test_any_interleaving_gives_the_same_order(data: st.DataObject) -> None:
    """However the same per-partition logs arrive and whenever partitions are asked, they leave in the same order."""
    records = _logs(data)
    assert in_order(record for log in records for record in log) == list(_arriving(data, records))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_interleaving_gives_the_same_windows_gaps_and_steps(data: st.DataObject) -> None:
    """Through the line, too: what the users' steps are made of does not depend on how the logs arrive."""
    records = _logs(data)
    assert _steps(in_order(record for log in records for record in log)) == _steps(_arriving(data, records))


def _logs(data: st.DataObject) -> list[list[Held]]:
    logs = [sorted(data.draw(st.lists(st.integers(0, 20), max_size=8))) for _ in PARTITIONS]
    return [
        [_interaction(at, offset) for offset, at in enumerate(logs[0])],
        [_post(at, offset) for offset, at in enumerate(logs[1])],
        [_post(at, offset, 1) for offset, at in enumerate(logs[2])],
    ]


def _arriving(data: st.DataObject, records: list[list[Held]]) -> Iterator[Held]:
    """Fetch after fetch: some records of some partitions; a partition is asked as of the fetch that found no more of it."""
    aligner, left = _aligner(), [list(log) for log in records]
    for now in range(1, 12):
        for partition, log in zip(PARTITIONS, left, strict=True):
            count = data.draw(st.integers(0, len(log))) if now < 6 else len(log)
            for record in [log.pop(0) for _ in range(count)]:
                aligner.put(record, due=now + data.draw(st.integers(0, 2)))
            aligner.asked(partition, None if log else now)
        yield from aligner.release()
        if not any(left) and aligner.drained:
            return
    raise AssertionError(f"{aligner.held} records are held for ever")


def _steps(records: Iterable[Held]) -> list[object]:
    """Windows, gaps and features of all steps."""
    line, found = small.line(), list[object]()
    for record in records:
        assert isinstance(record, Post | Interaction)
        line.gather(record)
        for taken in line.wave.values():
            found.append((taken.interaction, taken.window.posts_N.tolist(), taken.gap_seconds, taken.step.x_M.tolist()))
        line.wave.clear()
    return found

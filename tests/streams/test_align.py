"""Promises of streams/align.py."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from streams.align import Aligner, Held
from streams.records import DeadLetter, Forget, Interaction, Post, Source

PARTITIONS = [("events", 0), ("tweets", 0), ("tweets", 1)]


def _post(at: int, offset: int, partition: int = 0) -> Post:
    return Post("u", "twitter", at, "", Source("tweets", partition, offset))


def _interaction(at: int, offset: int) -> Interaction:
    return Interaction("u", "v", at, Source("events", 0, offset))


def _aligner(limit: int = 1000) -> Aligner:
    aligner = Aligner(limit)
    aligner.assign(PARTITIONS)
    return aligner


def test_nothing_is_released_while_a_partition_is_unknown() -> None:
    """A record waits until every partition has one or is idle; interactions precede posts of the same time."""
    aligner = _aligner()
    aligner.put(_post(5, 0))
    aligner.put(_interaction(5, 0))
    assert [] == list(aligner.release())
    aligner.set_idle(("tweets", 1))
    assert [_interaction(5, 0)] == list(aligner.release())
    assert frozenset({("events", 0)}) == aligner.waiting


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
    aligner.set_idle(("tweets", 1))
    assert [_interaction(7, 0)] == list(aligner.release())
    aligner.set_idle(("events", 0))
    assert [_post(9, 0), dead, forget] == list(aligner.release())


def test_a_new_assignment_keeps_what_is_held_of_partitions_that_stay() -> None:
    """After a rebalance the records of partitions that were kept are still there, once."""
    aligner = _aligner()
    aligner.put(_post(1, 0))
    aligner.assign([("tweets", 0)])
    assert [_post(1, 0)] == list(aligner.release())


@given(st.data())
def test_any_interleaving_gives_the_same_order(data: st.DataObject) -> None:
    """However the same per-partition logs arrive, they leave in the same order."""
    logs = [sorted(data.draw(st.lists(st.integers(0, 20), max_size=8))) for _ in PARTITIONS]
    records: list[list[Held]] = [
        [_interaction(at, offset) for offset, at in enumerate(logs[0])],
        [_post(at, offset) for offset, at in enumerate(logs[1])],
        [_post(at, offset, 1) for offset, at in enumerate(logs[2])],
    ]
    choices = data.draw(st.permutations([index for index, log in enumerate(records) for _ in log]))
    merged = sorted((record for log in records for record in log), key=_key)
    assert merged == list(_through(_aligner(), records, choices))


def _key(record: Held) -> tuple[int, bool, str, int, int]:
    at = -1 if isinstance(record, DeadLetter | Forget) else record.at
    return (at, isinstance(record, Post), record.source.kafka_topic, record.source.partition, record.source.offset)


def _through(aligner: Aligner, records: list[list[Held]], choices: list[int]) -> Iterator[Held]:
    heads = [iter(log) for log in records]
    left = [len(log) for log in records]
    for index in choices:
        aligner.put(next(heads[index]))
        left[index] -= 1
        # A partition is idle only once its log has ended.
        while True:
            for partition, count in zip(PARTITIONS, left, strict=True):
                if not count:
                    aligner.set_idle(partition)
            released = list(aligner.release())
            yield from released
            if not released:
                break
    for partition in PARTITIONS:
        aligner.set_idle(partition)
    while released := list(aligner.release()):
        yield from released
        for partition in PARTITIONS:
            aligner.set_idle(partition)

"""Work side by side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, get_ident

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model import Lesson, Memory, Recommender, Wave
from model.threads import all_of, alone, halves, once
from tests.model.blend.test_blend import FULL, HOUR, START
from tests.model.small import step

USERS = tuple(f"user{row}" for row in range(9))
ITEMS = tuple(f"item{row}" for row in range(300))


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch has two threads, whatever the machine has."""
    own = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(own)


@pytest.mark.usefixtures("two_threads")
def test_all_of_them_are_done_by_two() -> None:
    """Each task is done once, in the caller's grad mode, and two threads do them where both have something to do."""
    done: list[tuple[int, int, bool, int]] = []

    def task(number: int) -> None:
        done.append((number, get_ident(), torch.is_grad_enabled(), torch.get_num_threads()))
        torch.rand(400, 400) @ torch.rand(400, 400)

    with alone(), torch.no_grad():
        all_of([partial(task, number) for number in range(200)])
    assert list(range(200)) == sorted(number for number, *_ in done)
    assert {(False, 1)} == {one[2:] for one in done}
    assert 2 == len({thread for _, thread, *_ in done})
    assert 2 == torch.get_num_threads()


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_one_stops_the_others() -> None:
    """What goes wrong in a task comes out, once nobody is at work any more."""
    done: list[int] = []

    def task(number: int) -> None:
        if number == 3:
            raise IndexError(number)
        done.append(number)

    with pytest.raises(IndexError, match="3"), alone():
        all_of([partial(task, number) for number in range(50)])
    assert 3 not in done


def test_two_who_ask_get_the_same() -> None:
    """A thing is made once, when it is first asked for, whoever asks while it is made."""
    made: list[int] = []
    everybody = Barrier(2)

    def make() -> int:
        made.append(get_ident())
        everybody.wait()  # until the other one is about to ask
        return len(made)

    get = once(make)
    assert [] == made
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get)
        everybody.wait()
        assert 1 == get() == first.result() == len(made)


def test_halves() -> None:
    """Together they are the whole; nothing has none."""
    assert [] == halves(0)
    assert [slice(0, 1)] == halves(1)
    assert [slice(0, 3), slice(3, 7)] == halves(7)


@pytest.mark.usefixtures("two_threads")
def test_threads_change_nothing_in_full() -> None:
    """Ranked and taught in one thread or in two, preset full comes to the same scores and the same state, to the last bit."""
    (first_BI, first), (second_BI, second) = (_taught(threads) for threads in (1, 2))
    assert first == second
    np.testing.assert_array_equal(first_BI, second_BI)


@pytest.mark.usefixtures("two_threads")
def test_two_that_learn_at_once_do_not_disturb_each_other() -> None:
    """As a worker that restores one while it warms up with another: each comes to what it comes to alone."""
    _, alone_ = _taught(2)
    with ThreadPoolExecutor(2) as pool:
        for _, hashed in pool.map(_taught, [2] * 6):
            assert alone_ == hashed


def _taught(threads: int) -> tuple[NDArray[np.float32], str]:
    """The last scores and the state of a recommender that has ranked and learned for a while."""
    torch.set_num_threads(threads)
    one, draw = Recommender(FULL, USERS, ITEMS, seed=1), np.random.default_rng(0)
    past: dict[str, tuple[str, ...]] = dict.fromkeys(USERS, ("item0",))
    scores_BI = np.zeros((0, 0), np.float32)
    for lesson in range(20):
        at = (START + lesson * HOUR,) * len(USERS)
        entries = [(name, step(draw, 400.0, FULL), Memory.empty(FULL)) for name in USERS]
        wave = Wave.of(entries, at, [past[name] for name in USERS])
        ranked, items = one.rank(wave), tuple(ITEMS[row] for row in draw.integers(len(ITEMS), size=len(USERS)))
        one.learn(Lesson.of(wave, ranked, range(len(USERS)), items, at))
        past |= {name: (*past[name], item) for name, item in zip(USERS, items, strict=True)}
        scores_BI = ranked.scores_BI
    return scores_BI, one.state_hash()

"""The ends of lists."""

from dataclasses import replace

import numpy as np
import pytest

from model import ModelConfig, Recommender, rank_of, top_k
from model.blend.neighbours import DECAYS, Neighbours
from model.blend.variety import giving_way, varied
from model.compared import Compared
from model.contract import Event, Training
from model.step import Step
from tests.model.blend.test_blend import FULL, START
from tests.model.small import USERS

ITEMS = tuple(f"v{row}" for row in range(30))


def test_ranks_and_lists_agree() -> None:
    """The head stays, what leaves comes right after the tenth beyond the list, and nobody else's rank or score is another."""
    draw = np.random.default_rng(0)
    for _ in range(100):
        scores_I = draw.permutation(60).astype(np.float32)
        excluded = [int(row) for row in draw.integers(0, 60, 5)]
        before = top_k(scores_I, 60, excluded)
        places = sorted(draw.choice(np.arange(16, 22), 2, replace=False).tolist())
        found_I = varied(scores_I, excluded, 20, lambda _best, places=places: places)  # type: ignore[misc]
        stay, gone = [before[place] for place in range(22) if place not in places], [before[place] for place in places]
        assert stay == top_k(found_I, 20, excluded)
        assert np.isneginf(found_I[excluded]).all()
        assert scores_I[stay].tolist() == found_I[stay].tolist()
        assert {rank_of(found_I, row, excluded) for row in gone} <= {21, 22}
        assert before[22:] == top_k(found_I, 60, excluded)[22:]


def test_without_enough_items_nothing_changes() -> None:
    """Of a catalogue that the list holds whole, what is excluded and what has no finite score left out, nothing leaves."""
    scores_I = np.arange(30, 0, -1, dtype=np.float32)
    scores_I[22:] = -np.inf
    one = _taught(FULL)
    assert scores_I is one.varied(scores_I, [1, 3], 20)
    assert scores_I is not one.varied(scores_I, [1], 20)


def test_of_equals_the_last_leave() -> None:
    """Where nothing is known of any item, the list is what it is without."""
    assert [8, 9] == giving_way(np.zeros(6), 4, 2)
    assert [5, 9] == giving_way(np.array([0.0, 2.0, 0.0, 0.0, 0.0, 0.5]), 4, 2)


def test_alike_is_the_sum_of_cosines() -> None:
    """Likeness to others is the sum of co-occurrence over the root of both counts; who is no neighbour adds nothing."""
    found, pasts, draw = Neighbours(9), {0: [], 1: [], 2: []}, np.random.default_rng(3)  # type: ignore[var-annotated]
    for _ in range(40):
        past, item = pasts[int(draw.integers(3))], int(draw.integers(7))
        if item not in past:
            found.learn(past, item)
            past.append(item)
    near = np.zeros((9, 9))
    for past in pasts.values():
        for late, item in enumerate(past):
            for apart, other in enumerate(past[:late][::-1]):
                near[item, other] += DECAYS[0] ** apart
                near[other, item] += DECAYS[0] ** apart
    counts = np.array([max(1, sum(row in past for past in pasts.values())) for row in range(9)])
    expected = [sum(near[row, other] / np.sqrt(counts[row] * counts[other]) for other in (0, 2, 8)) for row in (1, 3, 8)]
    np.testing.assert_allclose(expected, found.alike([1, 3, 8], [0, 2, 8]), rtol=1e-5)


def _taught(config: ModelConfig) -> Recommender:
    """What two crowds took, the even items and the odd ones."""
    one = Recommender(config, USERS, ITEMS, seed=1)
    for n in range(0, 30, 2):
        one.count_only([ITEMS[n], ITEMS[n + 1]], [START + n] * 2, USERS[:2], [ITEMS[0:n:2], ITEMS[1:n:2]])
        one.settle()
    return one


def test_the_most_alike_leave() -> None:
    """After a head of even items, of what is in question the even ones leave; in preset paper, and without the part, nothing does."""
    scores_I = np.zeros(30, np.float32)
    order = [*range(0, 18, 2), *range(1, 15, 2), 18, 20, *range(15, 19, 2), 22, 24]
    scores_I[order] = np.arange(30, 30 - len(order), -1)
    assert [*order[:16], 15, 17, 22, 24] == top_k(_taught(FULL).varied(scores_I, (), 20), 20, ())
    assert scores_I is _taught(replace(FULL, without=("variety",))).varied(scores_I, (), 20)
    assert scores_I is Recommender(ModelConfig(networks=("twitter",), topics=2)).varied(scores_I, (), 20)


@pytest.mark.parametrize("preset", ["full", "paper"])
def test_a_comparison_varies_as_the_recommender_does(preset: str) -> None:
    """By rows of the catalogue it gives what the recommender gives by its own rows."""
    logits = {"logits": "identity"} if preset == "full" else {}
    one, draw = Compared({"preset": preset, "hidden": 3, "factors": 2, **logits}, epochs=1), np.random.default_rng(5)
    events = [Event(n % 3, START + n, None, Step(np.zeros(0, np.float32), 0.5), int(draw.integers(30))) for n in range(60)]
    one.fit(Training(3, 30, (), 0, 60.0, events[:50], events[50:]))
    for event in events:
        one.advance([event])
        one.learn([event], updates=False)
    one.rank(events[-1:])
    for _ in range(20):
        scores_I = draw.normal(size=30).astype(np.float32)
        names = one.fitted.items.names()
        own_I = scores_I[[int(name) for name in names]]
        listed = [int(names[row]) for row in top_k(one.fitted.varied(own_I, (), 20), 20, ())]
        assert listed == top_k(one.varied(scores_I, 20), 20, ())

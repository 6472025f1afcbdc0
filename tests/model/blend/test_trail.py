"""The heads on the items a user took, and what they see of them."""

import numpy as np
import torch

from model.blend.event import LAST
from model.blend.trail import DECAYS, SIGNS, Trail, last_of


def test_a_past_is_two_decayed_sums_of_signs() -> None:
    """Of length 3 together, the newest counts most, an item is the same signs every time; no past is zero."""
    one, other = last_of([[3]])[0, :SIGNS], last_of([[2000]])[0, :SIGNS]
    assert 1 == len({*np.abs(one).round(5).tolist(), *np.abs(other).round(5).tolist()})
    both, none = last_of([[3, 2000], []]).reshape(2, len(DECAYS), SIGNS)
    assert np.isclose(3, np.linalg.norm(both), rtol=1e-5)
    for row, decay in enumerate(DECAYS):
        sums = other + decay * one
        np.testing.assert_allclose(sums / np.linalg.norm(sums), both[row] / np.linalg.norm(both[row]), rtol=1e-4, atol=1e-6)
    assert not none.any()


def test_only_the_last_items_count_there() -> None:
    """What was taken before the last fifty says nothing to the first head, nor does an item twice."""
    last = list(range(LAST))
    np.testing.assert_array_equal(last_of([last]), last_of([[900, 901, *last]]))
    np.testing.assert_array_equal(last_of([[1, 2]]), last_of([[2, 1, 2]]))


def test_the_heads_learn_what_follows_which_items() -> None:
    """Two pasts that share an item, each followed by an item of its own, are told apart; so is one with a stranger in it."""
    trail, pasts = Trail(6), [[0, 1], [0, 2]]
    for _ in range(10):
        for head, seen_BV in zip(trail.heads, trail.seen(pasts, [0, 1]), strict=True):
            head.learn(seen_BV, [4, 5])
    last_BV, _ = trail.seen([*pasts, [2, 700]], [0, 1, 2])
    assert [4, 5, 5] == trail.heads[0].logits(last_BV).argmax(dim=1).tolist()


def test_the_second_head_sees_all_that_a_user_took() -> None:
    """A decayed sum of signs, of length 3, that goes on where the last fifty end; whoever is forgotten or has no row is zero."""
    trail = Trail(6)
    for item in (1, 2):
        trail.count(1, item)
    _, all_BD = trail.seen([[]] * 3, [1, -1, 0])
    one, other = (last_of([[item]])[0, :SIGNS] for item in (1, 2))
    sums = 0.995 * one + other
    np.testing.assert_allclose(3 * sums / np.linalg.norm(sums), all_BD[0], rtol=1e-4, atol=1e-6)
    trail.forget_user(1)
    assert not all_BD[1:].any()
    assert not torch.stack(trail.seen([[]], [1])[1:]).any()

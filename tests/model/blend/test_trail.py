"""The head on the items a user took last, and what it sees of them."""

import math

import numpy as np
import torch

from model.blend.neighbours import LAST
from model.blend.trail import DECAYS, SIGNS, trail_head, trails_of


def test_a_past_is_two_decayed_sums_of_signs() -> None:
    """Each of length 3 / root 2, the newest counts most, an item is the same signs every time; no past is zero."""
    one, other = (trails_of([[row]])[0] * (math.sqrt(SIGNS * len(DECAYS)) / 3) for row in (3, 2000))
    assert {-1.0, 1.0} == {*np.round(one, 5).tolist()} == {*np.round(other, 5).tolist()}
    both, none = trails_of([[3, 2000], []]).reshape(2, len(DECAYS), SIGNS)
    for row, decay in enumerate(DECAYS):
        sums = other[:SIGNS] + decay * one[:SIGNS]
        np.testing.assert_allclose(3 / math.sqrt(2) * sums / np.linalg.norm(sums), both[row], rtol=1e-5)
    assert not none.any()


def test_only_the_last_items_count() -> None:
    """What was taken before the last fifty says nothing, nor does an item twice."""
    last = list(range(LAST))
    np.testing.assert_array_equal(trails_of([last]), trails_of([[900, 901, *last]]))
    np.testing.assert_array_equal(trails_of([[1, 2]]), trails_of([[2, 1, 2]]))


def test_the_head_learns_what_follows_which_items() -> None:
    """Two pasts that share an item, each followed by an item of its own, are told apart; so is one with a stranger in it."""
    head = trail_head(6)
    pasts = [[0, 1], [0, 2]]
    for _ in range(10):
        head.learn(torch.from_numpy(trails_of(pasts)), [4, 5])
    assert [4, 5, 5] == head.logits(torch.from_numpy(trails_of([*pasts, [2, 700]]))).argmax(dim=1).tolist()

"""What peers took, against counts over everybody's whole history."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.blend.event import Asked, Seen
from model.blend.peers import FEATURES, HALF_LIFE_DAYS, ITEMS_KEPT, PEERS, TAKERS_KEPT, Peers
from model.blend.trend import DAY_MS


def test_features_equal_the_plain_sums() -> None:
    """While rings are not full, both features are sums over all other users of shared items^2 / the peer's count."""
    random, users, items = np.random.default_rng(1), 8, 12
    found, taken = Peers(items), {user: dict[int, int]() for user in range(users)}
    for number in range(60):
        user, item, at = int(random.integers(users)), int(random.integers(items)), number * DAY_MS
        found.learn(user, item, at)
        taken[user][item] = at
    now = 70 * DAY_MS
    for user, own in taken.items():
        expected = np.zeros((2, items))
        for other, theirs in taken.items():
            like = len(own.keys() & theirs.keys()) ** 2 / len(theirs) if other != user and theirs else 0.0
            for item, at in theirs.items():
                expected[:, item] += like, like * 0.5 ** ((now - at) / DAY_MS / HALF_LIFE_DAYS)
        np.testing.assert_allclose(expected, _features(found, user, list(own), now, items), rtol=1e-6, atol=1e-6)


def test_nobody_is_his_own_peer() -> None:
    """Alone with his items, a user hears nothing; one without a row hears of all who share."""
    found = Peers(3)
    found.learn(0, 1, 0)
    found.learn(0, 2, 0)
    assert [0.0, 0.0, 0.0] == _features(found, 0, [1], 0, 3)[0].tolist()
    assert pytest.approx([0.0, 1 / 2, 1 / 2]) == _features(found, -1, [1], 0, 3)[0].tolist()


def test_what_is_kept_is_bounded() -> None:
    """Of more items and takers than are kept the oldest go, and only so many peers are heard."""
    found = Peers(ITEMS_KEPT + 5)
    for item in range(ITEMS_KEPT + 5):
        found.learn(0, item, item)
    assert set(range(5, ITEMS_KEPT + 5)) == set(found.item_UN[0].tolist())
    for user in range(1, TAKERS_KEPT + 10):
        found.learn(user, 7, 0)
    assert 0 not in found.user_IT[7]
    heard = _features(found, -1, [7], 0, ITEMS_KEPT + 5)[0, 7]
    assert PEERS == round(heard)


def test_forgotten_rows_are_nobodys() -> None:
    """A row of an item or a user that becomes another's takes nothing along."""
    found = Peers(3)
    for user, item in ((0, 0), (1, 0), (1, 1), (2, 0), (2, 2)):
        found.learn(user, item, 0)
    found.forget_user(1)
    assert 0 == _features(found, 0, [0], 0, 3)[0, 1]
    found.forget(2)
    assert 0 == _features(found, 0, [0], 0, 3)[0, 2]
    assert 0 < _features(found, 0, [0], 0, 3)[0, 0]


def _features(found: Peers, user: int, past: list[int], at: int, items: int) -> NDArray[np.float32]:
    out_FBI = np.full((FEATURES, 1, items), np.nan, np.float32)
    found.features(Asked.of([Seen(at, tuple(past), 0, user)]), slice(0, 1), out_FBI)
    return out_FBI[:, 0]

"""Ranking, growth and weights from outside."""

import numpy as np
import pytest

from model import Lesson, Memory, ModelError, Recommender, Step, Wave
from tests.model.small import ITEMS, SMALL, Stream, awkward, recommender, small


def _walk(one: Recommender, user: str, steps: list[Step]) -> list[Wave]:
    memory, waves = Memory.empty(one.config), []
    for step in steps:
        wave = Wave.of([(user, step, memory)])
        waves.append(wave)
        memory = one.rank(wave).advanced(0, step, memory)
    return waves


def test_rank_is_the_traced_sequence_up_to_stored_precision() -> None:
    """Step by step through rounded memories the scores are those of the exact sequence, to float16's precision."""
    one = recommender()
    steps = awkward()
    for wave, traced in zip(_walk(one, "bob", steps), one.trace("bob", steps), strict=True):
        ranked = one.rank(wave)
        np.testing.assert_allclose(traced.logits_I, ranked.scores_BI[0], atol=0.01)
        np.testing.assert_allclose(traced.attention_n, ranked.attention[0], atol=1e-6)


def test_a_wave_is_its_users_one_by_one() -> None:
    """Who else is in the wave changes nothing, whatever the lengths of the pasts."""
    one = recommender()
    waves = [_walk(one, user, awkward()[:length])[-1] for user, length in (("ann", 1), ("bob", 7), ("cid", 3))]
    together = one.rank(Wave.of([(w.users[0], Step(w.x_BM[0], float(w.g_B[0])), w.memories[0]) for w in waves]))
    for row, wave in enumerate(waves):
        alone = one.rank(wave)
        np.testing.assert_allclose(alone.scores_BI[0], together.scores_BI[row], rtol=1e-6)
        np.testing.assert_allclose(alone.h_A_BH[0], together.h_A_BH[row], rtol=1e-6)
        assert len(alone.attention[0]) == len(together.attention[row])


def test_rank_changes_nothing() -> None:
    """Neither weights nor ids nor the memories that went in, also with unknown users."""
    one = recommender()
    wave = _walk(one, "nobody", awkward())[-1]
    before, h_H = one.state_hash(), wave.memories[0].h_H.copy()
    first, second = one.rank(wave), one.rank(wave)
    assert before == one.state_hash()
    np.testing.assert_array_equal(h_H, wave.memories[0].h_H)
    np.testing.assert_array_equal(first.scores_BI, second.scores_BI)


def test_advance_only_moves_as_rank_does() -> None:
    """The cell without the catalogue gives the same memory."""
    one = recommender()
    wave = _walk(one, "ann", awkward())[-1]
    ranked, advanced = one.rank(wave), one.advance_only(wave)
    for name in ("h_BH", "C_BH", "h_A_BH"):
        np.testing.assert_array_equal(getattr(ranked, name), getattr(advanced, name))


def test_h_has_float16_values() -> None:
    """What is cached is what would be stored."""
    ranked = recommender().rank(_walk(recommender(), "ann", awkward())[-1])
    np.testing.assert_array_equal(ranked.h_BH.astype(np.float16).astype(np.float32), ranked.h_BH)


def test_unknown_user_gets_the_mean_of_the_known() -> None:
    """His scores are those of a user with the mean vector; his row, once he has one, starts there."""
    one = recommender()
    weights = one.weights()
    mean_k = weights["E_user"].mean(axis=0)
    (unknown,) = one.trace("nobody", awkward()[:1])
    np.testing.assert_allclose(mean_k, unknown.v_k, rtol=1e-12)
    one.count_only(("v1",), (0,), ("nobody",))
    np.testing.assert_allclose(mean_k, one.weights()["E_user"][3], rtol=1e-12)


def test_new_item_starts_at_a_low_bias() -> None:
    """Its weights are zero and its bias is the tenth percentile of the others, so it does not outrank them."""
    one = recommender()
    one.set_weights({"b_r": np.arange(7.0)})
    one.count_only(("new",), (0,), ("ann",))
    weights = one.weights()
    np.testing.assert_array_equal(np.zeros(SMALL.hidden), weights["W_r"][7])
    assert 0.0 == weights["b_r"][7]


def test_growth_keeps_what_is_there() -> None:
    """Hundreds of new users and items come, in lessons, and the old rows are found where they were."""
    one = recommender(small(dtype="float32", online_rate=0.0))
    before, stream = one.weights(), Stream(one)
    for wave in range(40):
        users = tuple(f"user-{wave}-{row}" for row in range(5))
        one.learn(stream.lesson(users, tuple(f"item-{wave}-{row}" for row in range(5))))
    after = one.weights()
    assert (203, 207) == (len(one.users), len(one.items)) == (len(after["E_user"]), len(after["W_r"]))
    np.testing.assert_array_equal(before["W_r"], after["W_r"][:7])
    np.testing.assert_array_equal(before["E_user"], after["E_user"][:3])
    assert (1, 207) == one.rank(_walk(one, "ann", awkward())[-1]).scores_BI.shape == (1, len(one.popularity.scores(0)))


def test_at_the_cap_the_stalest_gives_its_row() -> None:
    """The newcomer starts afresh: no weights, moments or counts of the one before."""
    one = recommender(small(items_cap=7, users_cap=3, dtype="float32"))
    stream = Stream(one)
    one.learn(stream.lesson(("ann", "bob", "cid"), ("v0", "v1", "v2")))
    one.learn(stream.lesson(("bob", "ann"), ("v0", "v3")))
    one.count_only(("w1", "w2", "w3", "w4"), (0, 0, 0, 0), ("dan",) * 4)
    assert (None, None, 1) == (one.users.get("cid"), one.items.get("v4"), one.items.get("w4"))
    assert (2, 7, 3) == (one.users.get("dan"), len(one.items), len(one.users))
    assert 0.0 == float(one.moments.second["W_r"][1].abs().sum() + one.moments.second["E_user"][2].abs().sum())
    # The mean that new users start from follows the rows.
    (unknown,) = one.trace("nobody", awkward()[:1])
    np.testing.assert_allclose(one.weights()["E_user"].mean(axis=0), unknown.v_k, atol=1e-6)


def test_mean_user_follows_learning() -> None:
    """After lessons the fallback is still the mean of all rows."""
    one = recommender()
    stream = Stream(one)
    for _ in range(5):
        one.learn(stream.lesson(("ann", "new", "bob")))
    (unknown,) = one.trace("nobody", awkward()[:1])
    np.testing.assert_allclose(one.weights()["E_user"].mean(axis=0), unknown.v_k, rtol=1e-10)


def test_count_only_feeds_statistics_and_leaves_weights() -> None:
    """Known names: ids and popularity move, no weight does."""
    one = recommender()
    before = one.weights()
    one.count_only(("v3", "v3"), (0, 0), ("ann", "bob"))
    for name, array in one.weights().items():
        np.testing.assert_array_equal(before[name], array)
    assert [0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0] == one.popularity.scores(0).tolist()


def test_learn_counts_popularity() -> None:
    """Popularity is a fold of the lessons."""
    one = recommender()
    one.learn(Stream(one).lesson(("ann", "bob"), ("v2", "v2")))
    assert 2.0 == one.popularity.scores(60_000)[2]


def test_set_weights_refuses_what_it_does_not_know() -> None:
    """An unknown name or a wrong shape is named, and nothing is changed."""
    one = recommender()
    before = one.state_hash()
    with pytest.raises(ModelError, match="no weight is called W_q"):
        one.set_weights({"b_r": np.ones(7), "W_q": np.ones(3)})
    with pytest.raises(ModelError, match=r"Y has shape \(8, 5\), not \(3,\)"):
        one.set_weights({"b_r": np.ones(7), "Y": np.ones(3)})
    assert before == one.state_hash()


def test_weights_are_what_was_set() -> None:
    """Every documented name can be set and read, and the copies read are nobody else's."""
    one = recommender()
    wanted = {name: np.full(array.shape, 0.25) for name, array in one.weights().items()}
    one.set_weights(wanted)
    read = one.weights()
    assert 22 == len(read)
    read["Y"][:] = 9
    for name, array in one.weights().items():
        np.testing.assert_array_equal(wanted[name], array)


def test_steps_of_another_model_are_refused() -> None:
    """A wave or a lesson of another width is a ModelError, before anything is placed."""
    one, other = recommender(), recommender(small(topics=9))
    with pytest.raises(ModelError, match="length 18"):
        one.rank(_walk(other, "ann", awkward(other.config))[-1])
    before = one.state_hash()
    with pytest.raises(ModelError, match="another model"):
        one.learn(Stream(other).lesson(("new",)))
    assert before == one.state_hash()


def test_a_wave_has_distinct_users() -> None:
    """The same user twice, or nobody at all, is a ModelError."""
    entry = ("ann", awkward()[0], Memory.empty(SMALL))
    with pytest.raises(ModelError, match="next wave"):
        Wave.of([entry, entry])
    with pytest.raises(ModelError, match="no steps"):
        Wave.of([])


def test_scores_align_with_items() -> None:
    """Column i of the scores is the item in row i."""
    one = recommender()
    one.set_weights({"W_r": np.zeros((7, 6)), "b_r": np.arange(7.0)})
    ranked = one.rank(_walk(one, "ann", awkward())[-1])
    assert list(ITEMS) == [one.items.name(row) for row in np.argsort(ranked.scores_BI[0])]


def test_learning_from_nothing() -> None:
    """A model without users and items learns its first lesson."""
    one = Recommender(small(dtype="float32"))
    stream = Stream(one)
    losses = [one.learn(stream.lesson(("ann", "bob"), ("x", "y"))) for _ in range(3)]
    assert bool(np.isfinite(losses).all())
    assert isinstance(Lesson.from_bytes(stream.lesson(("ann",)).to_bytes()), Lesson)

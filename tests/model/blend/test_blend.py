"""Preset `full` as a recommender: ranked, taught, saved."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray

from model import Known, Lesson, Memory, ModelConfig, ModelError, Ranked, Recommender, Step, Wave
from model.blend import features
from model.blend.features import Statistics
from model.blend.parts import OWN
from model.blend.texts import Texts
from tests.model.small import ITEMS, USERS, recommender, small, step

FULL = small(preset="full", logits="identity", dtype="float32")
START = 1_700_000_000_000
HOUR = 3_600_000


class Live:
    """Waves of random users and items, with what each user took, as the line makes them."""

    def __init__(self, one: Recommender, seed: int = 3) -> None:
        self.recommender, self.draw, self.at = one, np.random.default_rng(seed), START
        self.memories: dict[str, Memory] = {}
        self.past: dict[str, list[str]] = {}

    def wave(self, users: tuple[str, ...]) -> Wave:
        """A ranking's input."""
        config = self.recommender.config
        entries = [(name, step(self.draw, 400.0, config), self.memories.get(name, Memory.empty(config))) for name in users]
        return Wave.of(entries, [self.at] * len(users), [self.past.get(name, ()) for name in users])

    def lesson(self, users: tuple[str, ...], items: tuple[str, ...], *, ends_tie: bool = True) -> Lesson:
        """Rank a wave and move its users on; the lesson is not learned."""
        wave = self.wave(users)
        ranked = self.recommender.rank(wave)
        for name, item in zip(users, items, strict=True):
            self.past.setdefault(name, []).append(item)
        lesson = Lesson.of(wave, ranked, range(len(users)), items, tuple([self.at] * len(users)), ends_tie=ends_tie)
        self.at += HOUR if ends_tie else 0
        return lesson

    def run(self, count: int) -> list[Lesson]:
        """Learn so many random lessons, every third of a longer tie; new items come."""
        lessons = []
        for number in range(count):
            users = tuple(str(one) for one in self.draw.choice([*USERS, "dan"], 2, replace=False))
            items = tuple(f"v{self.draw.integers(len(ITEMS) + 3)}" for _ in users)
            lessons.append(self.lesson(users, items, ends_tie=number % 3 != 1))
            self.recommender.learn(lessons[-1])
        return lessons


def terms_of(ranked: Ranked) -> dict[str, NDArray[np.float32]]:
    """The terms of all scores of a ranking, by name, (B, I) each."""
    assert ranked.terms is not None
    row_n, item_n = (one.ravel() for one in np.indices(ranked.scores_BI.shape))
    return {name: term_n.reshape(ranked.scores_BI.shape) for name, term_n in ranked.terms.of(row_n, item_n).items()}


def full(config: ModelConfig = FULL) -> Recommender:
    """A small untrained one."""
    return Recommender(config, USERS, ITEMS, seed=1)


def test_terms_sum_to_the_scores() -> None:
    """net, trend and neighbours are the whole score of every item, before and after learning."""
    live = Live(full())
    for _ in range(2):
        ranked = live.recommender.rank(live.wave(("ann", "nobody")))
        terms = terms_of(ranked)
        assert {"net", "trend", "neighbours", "texts", "posts"} == terms.keys()
        np.testing.assert_allclose(sum(terms.values()), ranked.scores_BI, rtol=1e-5, atol=1e-5)
        live.run(20)


def test_lessons_alone_give_the_same_state() -> None:
    """Replaying lessons, as bytes, reaches the state of the live run to the last bit."""
    live = Live(full())
    lessons = live.run(40)
    other = full()
    for one in lessons:
        other.learn(Lesson.from_bytes(one.to_bytes()))
    assert live.recommender.state_hash() == other.state_hash()


def test_a_checkpoint_goes_on_alike(tmp_path: Path) -> None:
    """Saved and loaded in between, the same lessons lead to the same state."""
    live = Live(full())
    first = live.run(40)
    live.recommender.save(tmp_path / "saved", {})
    loaded, _ = Recommender.load(tmp_path / "saved")
    assert live.recommender.state_hash() == loaded.state_hash()
    for one in live.run(40):
        loaded.learn(one)
    assert live.recommender.state_hash() == loaded.state_hash()
    assert 40 == len(first)


def test_the_net_is_frozen() -> None:
    """What learns is what stands on the network; its own weights stay, but for rows that come in."""
    live = Live(full())
    before = live.recommender.weights()
    live.run(20)
    for name, value in live.recommender.weights().items():
        rows = len(before[name]) if name in ("E_user", "E_item", "W_r", "b_r") else len(value)
        assert before[name].tolist() == value[:rows].tolist()


def test_statistics_wait_for_the_end_of_a_tie() -> None:
    """Within a tie trend and neighbours stay as they were; its last lesson takes all of it in."""
    live = Live(full())
    live.run(3)
    blend = live.recommender.blend
    assert blend is not None
    before = blend.statistics.trend.counts_SI.sum()
    live.recommender.learn(live.lesson(("ann",), ("v1",), ends_tie=False))
    assert before == blend.statistics.trend.counts_SI.sum()
    live.recommender.learn(live.lesson(("bob",), ("v1",)))
    assert before < blend.statistics.trend.counts_SI.sum()


@pytest.mark.parametrize(("blocks", "made_again"), [(5, 0), (3, 3), (1, 5)])
def test_what_was_ranked_is_learned_from_the_same_features(monkeypatch: pytest.MonkeyPatch, blocks: int, made_again: int) -> None:
    """Features of a tie's waves are kept as far as there is room, the oldest first, and others made again; it learns the same."""
    waves, numbers = 5, OWN * 2 * len(ITEMS)
    unbounded, live = Live(full()), Live(full())
    for one in (unbounded, live):
        if one is live:
            monkeypatch.setattr(features, "_REMEMBERED", blocks * numbers)
        lessons = [one.lesson(USERS[:2], ITEMS[:2], ends_tie=number == waves - 1) for number in range(waves)]
        made = Mock(wraps=Statistics._products)
        with monkeypatch.context() as patched:
            patched.setattr(Statistics, "_products", lambda *given, made=made: made(*given))
            for lesson in lessons:
                one.recommender.learn(lesson)
    assert made_again == made.call_count
    assert unbounded.recommender.state_hash() == live.recommender.state_hash()


def test_what_is_taken_rises() -> None:
    """An item that everybody takes comes to stand before one that nobody does."""
    live = Live(full())
    for _ in range(40):
        live.recommender.learn(live.lesson(("ann",), ("v2",)))
        live.recommender.learn(live.lesson(("bob",), ("v2",)))
    scores_I = live.recommender.rank(live.wave(("cid",))).scores_BI[0]
    items = live.recommender.items
    assert scores_I[items.get("v2")] == scores_I.max()
    assert scores_I[items.get("v2")] > scores_I[items.get("v5")]


def test_a_bad_part_is_dropped_and_comes_back() -> None:
    """A head that holds no numbers says nothing, and nobody's score is lost; well again, it speaks again."""
    live = Live(full())
    live.run(10)
    blend = live.recommender.blend
    assert blend is not None
    good_I = blend.statistics.heads[1].b_I.clone()
    well = live.recommender.rank(live.wave(("ann",)))
    blend.statistics.heads[1].b_I[:] = float("nan")
    state = live.draw.bit_generator.state
    ill = live.recommender.rank(live.wave(("ann",)))
    net_BI = terms_of(ill)["net"]
    assert np.isfinite(ill.scores_BI).all()
    live.recommender.learn(live.lesson(("ann",), ("v1",)))
    assert np.isfinite(blend.weights.weight_CW).all()
    blend.statistics.heads[1].b_I = good_I
    live.draw.bit_generator.state = state
    assert np.abs(terms_of(live.recommender.rank(live.wave(("ann",))))["net"] - net_BI).max() > 0
    assert well.scores_BI.shape == ill.scores_BI.shape


def test_at_the_cap_a_row_starts_anew() -> None:
    """An item that gets another's row has neither its statistics nor its links."""
    live = Live(full(replace(FULL, items_cap=len(ITEMS))))
    live.run(12)
    for number in range(20):
        live.recommender.learn(live.lesson(("ann",), (f"new{number}",)))
    blend = live.recommender.blend
    assert blend is not None
    assert len(ITEMS) == len(live.recommender.items) == len(blend.statistics.trend.first_I) == len(blend.statistics.neighbours.count_I)
    assert 1.0 == blend.statistics.neighbours.count_I.max()


def test_time_and_past_are_needed() -> None:
    """A wave without them is refused by name in preset full; so are logits other than identity."""
    live = Live(full())
    bare = Wave.of([("ann", step(live.draw, 1.0, FULL), Memory.empty(FULL))])
    with pytest.raises(ModelError, match="preset full needs one of each"):
        live.recommender.rank(bare)
    with pytest.raises(ModelError, match="its heads need identity"):
        small(preset="full", logits="tanh")


def test_weights_see_no_more_than_the_ranking(tmp_path: Path) -> None:
    """Taught in one lesson or in several of the same time, the heads that the weights learn from are those of its beginning."""
    live = Live(full())
    live.run(6)
    live.recommender.save(tmp_path / "saved", {})
    other, _ = Recommender.load(tmp_path / "saved")
    users, items = ("ann", "bob", "cid"), ("v1", "v1", "v2")
    wave = live.wave(users)
    ranked = live.recommender.rank(wave)
    whole = Lesson.of(wave, ranked, range(3), items, (live.at,) * 3)
    parts = [Lesson.of(wave, ranked, [row], (items[row],), (live.at,), ends_tie=row == 2) for row in range(3)]
    live.recommender.learn(whole)
    for one in parts:
        other.learn(one)
    first, second = live.recommender.blend, other.blend
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first.weights.weight_CW, second.weights.weight_CW, atol=1e-6)
    np.testing.assert_allclose(first.statistics.heads[1].b_I, second.statistics.heads[1].b_I, atol=1e-5)


def test_the_item_before_moves_the_ranking() -> None:
    """A wave's last past item is what the network reads as the item before: the h it gives is that of the traced sequence."""
    live = Live(full())
    wave = live.wave(("ann",))
    looking = Wave(wave.users, wave.x_BM, wave.g_B, wave.memories, wave.at, (("v1", "v2"),))
    (traced,) = live.recommender.trace("ann", [Step(wave.x_BM[0], float(wave.g_B[0]))], ["v2"])
    np.testing.assert_allclose(traced.h_H, live.recommender.rank(looking).h_BH[0], atol=1e-3)  # rounded to float16
    assert live.recommender.rank(wave).h_BH.tolist() != live.recommender.rank(looking).h_BH.tolist()


def test_items_may_be_known_before_anybody_takes_them() -> None:
    """An item made known has a row and a finite score; those known before keep their rows; replay gives the same."""
    live = Live(full())
    lessons = [one.to_bytes() for one in live.run(5)]
    before = live.recommender.items.names()
    lessons.append(Known.of({"v1": ["act"], "unseen": ["act", "water"]}).to_bytes())
    live.recommender.replay(lessons[-1])
    assert [*before, "unseen"] == live.recommender.items.names()
    assert np.isfinite(live.recommender.rank(live.wave(("ann", "dan"))).scores_BI).all()
    lessons += [one.to_bytes() for one in live.run(5)]
    other = full()
    for one in lessons:
        other.replay(one)
    assert live.recommender.state_hash() == other.state_hash()


def test_the_last_text_counts() -> None:
    """Text may come after the first interaction, change, and be withdrawn; what is kept is the last."""
    one = full()
    texts, row = _texts(one), one.items.get("v1")
    one.count_only(("v1",), (START,), ("ann",), ((),))
    for words in (["act"], ["water", "act"], []):
        one.know(Known.of({"v1": words}))
        np.testing.assert_array_equal(Known.of({"": words}).counts_nW[0], texts.count_IW[row])


def test_more_known_items_than_the_cap() -> None:
    """The stalest give their rows, those of the same lesson too; each row has the text of the item that has it now."""
    one = full(replace(FULL, items_cap=len(ITEMS)))
    words = {f"new{number}": [f"word{number}"] for number in range(3 * len(ITEMS))}
    one.know(Known.of({"v1": ["old"], **words}))
    assert list(words)[-len(ITEMS) :] == [name for name in words if one.items.get(name) is not None]
    for name in one.items.names():
        np.testing.assert_array_equal(Known.of({"": words[name]}).counts_nW[0], _texts(one).count_IW[one.items.get(name)])
    assert np.isfinite(one.rank(Live(one).wave(("ann",))).scores_BI).all()


def test_the_paper_knows_items_by_their_takers_alone() -> None:
    """In preset paper a lesson of known items changes nothing."""
    one = recommender()
    before = one.state_hash()
    one.know(Known.of({"unseen": ["act"]}))
    assert before == one.state_hash()


def _texts(one: Recommender) -> Texts:
    assert one.blend is not None
    return one.blend.statistics.texts

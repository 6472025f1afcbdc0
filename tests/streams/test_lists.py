"""What a list says of itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model import Recommender
from model.blend.parts import PLACES
from model.blend.weights import SHARED
from streams.line import Line, drive
from streams.records import Interaction, Post
from tests.streams.small import CONFIG, DAY, TEXTS, line, posted, took

HOUR = 3_600_000


def _line(preset: str) -> Line:
    one = line()
    if preset == "full":
        config = replace(CONFIG, preset="full", logits="identity")
        one.recommender = Recommender(config, ("ann", "bob"), "abcd", seed=3)
    return one


def _why(preset: str) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """By what triggered the list, the scores of its items and their terms."""
    one = _line(preset)
    posts = [(TEXTS[0], "twitter"), (TEXTS[0], "twitter"), (TEXTS[1], "twitter"), (TEXTS[2], "gplus")]
    later = [posted("ann", text, DAY + n, n, network) for n, (text, network) in enumerate(posts, 1)]
    later.append(posted("ann", "zzz", 2 * DAY, 9))  # says nothing, but makes a list due
    outputs = [*drive(one, [took("ann", "a", DAY)]), *drive(one, later)]
    lists = {made.trigger: made for output in outputs for made in output.lists}
    return {trigger: [(entry["score"], entry["why"]) for entry in made.items] for trigger, made in lists.items()}


@pytest.mark.parametrize("preset", ["paper", "full"])
def test_the_terms_of_a_score_sum_to_it(preset: str) -> None:
    """The numbers of `why` do; of them `moved` names no more than a part."""
    for score, why in (one for entries in _why(preset).values() for one in entries):
        assert pytest.approx(score, abs=1e-5) == sum(term for name, term in why.items() if name != "moved")


def test_lists_and_ranks_follow_what_varies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list that is shown, and the rank of what is taken next, are those of the varied scores, the scores shown are the model's."""
    one, asked = _line("full"), []

    def varied(self: Recommender, scores_I: NDArray[np.float32], excluded: Sequence[int], size: int) -> NDArray[np.float32]:
        asked.append(([self.items.name(row) for row in excluded], size, len(scores_I)))
        return np.array([name == "d" for name in self.items.names()], np.float32)

    monkeypatch.setattr(Recommender, "varied", varied)
    (made,) = [made for output in drive(one, [took("ann", "a", DAY)]) for made in output.lists]
    assert "d" == made.items[0]["item"]
    assert all(isinstance(entry["score"], float) and entry["score"] not in (0, 1) for entry in made.items)
    taken = [taken for output in drive(one, [took("ann", "d", 2 * DAY, 1)]) for taken in output.taken]
    assert [1] == [one.rank_scored for one in taken]
    assert [[], ["a"], ["a"], ["a", "d"]] == [sorted(excluded) for excluded, *_ in asked]
    assert {(one.settings.list_size, len(one.recommender.items))} == {tuple(rest) for _, *rest in asked}


def test_the_term_of_the_posts_is_told_by_network_and_topic() -> None:
    """What people who post alike take moves a list after an interaction too, by earlier windows; its parts sum to the term."""
    one = _line("full")
    records: list[Post | Interaction] = []
    for day in range(1, 9):
        for number, user in enumerate(("ann", "bob", "cid")):
            at = day * DAY + number * HOUR
            records.append(posted(user, TEXTS[number], at, len(records), ("twitter", "gplus")[day % 2]))
            records.append(took(user, "abcd"[number + day // 5], at + HOUR // 2, len(records)))
    list(drive(one, records))
    blend = one.recommender.blend
    assert blend is not None
    blend.weights.weight_CW[SHARED, PLACES["posts"]] = 1.0  # so few events hardly move it
    outputs = drive(one, [took("ann", "d", 30 * DAY, 900)])
    (made,) = [made for output in outputs for made in output.lists]
    whys = [entry["why"] for entry in made.items]
    assert any(abs(why["posts"]) > 0.001 for why in whys), "the head has learned something"
    for why in whys:
        assert pytest.approx(why["posts"], abs=3e-4) == sum(one["by"] for one in why["moved"].values())
        assert all(len(one["topics"]) <= 3 for one in why["moved"].values())


@pytest.mark.parametrize("preset", ["paper", "full"])
def test_a_list_says_what_the_posts_of_the_open_window_moved(preset: str) -> None:
    """By network, and within it by topic, strongest first; right after an interaction there is no post, and nothing is said."""
    why = _why(preset)
    assert not any("moved" in terms for _, terms in why["interaction"])
    for _, terms in why["post"]:
        moved = terms["moved"]
        assert {"twitter": 2, "gplus": 1} == {network: len(one["topics"]) for network, one in moved.items()}
        for one in moved.values():
            assert pytest.approx(one["by"], abs=2e-4) == sum(one["topics"].values())
    assert any(abs(terms["moved"]["twitter"]["by"]) > 0.001 for _, terms in why["post"])


@pytest.mark.parametrize("preset", ["paper", "full"])
def test_who_has_everything_gets_an_empty_list(preset: str) -> None:
    """A list without items needs no reasons."""
    outputs = drive(_line(preset), [took("ann", item, day * DAY, day) for day, item in enumerate("abcd", 1)])
    assert [3, 2, 1, 0] == [len(made.items) for output in outputs for made in output.lists]

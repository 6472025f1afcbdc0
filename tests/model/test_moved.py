"""What posts moved: parts of the net's term."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model import Memory, ModelConfig, Recommender, Step, Wave, make_step
from model.blend.state import read, write
from tests.model.blend.test_blend import Live, terms_of
from tests.model.small import ITEMS, LOOKS_BACK, as_a_few_read, recommender, small, step

_FULL = small(**LOOKS_BACK)


def _taught(config: ModelConfig) -> tuple[Recommender, dict[str, Memory]]:
    one = recommender(config)
    live = Live(one)
    live.run(12)
    if one.blend is not None:  # a ranking of a few rounds the heads' weights: let them be such that this changes nothing
        found = write(one.blend)
        rounded = {name: as_a_few_read(torch.from_numpy(found[name])).numpy() for name in found if name.endswith(".W_IH")}
        read(one.blend, found | rounded)
    draw = np.random.default_rng(2)
    memory = Memory.empty(config)
    for _ in range(3):
        steps = step(draw, 500.0, config)
        memory = one.rank(Wave.of([("ann", steps, memory)], [live.at], [["v1"]])).advanced(0, steps, memory)
    return one, {"ann": memory, "bob": Memory.empty(config)}


def _wave(one: Recommender, memories: dict[str, Memory], sums_NK: NDArray[np.integer]) -> Wave:
    steps = {name: make_step(sums_NK.astype(np.float32), 90_000.0, one.config) for name in memories}
    return Wave.of([(name, steps[name], memories[name]) for name in memories], [1_700_000_000_000] * 2, [("v1",), ()])


def _net(one: Recommender, wave: Wave) -> NDArray[np.float32]:
    ranked = one.rank(wave)
    return terms_of(ranked)["net"] if ranked.terms else ranked.scores_BI


@pytest.mark.parametrize("config", [small(), _FULL], ids=["paper", "full"])
def test_a_network_moved_what_the_net_loses_without_its_posts(config: ModelConfig) -> None:
    """The term of each network is the net's term less what it is without the network's posts, for the items asked for."""
    one, memories = _taught(config)
    sums_NK = np.array([[3, 0, 1, 0], [0, 2, 2, 1]])
    wave = _wave(one, memories, sums_NK)
    moved = one.moved_by_posts(wave, [[4, 0], [2]])
    for place, network in enumerate(config.networks):
        silent_NK = sums_NK.copy()
        silent_NK[place] = 0
        lost_BI = _net(one, wave) - _net(one, _wave(one, memories, silent_NK))
        np.testing.assert_allclose(lost_BI[0, [4, 0]], moved[0][network].by_n, atol=1e-5)
        np.testing.assert_allclose(lost_BI[1, [2]], moved[1][network].by_n, atol=1e-5)
        assert 1e-4 < abs(moved[0][network].by_n).max()


@pytest.mark.parametrize("config", [small(), _FULL], ids=["paper", "full"])
def test_the_topics_of_a_network_sum_to_it(config: ModelConfig) -> None:
    """Strongest first and three at most; where no more were posted on, their parts sum to that of the network."""
    one, memories = _taught(config)
    wave = _wave(one, memories, np.array([[4, 3, 2, 1], [0, 2, 3, 1]]))
    first, second = one.moved_by_posts(wave, [[1, 5], []])[0].values()
    assert ([0, 1, 2], [2, 1, 3]) == (list(first.topics), list(second.topics))
    np.testing.assert_allclose(second.by_n, sum(second.topics.values()), atol=1e-9)
    # Of four the last is not named; it is what would be left of the window at last.
    last = one.moved_by_posts(_wave(one, memories, np.array([[0, 0, 0, 1], [0, 2, 3, 1]])), [[1, 5], []])[0]["a"].topics[3]
    np.testing.assert_allclose(last, first.by_n - sum(first.topics.values()), atol=1e-5)


def test_the_sign_is_that_of_the_weights() -> None:
    """A topic that the net takes for an item moves it up and its rival down; a topic that it does not see moves nothing."""
    config = small(second_order=False, attention=False)
    one = Recommender(config, ["ann"], ITEMS)
    one.set_weights({name: np.zeros_like(array) for name, array in one.weights().items()})
    ways_Mk = np.zeros((config.width, config.factors))
    ways_Mk[2, 0] = 1.0  # topic 2 of network a
    in_Hk = np.zeros((config.hidden, config.factors))
    in_Hk[0, 0] = 1.0
    out_IH = np.zeros((len(ITEMS), config.hidden))
    out_IH[[0, 1], 0] = 1.0, -1.0
    one.set_weights({"Y": ways_Mk, "W_c": in_Hk, "W_r": out_IH})
    posts = make_step(np.array([[0, 0, 3, 0], [0, 1, 0, 0]], np.float32), 1e6, config)
    (by,) = one.moved_by_posts(Wave.of([("ann", posts, Memory.empty(config))]), [[0, 1, 2]])
    assert [1, -1, 0] == np.sign(by["a"].by_n).tolist() == np.sign(by["a"].topics[2]).tolist()
    assert [0.0, 0.0, 0.0] == by["b"].by_n.tolist()


def test_without_posts_nothing_moved() -> None:
    """Users with an empty window have no parts, beside others who have; a silent network has none."""
    one = recommender()
    empty = np.zeros((2, 4), np.float32)
    half = empty.copy()
    half[1, 3] = 2
    entries: list[tuple[str, Step, Memory]] = [
        (name, make_step(sums, 5.0, one.config), Memory.empty(one.config)) for name, sums in (("ann", empty), ("bob", half))
    ]
    assert [[], ["b"]] == [list(by) for by in one.moved_by_posts(Wave.of(entries), [[0], [0]])]
    assert [{}] == one.moved_by_posts(Wave.of(entries[:1]), [[0]])
    without_topics = replace(one.config, topics=0)
    still = make_step(np.zeros((2, 0), np.float32), None, without_topics)
    bare = Recommender(without_topics, (), ITEMS)
    assert [{}] == bare.moved_by_posts(Wave.of([("ann", still, Memory.empty(without_topics))]), [[0]])

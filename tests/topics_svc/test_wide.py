"""The wide start."""

from dataclasses import replace

import numpy as np

from tests.topics_svc.corpora import drawn, tiny
from topics_svc import TopicConfig
from topics_svc.arrays import Longs
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import read
from topics_svc.wide import merged, started

CONFIG = TopicConfig(topics=8, wide_sweeps=10, min_posts=1, stop_languages=())


def test_merges_the_likest() -> None:
    """Topics with the same words become one, in the order of what is left."""
    n_VW = np.array([[9, 0, 8, 0], [1, 0, 1, 0], [0, 5, 0, 0], [0, 0, 0, 7]], np.int32)
    assert [0, 1, 0, 2] == merged(n_VW, 3).tolist()
    assert [0, 1, 2, 3] == merged(n_VW, 4).tolist()


def test_empty_topics_merge() -> None:
    """Topics without any word are merged like others; as many as asked for are left."""
    assert {0, 1} == set(merged(np.zeros((3, 5), np.int32), 2).tolist())


def test_counts_are_whole() -> None:
    """After the start every token and every post with words is counted once, under one of K topics."""
    corpus = tiny(0, posts=40)
    counts = started(corpus, replace(CONFIG, topics=3)).counts
    filled = np.diff(corpus.starts_D) > 0
    assert len(corpus.words_N) == counts.n_VK.sum() + counts.b_V.sum() == counts.totals.sum()
    assert filled.sum() == counts.c_AK.sum()
    assert (3, -1) == (counts.n_VK.shape[1], counts.z_D[~filled].max())
    assert {0, 1, 2} >= set(counts.z_D[filled].tolist())


def test_start_is_reproducible() -> None:
    """Same corpus, same seed: the same chain afterwards; without wide sweeps it is the plain one."""
    corpus = tiny(1, posts=40)
    one, other = started(corpus, CONFIG), started(corpus, CONFIG)
    one.sweep()
    other.sweep()
    assert one.counts.z_D.tolist() == other.counts.z_D.tolist()
    plain, none = Sampler(corpus, CONFIG), started(corpus, replace(CONFIG, wide_sweeps=0))
    plain.sweep()
    none.sweep()
    assert plain.counts.z_D.tolist() == none.counts.z_D.tolist()


def test_themes_get_topics_of_their_own() -> None:
    """With it as many sweeps find more of the true topics, over ten seeds, than without."""
    pairs, truth_D = drawn(2_000, 20, 100, 3)
    found = {wide: sum(_found(pairs, truth_D, wide, seed) for seed in range(10)) for wide in (0, 10)}
    assert found[0] < found[10]


def _found(pairs: list[tuple[str, str]], truth_D: Longs, wide: int, seed: int) -> int:
    """True topics that some topic mostly holds."""
    config = TopicConfig(topics=20, wide_sweeps=wide, seed=seed, min_posts=1, max_share=1.0, stop_languages=())
    _, corpus = read(pairs, config)
    sampler = started(corpus, config)
    for _ in range(20 - wide):
        sampler.sweep()
    cross = np.zeros((20, 20))
    np.add.at(cross, (sampler.counts.z_D, truth_D), 1)
    return len(set(cross.argmax(1)))

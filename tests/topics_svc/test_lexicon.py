"""Vocabulary and corpus."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topics_svc import CorpusError, TopicConfig
from topics_svc.fitting import fit_corpus
from topics_svc.lexicon import read
from topics_svc.tokens import tokens

POSTS = [("a", "red blue blue"), ("b", "red green"), ("a", "blue red rare"), ("c", "green red")]


def test_cuts_and_order() -> None:
    """Words of too few posts go; the rest is ordered by posts, then by code points."""
    lexicon, corpus = read(POSTS, TopicConfig(min_posts=2))
    assert ("red", "blue", "green") == lexicon.words
    assert (4, 2, 2) == lexicon.posts
    assert [0, 1, 1, 0, 2, 1, 0, 2, 0] == corpus.words_N.tolist()
    assert [0, 3, 5, 7, 9] == corpus.starts_D.tolist()
    assert [0, 1, 0, 2] == corpus.authors_D.tolist()
    assert ("a", "b", "c") == corpus.names


def test_cap() -> None:
    """The cap keeps the words of the most posts."""
    assert ("red",) == read(POSTS, TopicConfig(max_words=1))[0].words


def test_learned_stop_list() -> None:
    """A word of a greater share of the posts goes to the learned stop list, in any language."""
    posts = [("a", f"ndi w{n % 5}") for n in range(50)]
    lexicon, _ = read(posts, TopicConfig(max_share=0.5))
    assert ("ndi",) == lexicon.stopped
    assert {"w0", "w1", "w2", "w3", "w4"} == set(lexicon.words)


def test_built_in_stop_lists() -> None:
    """Built-in stop words go by the languages asked for."""
    posts = [("a", "the und maison")] * 3
    assert {"und", "maison"} == set(read(posts, TopicConfig(stop_languages=("en",)))[0].words)
    assert {"maison"} == set(read(posts, TopicConfig(stop_languages=("en", "de")))[0].words)
    assert {"the", "und", "maison"} == set(read(posts, TopicConfig(stop_languages=()))[0].words)


def test_vocabulary_empty() -> None:
    """Cuts that leave nothing are refused with the remedy."""
    with pytest.raises(CorpusError, match="lower min_posts"):
        read(POSTS, TopicConfig(min_posts=9))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz é日", max_size=12)), min_size=1, max_size=12))
def test_corpus_is_what_was_read(posts: list[tuple[str, str]]) -> None:
    """Word numbers of every post are those of its known tokens, in order; `ids` agrees."""
    try:
        lexicon, corpus = read(posts, TopicConfig(min_posts=1, stop_languages=()))
    except CorpusError:
        assert not any(tokens(text) for _, text in posts)
        return
    assert len(posts) == corpus.n_posts
    for d, (author, text) in enumerate(posts):
        own = corpus.words_N[corpus.starts_D[d] : corpus.starts_D[d + 1]]
        assert tokens(text) == [lexicon.words[v] for v in own]
        assert np.array_equal(own, lexicon.ids(text))
        assert author == corpus.names[corpus.authors_D[d]]


def test_unknown_words_are_dropped() -> None:
    """A word that is not in the vocabulary has no number and changes nothing."""
    lexicon, _ = read(POSTS, TopicConfig())
    assert lexicon.ids("red blue").tolist() == lexicon.ids("RED unseen Blue!").tolist()
    assert lexicon.id("unseen") is None
    assert 0 == lexicon.id("red")


def test_memory_of_a_token() -> None:
    """Reading and sampling hold at most 16 bytes a token: so much more do twice the tokens take, the counts being the same."""

    def peak_bytes(posts: int) -> int:
        numbers = np.random.default_rng(0).integers(0, 500, (posts, 20))
        tracemalloc.start()
        try:
            fit_corpus((("a", " ".join(f"w{one}" for one in row)) for row in numbers), TopicConfig(topics=2, sweeps=1, average_last=1))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(100)  # what is compiled or remembered once does not count
    assert 16 >= (peak_bytes(20_000) - peak_bytes(10_000)) / (20 * 10_000)

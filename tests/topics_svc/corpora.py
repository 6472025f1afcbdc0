"""Small corpora for the tests: posts drawn from Twitter-LDA itself, with the truth."""

import numpy as np

from topics_svc.arrays import Ints, Longs
from topics_svc.lexicon import Corpus

WORDS = 40


def drawn(posts: int, topics: int, authors: int, seed: int) -> tuple[list[tuple[str, str]], Longs]:
    """(author, text) pairs whose words are "w<topic>x<number>" or "b<number>", and the topic of each."""
    random = np.random.default_rng(seed)
    theta = random.dirichlet(np.full(topics, 0.3), authors)
    pairs, truth = [], np.zeros(posts, np.int64)
    for post in range(posts):
        author = int(random.integers(authors))
        topic = int(random.choice(topics, p=theta[author]))
        numbers = np.minimum(random.geometric(0.1, int(random.integers(3, 12))), WORDS)
        words = [f"w{topic}x{number}" if random.random() < 0.7 else f"b{number}" for number in numbers]
        pairs.append((f"author{author}\ttwitter", " ".join(words)))
        truth[post] = topic
    return pairs, truth


def tiny(seed: int, posts: int = 6, words: int = 5, authors: int = 2, longest: int = 5) -> Corpus:
    """A corpus of a few posts, one of them empty, with repeated words."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, posts)
    lengths[posts // 2] = 0
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return Corpus(
        random.integers(0, words, int(starts[-1])).astype(np.int32), starts, random.integers(0, authors, posts).astype(np.int32),
        words, tuple(f"a{n}" for n in range(authors)),
    )  # fmt: skip


def as_lists(corpus: Corpus) -> tuple[list[list[int]], Ints]:
    """Words of each post, and authors."""
    starts = corpus.starts_D
    return [corpus.words_N[starts[d] : starts[d + 1]].tolist() for d in range(corpus.n_posts)], corpus.authors_D

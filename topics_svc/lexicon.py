"""The vocabulary: which tokens count, and their numbers 0..V-1.

Words are sorted by posts (most first), ties by code points, so that the numbering depends on the corpus only.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from topics_svc.arrays import Ints, Longs
from topics_svc.config import TopicConfig
from topics_svc.errors import CorpusError, InputError
from topics_svc.stop_words import LANGUAGES
from topics_svc.tokens import Memo, chunks, of_chunk, tokens

_FEW_POSTS = 20  # below this a large share of the posts says nothing about a word
_BYTES_A_TOKEN = 16  # stated bound: word, new word, switch, random numbers


@dataclass(frozen=True, slots=True)
class Lexicon:
    """V words with the posts each was found in, and the stop list that the corpus taught."""

    words: tuple[str, ...]
    posts: tuple[int, ...]
    stopped: tuple[str, ...] = ()
    split_hashtags: bool = False
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _remembered: Memo[tuple[int, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: number for number, word in enumerate(self.words)})
        object.__setattr__(self, "_remembered", Memo(self._of_chunk))

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, text: str) -> Ints:
        """Numbers of the known words of `text` in their order, [m]; unknown words are dropped."""
        return np.fromiter(self.list_ids(text), np.int32)

    def list_ids(self, text: str) -> list[int]:
        """The same as a list."""
        remembered = self._remembered
        numbers: list[int] = []
        for chunk in chunks(text, split_hashtags=self.split_hashtags):
            numbers += remembered[chunk]
        return numbers

    def _of_chunk(self, chunk: str) -> tuple[int, ...]:
        ids = self._ids
        return tuple(ids[word] for word in of_chunk(chunk) if word in ids)

    def id(self, word: str) -> int | None:
        """Number of a word, None when it is unknown."""
        return self._ids.get(word)


@dataclass(frozen=True, slots=True)
class Corpus:
    """D posts as arrays: words_N of post d are [starts[d], starts[d + 1]), its author is authors_D[d]."""

    words_N: Ints
    starts_D: Longs
    authors_D: Ints
    n_words: int
    names: tuple[str, ...]

    @property
    def n_posts(self) -> int:
        """D."""
        return len(self.authors_D)


def read(posts: Iterable[tuple[str, str]], config: TopicConfig) -> tuple[Lexicon, Corpus]:
    """Tokenize (author, text) pairs, cut the vocabulary, number everything.

    Posts without a known word stay in the corpus (`Corpus.n_posts` is what was read) but the sampler skips them: their topic would be
    a draw from the prior. Raises CorpusError when nothing is left or `max_memory_mb` is too small, InputError for a pair that is none.
    """
    raw = _Raw(config)
    for pair in posts:
        raw.add(pair)
    if not raw.authors:
        raise CorpusError("the corpus has no post; give at least one (author, text) pair")
    lexicon, new_ids = _cut(raw, config)
    words_N, starts_D = raw.renumbered(new_ids)
    corpus = Corpus(words_N, starts_D, np.array(raw.authors, np.int32), len(lexicon), tuple(raw.author_ids))
    _check_memory(len(corpus.words_N), len(lexicon), len(corpus.names), config)
    return lexicon, corpus


class _Raw:
    """Posts with a number for every token, before the cuts; 4 bytes a token."""

    def __init__(self, config: TopicConfig) -> None:
        self.config = config
        self.ids: dict[str, int] = {}
        self.posts = array("i")  # by token number
        self.words, self.starts, self.authors = array("i"), array("q", [0]), array("i")
        self.author_ids: dict[str, int] = {}

    def add(self, pair: tuple[str, str]) -> None:
        try:
            author, text = pair
        except (TypeError, ValueError) as error:
            raise InputError(f"post {len(self.authors)} is {pair!r:.80}; give (author, text) pairs") from error
        if not isinstance(author, str):
            raise InputError(f"the author of post {len(self.authors)} is {author!r:.80}; give a str")
        numbers = [self.ids.setdefault(word, len(self.ids)) for word in tokens(text, split_hashtags=self.config.split_hashtags)]
        if len(self.ids) > len(self.posts):
            self.posts.extend([0] * (len(self.ids) - len(self.posts)))
        for number in set(numbers):
            self.posts[number] += 1
        self.words.extend(numbers)
        self.starts.append(len(self.words))
        self.authors.append(self.author_ids.setdefault(author, len(self.author_ids)))
        if len(self.authors) % 1024 == 0:
            _check_memory(len(self.words), 0, 0, self.config)

    def renumbered(self, new_ids: Ints) -> tuple[Ints, Longs]:
        """Kept words [N] and starts [D + 1]; the raw words are gone afterwards, so that no token is held three times."""
        words = new_ids[np.frombuffer(self.words, np.int32)]
        self.words = array("i")
        kept = words >= 0
        words = words[kept]
        kept_before = np.zeros(len(kept) + 1, np.int32)
        np.cumsum(kept, out=kept_before[1:])
        return words, kept_before[np.frombuffer(self.starts, np.int64)].astype(np.int64)


def _cut(raw: _Raw, config: TopicConfig) -> tuple[Lexicon, Ints]:
    """The vocabulary, and new number by old (-1: cut)."""
    built_in = frozenset[str]().union(*(LANGUAGES[language] for language in config.stop_languages))
    most = max(config.max_share * len(raw.authors), _FEW_POSTS)
    posts, old = raw.posts, raw.ids
    stopped = sorted(word for word, number in old.items() if posts[number] > most and word not in built_in)
    kept = [word for word, number in old.items() if config.min_posts <= posts[number] <= most and word not in built_in]
    kept.sort(key=lambda word: (-posts[old[word]], word))
    del kept[config.max_words :]
    if not kept:
        raise CorpusError(
            f"no word is left of {len(old)} after the cuts (min_posts {config.min_posts}, max_share {config.max_share}, stop words); "
            "give more posts, or lower min_posts, or raise max_share"
        )
    new_ids = np.full(len(old), -1, np.int32)
    new_ids[[old[word] for word in kept]] = np.arange(len(kept), dtype=np.int32)
    return Lexicon(tuple(kept), tuple(posts[old[word]] for word in kept), tuple(stopped), config.split_hashtags), new_ids


def _check_memory(n_tokens: int, n_words: int, n_authors: int, config: TopicConfig) -> None:
    """Refuse early: tokens, the [V, K] counts with their average (4 + 8 bytes), the [A, K] counts (4 bytes).

    A wide start has half as many topics again, beside the counts that it becomes: 22 and 10 bytes.
    """
    word, author = (22, 10) if config.wide_sweeps else (12, 4)
    needed = _BYTES_A_TOKEN * n_tokens + config.topics * (word * n_words + author * n_authors)
    if needed > config.max_memory_mb << 20:
        raise CorpusError(
            f"the corpus needs {(needed >> 20) + 1} MB and max_memory_mb is {config.max_memory_mb}; "
            "give fewer posts or topics, lower max_words, or raise max_memory_mb"
        )


def flat(lists: Sequence[list[int]]) -> tuple[Ints, Longs]:
    """Lists of numbers as one array [N] and starts [B + 1]."""
    starts = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(one) for one in lists], out=starts[1:])
    return np.fromiter(chain.from_iterable(lists), np.int32, int(starts[-1])), starts

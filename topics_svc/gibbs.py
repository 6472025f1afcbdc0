"""The collapsed Gibbs sampler of Twitter-LDA (Zhao et al., ECIR 2011): one topic a post, one switch a token.

Legend: D posts, N tokens, A authors, K topics, V words. n_VK topic-word tokens, n_K their sums, b_V background tokens, c_AK posts
of an author with a topic, totals = (N_0, N_1) background and topic tokens. y = 1 means topic word.

    p(z_d = k | .) ∝ (c_uk + alpha) PROD_v PROD_{j < m_v} (n_vk + beta + j) / PROD_{i < m} (n_k + V beta + i)
    p(y = 1 | .)   ∝ (N_1 + gamma) (n_vk + beta) / (n_k + V beta)
    p(y = 0 | .)   ∝ (N_0 + gamma) (b_v + beta_b) / (b + V beta_b)

each with the post (or token) itself taken out of the counts. Counts are stored word-major, so that a token reads one row of K numbers.
Random numbers: raw 64-bit outputs of PCG64, whose stream numpy keeps fixed; a post with m tokens takes 1 + m of them.
The first sweep adds post after post to empty counts, which starts closer to a mode than random topics do.
"""

from dataclasses import dataclass

import numpy as np

from topics_svc.arrays import Bytes, Doubles, Ints, Longs, Raws, Shorts
from topics_svc.compiled import compiled
from topics_svc.config import TopicConfig
from topics_svc.lexicon import Corpus

_BLOCK = 1 << 16  # random numbers drawn at once: 512 KB, not 8 bytes for every token
_UNIT = 2.0**-53
_RESCALE = 8  # factors between two rescalings: 0.01**8 and 1e9**8 are far from the limits of float64


@dataclass(slots=True)
class Counts:
    """The state of the chain: topic and switches of every post, and the counts they add up to."""

    z_D: Shorts
    y_N: Bytes
    n_VK: Ints
    n_K: Longs
    b_V: Ints
    c_AK: Ints
    totals: Longs

    @classmethod
    def empty(cls, corpus: Corpus, topics: int) -> "Counts":
        """No post counted yet: every topic is -1."""
        return cls(
            np.full(corpus.n_posts, -1, np.int16), np.zeros(len(corpus.words_N), np.uint8),
            np.zeros((corpus.n_words, topics), np.int32), np.zeros(topics, np.int64), np.zeros(corpus.n_words, np.int32),
            np.zeros((len(corpus.names), topics), np.int32), np.zeros(2, np.int64),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Priors:
    """alpha, beta, beta_background, gamma as they stand in this sweep."""

    alpha: float
    beta: float
    beta_background: float
    gamma: float

    @classmethod
    def of(cls, config: TopicConfig) -> "Priors":
        """Those of a configuration."""
        return cls(config.alpha, config.beta, config.beta_background, config.gamma)


class Sampler:
    """A chain over one corpus; `sweep` visits every post and token once."""

    def __init__(self, corpus: Corpus, config: TopicConfig) -> None:
        self.corpus = corpus
        self.counts = Counts.empty(corpus, config.topics)
        self.priors = Priors.of(config)
        self.bits = np.random.PCG64(config.seed)
        self._seen_V = np.zeros(corpus.n_words, np.int32)
        self._ends = _blocks(corpus)

    def start(self, z_D: Shorts, y_N: Bytes) -> None:
        """Put posts with these topics and switches into the counts; a topic of -1 leaves its post to the first sweep."""
        corpus, counts = self.corpus, self.counts
        lengths_D = np.diff(corpus.starts_D)
        counts.z_D[:] = np.where(lengths_D > 0, z_D, -1)
        counts.y_N[:] = y_N
        counted_D, z_N = counts.z_D >= 0, np.repeat(counts.z_D, lengths_D)
        topical_N, background_N = (z_N >= 0) & (y_N == 1), (z_N >= 0) & (y_N == 0)
        np.add.at(counts.c_AK, (corpus.authors_D[counted_D], counts.z_D[counted_D]), 1)
        np.add.at(counts.n_VK, (corpus.words_N[topical_N], z_N[topical_N]), 1)
        np.add.at(counts.b_V, corpus.words_N[background_N], 1)
        counts.n_K[:] = counts.n_VK.sum(0)
        counts.totals[:] = background_N.sum(), topical_N.sum()

    def sweep(self) -> None:
        """One pass over the corpus, in order."""
        corpus, counts, priors = self.corpus, self.counts, self.priors
        first = 0
        for last in self._ends:
            drawn = int(corpus.starts_D[last] - corpus.starts_D[first]) + last - first
            _posts(
                corpus.words_N, corpus.starts_D, corpus.authors_D, first, last, self.bits.random_raw(drawn),
                counts.z_D, counts.y_N, counts.n_VK, counts.n_K, counts.b_V, counts.c_AK, counts.totals, self._seen_V,
                priors.alpha, priors.beta, priors.beta_background, priors.gamma,
            )  # fmt: skip
            first = last


def _blocks(corpus: Corpus) -> list[int]:
    """Ends of runs of posts that take about `_BLOCK` random numbers each."""
    drawn_D = corpus.starts_D + np.arange(corpus.n_posts + 1)
    ends, post = [], 0
    while post < corpus.n_posts:
        post = max(int(np.searchsorted(drawn_D, drawn_D[post] + _BLOCK, "right")) - 1, post + 1)
        ends.append(post)
    return ends


@compiled
def _posts(
    words_N: Ints, starts_D: Longs, authors_D: Ints, first: int, last: int, raws: Raws, z_D: Shorts, y_N: Bytes, n_VK: Ints,
    n_K: Longs, b_V: Ints, c_AK: Ints, totals: Longs, seen_V: Ints, alpha: float, beta: float, beta_b: float, gamma: float,
) -> None:  # fmt: skip
    """Resample posts first..last-1 in place; `raws` has 1 + m numbers for each."""
    weight_K, below_K, size_K = np.empty(len(n_K)), np.empty(len(n_K)), n_K.astype(np.float64)
    drawn = 0
    for d in range(first, last):
        words, y, author = words_N[starts_D[d] : starts_D[d + 1]], y_N[starts_D[d] : starts_D[d + 1]], authors_D[d]
        drawn += 1
        if len(words) == 0:
            continue  # no evidence: the post stays out of the counts
        z, fresh = z_D[d], z_D[d] < 0
        if fresh:
            for n in range(len(words)):
                y[n] = raws[drawn + n] & np.uint64(1)  # a fair coin; the lowest bit is not used otherwise
        else:
            c_AK[author, z] -= 1
            _shift(words, y, z, -1, n_VK, size_K)
        for k in range(len(weight_K)):
            weight_K[k] = c_AK[author, k] + alpha
        _weigh(words, y, n_VK, size_K, beta, seen_V, weight_K, below_K)
        z = _draw(weight_K, raws[drawn - 1])
        z_D[d] = z
        c_AK[author, z] += 1
        _shift(words, y, z, 1, n_VK, size_K)
        if fresh:
            _add_switches(words, y, b_V, totals)
        _switches(words, y, z, raws[drawn:], n_VK, size_K, b_V, totals, beta, beta_b, gamma)
        drawn += len(words)
    for k in range(len(n_K)):
        n_K[k] = np.int64(size_K[k])


@compiled
def _shift(words: Ints, y: Bytes, z: int, by: int, n_VK: Ints, size_K: Doubles) -> None:
    """Add or take away the topic words of a post."""
    for n in range(len(words)):
        if y[n] == 1:
            n_VK[words[n], z] += by
            size_K[z] += by


@compiled
def _add_switches(words: Ints, y: Bytes, b_V: Ints, totals: Longs) -> None:
    """Count the switches of a post that was in no count."""
    for n in range(len(words)):
        totals[y[n]] += 1
        if y[n] == 0:
            b_V[words[n]] += 1


@compiled
def _weigh(
    words: Ints, y: Bytes, n_VK: Ints, size_K: Doubles, beta: float, seen_V: Ints, weight_K: Doubles, below_K: Doubles
) -> None:
    """Multiply the word factors of every topic into `weight_K`; numerators and denominators apart, divided every 8 factors."""
    n_topics, vbeta, factors = len(weight_K), n_VK.shape[0] * beta, 0
    below_K[:] = 1.0
    for n in range(len(words)):
        if y[n] == 0:
            continue
        v = words[n]
        above, under = beta + seen_V[v], vbeta + factors
        seen_V[v] += 1
        factors += 1
        for k in range(n_topics):
            weight_K[k] *= n_VK[v, k] + above
            below_K[k] *= size_K[k] + under
        if factors % _RESCALE == 0:
            _rescale(weight_K, below_K)
    for n in range(len(words)):
        seen_V[words[n]] = 0
    for k in range(n_topics):
        weight_K[k] /= below_K[k]


@compiled
def _rescale(weight_K: Doubles, below_K: Doubles) -> None:
    """Divide, and make the largest weight 1."""
    top = 0.0
    for k in range(len(weight_K)):
        weight_K[k] /= below_K[k]
        below_K[k] = 1.0
        top = max(top, weight_K[k])
    for k in range(len(weight_K)):
        weight_K[k] /= top


@compiled
def _draw(weight_K: Doubles, raw: int) -> int:
    """A topic in proportion to its weight; `weight_K` becomes the running sums."""
    total = 0.0
    for k in range(len(weight_K)):
        total += weight_K[k]
        weight_K[k] = total
    mark, z = (raw >> np.uint64(11)) * _UNIT * total, 0
    while z < len(weight_K) - 1 and weight_K[z] <= mark:
        z += 1
    return z


@compiled
def _switches(
    words: Ints, y: Bytes, z: int, raws: Raws, n_VK: Ints, size_K: Doubles, b_V: Ints, totals: Longs,
    beta: float, beta_b: float, gamma: float,
) -> None:  # fmt: skip
    """Resample the switch of every token of a post whose topic is `z`; both sides times both denominators, no division."""
    vbeta, vbeta_b = n_VK.shape[0] * beta, n_VK.shape[0] * beta_b
    for n in range(len(words)):
        v, old = words[n], y[n]
        totals[old] -= 1
        if old == 1:
            n_VK[v, z] -= 1
            size_K[z] -= 1.0
        else:
            b_V[v] -= 1
        topical = (totals[1] + gamma) * (n_VK[v, z] + beta) * (totals[0] + vbeta_b)
        background = (totals[0] + gamma) * (b_V[v] + beta_b) * (size_K[z] + vbeta)
        new = 1 if (raws[n] >> np.uint64(11)) * _UNIT * (topical + background) < topical else 0
        y[n] = new
        totals[new] += 1
        if new == 1:
            n_VK[v, z] += 1
            size_K[z] += 1.0
        else:
            b_V[v] += 1

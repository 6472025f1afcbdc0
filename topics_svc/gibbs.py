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
from numba import njit
from numpy.typing import NDArray

from topics_svc.config import TopicConfig
from topics_svc.lexicon import Corpus

_BLOCK = 1 << 16  # random numbers drawn at once: 512 KB, not 8 bytes for every token
_RESCALE = 8  # factors between two rescalings: 0.01**8 and 1e9**8 are far from the limits of float64


@dataclass(slots=True)
class Counts:
    """The state of the chain: topic and switches of every post, and the counts they add up to."""

    z_D: NDArray[np.int16]
    y_N: NDArray[np.uint8]
    n_VK: NDArray[np.int32]
    n_K: NDArray[np.int64]
    b_V: NDArray[np.int32]
    c_AK: NDArray[np.int32]
    totals: NDArray[np.int64]

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

    def sweep(self) -> None:
        """One pass over the corpus, in order."""
        corpus, counts, priors = self.corpus, self.counts, self.priors
        first = 0
        for last in self._ends:
            drawn = int(corpus.starts_D[last] - corpus.starts_D[first]) + last - first
            sweep_posts(
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


@njit(cache=True)
def _unit(raw: int) -> float:
    """A 64-bit number as a float64 in [0, 1)."""
    return float(raw >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def sweep_posts(  # noqa: ANN201
    words_N, starts_D, authors_D, first, last, raws, z_D, y_N, n_VK, n_K, b_V, c_AK, totals, seen_V, alpha, beta, beta_b, gamma  # noqa: ANN001
):
    """Resample topic and switches of posts first..last-1 in place; `raws` has 1 + m numbers for each post."""
    n_words, n_topics = n_VK.shape
    vbeta, vbeta_b = n_words * beta, n_words * beta_b
    weight_K, below_K, size_K = np.empty(n_topics), np.empty(n_topics), n_K.astype(np.float64)
    drawn = 0
    for d in range(first, last):
        low, high, author, z = starts_D[d], starts_D[d + 1], authors_D[d], z_D[d]
        if low == high:
            drawn += 1  # no evidence: the post stays out of the counts
            continue
        if z < 0:  # first sweep: switches by a fair coin, nothing to take out
            for n in range(low, high):
                y_N[n] = raws[drawn + 1 + n - low] & np.uint64(1)
        else:
            c_AK[author, z] -= 1
            for n in range(low, high):
                if y_N[n] == 1:
                    n_VK[words_N[n], z] -= 1
                    size_K[z] -= 1.0
        for k in range(n_topics):
            weight_K[k] = c_AK[author, k] + alpha
            below_K[k] = 1.0
        factors = 0
        for n in range(low, high):
            if y_N[n] == 0:
                continue
            v = words_N[n]
            above, under = beta + seen_V[v], vbeta + factors
            seen_V[v] += 1
            factors += 1
            for k in range(n_topics):
                weight_K[k] *= n_VK[v, k] + above
                below_K[k] *= size_K[k] + under
            if factors % _RESCALE == 0:
                top = 0.0
                for k in range(n_topics):
                    weight_K[k] /= below_K[k]
                    below_K[k] = 1.0
                    top = max(top, weight_K[k])
                for k in range(n_topics):
                    weight_K[k] /= top
        for n in range(low, high):
            seen_V[words_N[n]] = 0
        total = 0.0
        for k in range(n_topics):
            total += weight_K[k] / below_K[k]
            weight_K[k] = total
        mark = _unit(raws[drawn]) * total
        z_new = 0
        while z_new < n_topics - 1 and weight_K[z_new] <= mark:
            z_new += 1
        drawn += 1
        z_D[d] = z_new
        c_AK[author, z_new] += 1
        for n in range(low, high):
            if y_N[n] == 1:
                n_VK[words_N[n], z_new] += 1
                size_K[z_new] += 1.0
        if z < 0:
            for n in range(low, high):
                if y_N[n] == 1:
                    totals[1] += 1
                else:
                    totals[0] += 1
                    b_V[words_N[n]] += 1
        for n in range(low, high):
            v = words_N[n]
            if y_N[n] == 1:
                n_VK[v, z_new] -= 1
                size_K[z_new] -= 1.0
                totals[1] -= 1
            else:
                b_V[v] -= 1
                totals[0] -= 1
            topical = (totals[1] + gamma) * (n_VK[v, z_new] + beta) * (totals[0] + vbeta_b)
            background = (totals[0] + gamma) * (b_V[v] + beta_b) * (size_K[z_new] + vbeta)
            if _unit(raws[drawn]) * (topical + background) < topical:
                y_N[n] = 1
                n_VK[v, z_new] += 1
                size_K[z_new] += 1.0
                totals[1] += 1
            else:
                y_N[n] = 0
                b_V[v] += 1
                totals[0] += 1
            drawn += 1
    for k in range(n_topics):
        n_K[k] = np.int64(size_K[k])

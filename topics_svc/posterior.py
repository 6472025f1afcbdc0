"""Fold-in: the topic posterior of a new post with phi, phi_B and pi frozen.

Given the topic, the words of a post are independent draws from a mixture of two, so the switch sums out in closed form:

    p(z = k | w_1..w_m) ∝ p0_k exp(SUM_i L[w_i, k]),   L[v, k] = log1p(pi phi_kv / ((1 - pi) phi_Bv))
    p0_k = (c_k + alpha) / (c + K alpha)               the author's running counts; 1/K where there are none

Legend: V words, K topics, B posts, N their tokens.
"""

from dataclasses import dataclass

import numpy as np

from topics_svc.arrays import Doubles, Floats, Ints, Longs, Reals
from topics_svc.compiled import compiled
from topics_svc.errors import InputError


@dataclass(frozen=True, slots=True)
class Estimates:
    """What a fit leaves: mean counts of the last sweeps and the priors; everything else follows from them."""

    n_VK: Doubles
    b_V: Doubles
    posts_K: Doubles
    alpha: float
    beta: float
    beta_background: float
    gamma: float

    @property
    def phi(self) -> Doubles:
        """p(word | topic), [V, K]; columns sum to 1."""
        return np.asarray((self.n_VK + self.beta) / (self.n_VK.sum(0) + len(self.n_VK) * self.beta))

    @property
    def background(self) -> Doubles:
        """p(word | background), [V]; sums to 1."""
        return np.asarray((self.b_V + self.beta_background) / (self.b_V.sum() + len(self.b_V) * self.beta_background))

    @property
    def pi(self) -> float:
        """p(topic word)."""
        topical, background = float(self.n_VK.sum()), float(self.b_V.sum())
        return (topical + self.gamma) / (topical + background + 2 * self.gamma)

    def table(self) -> Floats:
        """L, [V, K] float32, row by row."""
        ratio_VK = self.pi * self.phi / ((1 - self.pi) * self.background[:, None])
        return np.ascontiguousarray(np.log1p(ratio_VK), np.float32)


def fold_in(table_VK: Floats, ids_N: Ints, counts_K: Reals | None, alpha: float) -> Floats | None:
    """Posterior of one post, [K] float32; None where it has no word.

    `counts_K`: the author's running soft counts, float32 or float64; None = every topic alike.
    Raises InputError for counts that are not K finite numbers of at least 0.
    """
    if len(ids_N) == 0:
        return None
    n_topics = table_VK.shape[1]
    theta_K = np.empty(n_topics, np.float32)
    if counts_K is None:
        _one_without_counts(table_VK, ids_N, theta_K)
        return theta_K
    shaped = isinstance(counts_K, np.ndarray) and counts_K.shape == (n_topics,)
    if not shaped or not _one(table_VK, ids_N, counts_K, alpha, theta_K):
        raise _wrong_counts(counts_K, n_topics)
    return theta_K


def fold_in_many(
    table_VK: Floats, ids_N: Ints, starts_B: Longs, counts_BK: Reals | None, alpha: float
) -> Floats:
    """Posteriors of B posts, [B, K] float32; a post without a word gets zeros. Post b has the words [starts[b], starts[b + 1])."""
    n_posts, n_topics = len(starts_B) - 1, table_VK.shape[1]
    if counts_BK is None:
        counts_BK = np.zeros((1, n_topics), np.float32)
    elif not isinstance(counts_BK, np.ndarray) or counts_BK.shape != (n_posts, n_topics):
        raise InputError(f"counts have shape {np.shape(counts_BK)}; give ({n_posts}, {n_topics}), a row for every post")
    theta_BK = np.zeros((n_posts, n_topics), np.float32)
    wrong = _many(table_VK, ids_N, starts_B, counts_BK, alpha, theta_BK)
    if wrong >= 0:
        raise _wrong_counts(counts_BK[wrong], n_topics)
    return theta_BK


def _wrong_counts(counts: object, n_topics: int) -> InputError:
    return InputError(f"running counts {counts!r:.200}; give an array of {n_topics} finite numbers of at least 0")


@compiled
def _finish(logs_K: Floats, theta_K: Floats) -> None:
    """Softmax of float32 logs into theta."""
    top = logs_K[0]
    for k in range(1, len(logs_K)):
        top = max(top, logs_K[k])
    total = 0.0
    for k in range(len(logs_K)):
        value = np.exp(logs_K[k] - top)
        theta_K[k] = value
        total += value
    scale = np.float32(1.0 / total)
    for k in range(len(logs_K)):
        theta_K[k] *= scale


@compiled
def _gather(table_VK: Floats, ids_N: Ints, low: int, high: int, logs_K: Floats) -> None:
    """Add the rows of the words."""
    for n in range(low, high):
        v = ids_N[n]
        for k in range(len(logs_K)):
            logs_K[k] += table_VK[v, k]


@compiled
def _start(counts_K: Reals, alpha: float, logs_K: Floats) -> bool:
    """Log prior up to a constant; False for counts that are none."""
    total = 0.0
    least = np.inf
    for k in range(len(logs_K)):
        total += counts_K[k]
        least = min(least, counts_K[k])
    if not (total < np.inf and least >= 0.0):
        return False
    if total == 0.0:
        logs_K[:] = 0.0  # exactly what no counts give
        return True
    for k in range(len(logs_K)):
        logs_K[k] = np.log(np.float32(counts_K[k] + alpha))
    return True


@compiled
def _one_without_counts(table_VK: Floats, ids_N: Ints, theta_K: Floats) -> None:
    logs_K = np.zeros(len(theta_K), np.float32)
    _gather(table_VK, ids_N, 0, len(ids_N), logs_K)
    _finish(logs_K, theta_K)


@compiled
def _one(table_VK: Floats, ids_N: Ints, counts_K: Reals, alpha: float, theta_K: Floats) -> bool:
    logs_K = np.empty(len(theta_K), np.float32)
    if not _start(counts_K, alpha, logs_K):
        return False
    _gather(table_VK, ids_N, 0, len(ids_N), logs_K)
    _finish(logs_K, theta_K)
    return True


@compiled
def _many(
    table_VK: Floats, ids_N: Ints, starts_B: Longs, counts_BK: Reals, alpha: float, theta_BK: Floats
) -> int:
    """Index of the first post with wrong counts, -1 if all are right."""
    logs_K = np.empty(theta_BK.shape[1], np.float32)
    rows = len(counts_BK)
    for b in range(len(starts_B) - 1):
        if starts_B[b] == starts_B[b + 1]:
            continue
        if not _start(counts_BK[min(b, rows - 1)], alpha, logs_K):
            return b
        _gather(table_VK, ids_N, starts_B[b], starts_B[b + 1], logs_K)
        _finish(logs_K, theta_BK[b])
    return -1

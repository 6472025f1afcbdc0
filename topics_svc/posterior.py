"""Fold-in: the topic posterior of a new post with phi, phi_B and pi frozen.

Given the topic, the words of a post are independent draws from a mixture of two, so the switch sums out in closed form:

    p(z = k | w_1..w_m) ∝ p0_k exp(SUM_i L[w_i, k]),   L[v, k] = log1p(pi phi_kv / ((1 - pi) phi_Bv))
    p0_k = (c_k + alpha) / (c + K alpha)               the author's running counts; 1/K where there are none

Legend: V words, K topics, B posts, N their tokens.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from topics_svc.errors import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Estimates:
    """What a fit leaves: mean counts of the last sweeps and the priors; everything else follows from them."""

    n_VK: NDArray[np.float64]
    b_V: NDArray[np.float64]
    posts_K: NDArray[np.float64]
    alpha: float
    beta: float
    beta_background: float
    gamma: float

    @property
    def phi_VK(self) -> NDArray[np.float64]:
        """p(word | topic); columns sum to 1."""
        return (self.n_VK + self.beta) / (self.n_VK.sum(0) + len(self.n_VK) * self.beta)

    @property
    def background_V(self) -> NDArray[np.float64]:
        """p(word | background); sums to 1."""
        return (self.b_V + self.beta_background) / (self.b_V.sum() + len(self.b_V) * self.beta_background)

    @property
    def pi(self) -> float:
        """p(topic word)."""
        topical, background = float(self.n_VK.sum()), float(self.b_V.sum())
        return (topical + self.gamma) / (topical + background + 2 * self.gamma)

    def table(self) -> Floats:
        """L, [V, K] float32, row by row."""
        ratio_VK = self.pi * self.phi_VK / ((1 - self.pi) * self.background_V[:, None])
        return np.ascontiguousarray(np.log1p(ratio_VK), np.float32)


def fold_in(table_VK: Floats, ids_N: NDArray[np.int32], counts_K: NDArray[np.floating] | None, alpha: float) -> Floats | None:
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
    elif not isinstance(counts_K, np.ndarray) or counts_K.shape != (n_topics,):
        raise _wrong_counts(counts_K, n_topics)
    elif not _one(table_VK, ids_N, counts_K, alpha, theta_K):
        raise _wrong_counts(counts_K, n_topics)
    return theta_K


def fold_in_many(
    table_VK: Floats, ids_N: NDArray[np.int32], starts_B: NDArray[np.int64], counts_BK: NDArray[np.floating] | None, alpha: float
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


@njit(cache=True, error_model="numpy", inline="always")
def _finish(logs_K, theta_K):  # noqa: ANN001, ANN202
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


@njit(cache=True, inline="always")
def _gather(table_VK, ids_N, low, high, logs_K):  # noqa: ANN001, ANN202
    """Add the rows of the words; four partial sums would change the order, and with it the result of a permutation."""
    for n in range(low, high):
        v = ids_N[n]
        for k in range(len(logs_K)):
            logs_K[k] += table_VK[v, k]


@njit(cache=True, inline="always")
def _start(counts_K, alpha, logs_K):  # noqa: ANN001, ANN202
    """Log prior up to a constant; False for counts that are none."""
    total = 0.0
    least = np.inf
    for k in range(len(logs_K)):
        total += counts_K[k]
        least = min(least, counts_K[k])
    if not (total < np.inf and least >= 0.0):
        return False
    for k in range(len(logs_K)):
        logs_K[k] = np.log(np.float32(counts_K[k] + alpha))
    return True


@njit(cache=True)
def _one_without_counts(table_VK, ids_N, theta_K):  # noqa: ANN001, ANN202
    logs_K = np.zeros(len(theta_K), np.float32)
    _gather(table_VK, ids_N, 0, len(ids_N), logs_K)
    _finish(logs_K, theta_K)


@njit(cache=True)
def _one(table_VK, ids_N, counts_K, alpha, theta_K):  # noqa: ANN001, ANN202
    logs_K = np.empty(len(theta_K), np.float32)
    if not _start(counts_K, alpha, logs_K):
        return False
    _gather(table_VK, ids_N, 0, len(ids_N), logs_K)
    _finish(logs_K, theta_K)
    return True


@njit(cache=True)
def _many(table_VK, ids_N, starts_B, counts_BK, alpha, theta_BK):  # noqa: ANN001, ANN202
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

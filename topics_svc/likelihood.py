"""The collapsed joint of a chain's state, its plateau, and Minka's fixed point for the Dirichlet priors.

    log P = SUM_u DM(c_u; alpha) + DM((N_0, N_1); gamma) + SUM_k DM(n_k; beta) + DM(b; beta_b)

DM is the log Dirichlet-multinomial of a count vector under a symmetric prior. Most counts are
zero or small, so log-gamma ratios come from a table.
"""

import math
from collections.abc import Sequence

import numpy as np

from topics_svc.arrays import Doubles, Whole
from topics_svc.compiled import compiled
from topics_svc.gibbs import Counts, Priors

_TABLE = 4096
_WINDOW = 10  # sweeps compared with the ten before them
_LEAST, _MOST = 1e-6, 1e3  # priors stay in here


def log_joint(counts: Counts, priors: Priors) -> float:
    """Log P of words, switches and topics, in nats."""
    n_words = len(counts.b_V)
    return (
        _rows(counts.c_AK, priors.alpha)
        + _rising(counts.n_VK, priors.beta) - _ends(counts.n_K, n_words * priors.beta)
        + _rising(counts.b_V[None], priors.beta_background) - _ends(counts.totals[:1], n_words * priors.beta_background)
        + _rows(counts.totals[None], priors.gamma)
    )  # fmt: skip


def _rows(counts_RC: Whole, prior: float) -> float:
    return _rising(counts_RC, prior) - _ends(counts_RC.sum(1), counts_RC.shape[1] * prior)


def _rising(counts_RC: Whole, prior: float) -> float:
    """SUM log Gamma(n + prior) - log Gamma(prior)."""
    steps = np.concatenate(([0.0], np.cumsum(np.log(np.arange(_TABLE - 1) + prior))))
    return float(_sum_by_table(counts_RC, steps, prior))


def _ends(totals_R: Whole, prior: float) -> float:
    return sum(math.lgamma(total + prior) - math.lgamma(prior) for total in totals_R.tolist())


@compiled
def _sum_by_table(counts_RC: Whole, steps: Doubles, prior: float) -> float:
    total, base = 0.0, math.lgamma(prior)
    for r in range(counts_RC.shape[0]):
        for c in range(counts_RC.shape[1]):
            count = counts_RC[r, c]
            if count == 0:
                continue
            if count < len(steps):
                total += steps[count]
            else:
                total += math.lgamma(count + prior) - base
    return total


def on_plateau(likelihoods: Sequence[float], share: float) -> bool:
    """Whether the mean of the last ten sweeps is above that of the ten before by less than `share` of it."""
    if not share or len(likelihoods) < 2 * _WINDOW:
        return False
    before, last = np.mean(likelihoods[-2 * _WINDOW : -_WINDOW]), np.mean(likelihoods[-_WINDOW:])
    return bool(last - before < share * abs(before))


def fixed_point(counts_RC: Whole, prior: float) -> float:
    """One step of Minka's fixed point (2000, eq. 55) for a symmetric Dirichlet prior; rows are draws.

    The digamma differences are finite sums: psi(n + a) - psi(a) = SUM_{j < n} 1 / (a + j).
    """
    size = counts_RC.shape[1]
    above = _harmonic(counts_RC.ravel(), prior)
    under = size * _harmonic(counts_RC.sum(1), size * prior)
    if above == 0 or under == 0:
        return prior
    return float(np.clip(prior * above / under, _LEAST, _MOST))


def _harmonic(counts: Whole, prior: float) -> float:
    """SUM over counts n of SUM_{j < n} 1 / (prior + j), through how many counts exceed j."""
    histogram = np.bincount(counts)
    above_j = len(counts) - np.cumsum(histogram)[:-1]
    return float((above_j / (prior + np.arange(len(above_j)))).sum())

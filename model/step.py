"""One step of one user: closed window and gap become x^t and the factor g (ALGORITHMS 7.1; defaults 2, 3, 17, 18).

Legend: N networks, K topics, M = N*K.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import ModelConfig

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """The input of one time step: topic frequencies and time factor."""

    x_M: Floats
    g: float


def topic_counts(theta_K: Floats, config: ModelConfig) -> Floats:
    """What one post adds to its window: one for its likeliest topic (hard), or its posterior without small entries (soft)."""
    if config.frequencies == "hard":
        counts_K = np.zeros_like(theta_K, dtype=np.float32)
        counts_K[int(theta_K.argmax())] = 1.0
        return counts_K
    return np.where(theta_K < config.soft_floor, 0.0, theta_K).astype(np.float32)


def make_step(sums_NK: Floats, gap_seconds: float | None, config: ModelConfig) -> Step:
    """The step of a window; `gap_seconds` None means that the user has no earlier interaction (g = 0).

    x is normalised to sum 1 per network and rounded to float16, so that stored and cached steps agree; a silent network is zero.
    """
    g = 0.0 if gap_seconds is None else math.exp(-max(gap_seconds, 0.0) / config.tau_seconds)
    return Step(shares(sums_NK).ravel(), g)


def shares(sums_NK: Floats) -> Floats:
    """Each network's sums as shares, rounded as x is; all zero where it is silent."""
    totals_N1 = sums_NK.sum(axis=1, keepdims=True)
    x_NK: Floats = np.divide(sums_NK, totals_N1, out=np.zeros_like(sums_NK), where=totals_N1 > 0)
    return x_NK.astype(np.float16).astype(np.float32)

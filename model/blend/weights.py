"""Weights of the features: shared ones plus an offset for each context, learned from every interaction (BLEND, recipe 3).

AdaGrad (rate .05, accumulator from 1, free sign) on the log-likelihood of the item taken among those the user has not taken.

Legend: F features, C contexts, I items.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_RATE, _START = 0.05, 1.0
SHARED, SIMULTANEOUS, WITHIN_AN_HOUR, AFTER_POSTS, AFTER_SILENCE = range(5)
CONTEXTS = 5


class Weights:
    """Row 0 is shared, the others are offsets by context."""

    def __init__(self, start_F: Sequence[float]) -> None:
        self.weight_CF = np.zeros((CONTEXTS, len(start_F)))
        self.weight_CF[SHARED] = start_F
        self.squares_CF = np.full_like(self.weight_CF, _START)

    def of(self, context: int) -> Doubles:
        """The weights that hold in a context, (F,)."""
        return np.asarray(self.weight_CF[SHARED] + self.weight_CF[context])

    def learn(self, feature_FI: NDArray[np.floating], item: int, taken: Sequence[int], context: int) -> float:
        """One interaction; its loss before. What is not a number is left alone: the other features go on without it."""
        score_I = self.of(context) @ feature_FI
        score_I[[one for one in taken if one != item]] = -np.inf
        share_I = np.exp(score_I - score_I.max())
        share_I /= share_I.sum()
        gradient_F = feature_FI @ share_I - feature_FI[:, item]
        for row in (SHARED, context):
            self.squares_CF[row] += gradient_F**2
            self.weight_CF[row] -= _RATE * gradient_F / np.sqrt(self.squares_CF[row])
        return float(-np.log(max(share_I[item], 1e-300)))


def context_of(g: float, *, first: bool, posts: bool, hour_g: float) -> int:
    """From the gap's factor g = exp(-gap / tau), where `hour_g` is that of an hour, and whether the window has posts."""
    if not first and g >= 1.0:
        return SIMULTANEOUS
    if not first and g > hour_g:
        return WITHIN_AN_HOUR
    return AFTER_POSTS if posts else AFTER_SILENCE

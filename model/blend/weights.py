"""Weights of the features: shared ones plus an offset for each context, learned from every interaction.

Online Newton steps with forgetting, on the log-likelihood of the item taken among those the user does not own: features are strongly
alike (popularity of seven and of thirty days, two heads of one network), and a second-order step is not misled by that.

    A <- lambda A + g g^T;    w <- w - eta (A + epsilon)^-1 g        g: gradient of the loss; shared row and context's alike

Legend: F features, C contexts, I items.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
RATE, KEPT, RIDGE = 1.0, 0.9995, 20.0
SHARED, SIMULTANEOUS, WITHIN_AN_HOUR, AFTER_POSTS, AFTER_SILENCE = range(5)
CONTEXTS = 5


class Weights:
    """Row 0 is shared, the others are offsets by context."""

    def __init__(self, start_F: Sequence[float]) -> None:
        self.contexts = self.learning = True
        self.weight_CF = np.zeros((CONTEXTS, len(start_F)))
        self.weight_CF[SHARED] = start_F
        self.curvature_CFF = np.zeros((CONTEXTS, len(start_F), len(start_F)))
        self._ridge_FF = RIDGE * np.eye(len(start_F))

    def of(self, context: int) -> Floats:
        """The weights that hold in a context, (F,)."""
        return np.asarray(self.weight_CF[SHARED] + self.weight_CF[context], np.float32)

    def learn(self, feature_FI: Floats, item: int, owned: Sequence[int], context: int, *, teaches: bool = True) -> float:
        """One interaction; its loss before. A feature that is zero for all items learns nothing."""
        share_I = self.of(context) @ feature_FI
        taken_score = share_I[item]
        share_I[list(owned)] = -np.inf
        share_I[item] = taken_score
        share_I -= share_I.max()
        np.exp(share_I, out=share_I)
        share_I /= share_I.sum()
        if self.learning and teaches:
            gradient_F = (feature_FI @ share_I - feature_FI[:, item]).astype(np.float64)
            for row in (SHARED, context) if self.contexts else (SHARED,):
                self._step(row, gradient_F)
        return float(-np.log(max(share_I[item], 1e-30)))

    def _step(self, row: int, gradient_F: Doubles) -> None:
        curvature_FF = self.curvature_CFF[row]
        curvature_FF *= KEPT
        curvature_FF += np.outer(gradient_F, gradient_F)
        self.weight_CF[row] -= RATE * np.linalg.solve(curvature_FF + self._ridge_FF, gradient_F)

    def mend(self) -> None:
        """What is no number starts again from nothing."""
        for one in (self.weight_CF, self.curvature_CFF):
            np.nan_to_num(one, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def context_of(g: float, *, first: bool, posts: bool, hour_g: float) -> int:
    """From the gap's factor g = exp(-gap / tau), where `hour_g` is that of an hour, and whether the window has posts."""
    if not first and g >= 1.0:
        return SIMULTANEOUS
    if not first and g > hour_g:
        return WITHIN_AN_HOUR
    return AFTER_POSTS if posts else AFTER_SILENCE

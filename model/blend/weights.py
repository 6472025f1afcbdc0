"""Weights of the features: shared ones plus an offset for each context, and more for young items, learned from every interaction.

    score_i = (w + 1[i young] w') . f_i        w, w': each the shared one plus the offset of the context

Online Newton steps with forgetting, on the log-likelihood of the item taken among those the user does not own: features are strongly
alike (popularity of seven and of thirty days, two heads of one network), and a second-order step is not misled by that.

    A <- lambda A + g g^T;    w <- w - eta (A + epsilon)^-1 g        g: gradient of the loss by (w, w'); shared row and context's alike

Legend: F features, C contexts, I items, W = 2 F weights: those for all items, then what young ones add.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
RATE, KEPT, RIDGE = 1.0, 0.9995, 20.0
SHARED, SIMULTANEOUS, WITHIN_AN_HOUR, AFTER_POSTS, AFTER_SILENCE = range(5)
CONTEXTS = 5


class Weights:
    """Row 0 is shared, the others are offsets by context."""

    def __init__(self, start_F: Sequence[float]) -> None:
        self.contexts = self.learning = self.young = True
        self.features = len(start_F)
        self.weight_CW = np.zeros((CONTEXTS, 2 * self.features))
        self.weight_CW[SHARED, : self.features] = start_F
        self.curvature_CWW = np.zeros((CONTEXTS, 2 * self.features, 2 * self.features))
        self._ridge_WW = RIDGE * np.eye(2 * self.features)

    def of(self, context: int) -> Floats:
        """The weights that hold in a context, and what is added to them for young items, (2, F)."""
        weight_W = np.nan_to_num(self.weight_CW[SHARED] + self.weight_CW[context], nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(weight_W, np.float32).reshape(2, self.features)

    def learn(
        self, features: Sequence[Floats], young_I: NDArray[np.bool_], item: int, owned: Sequence[int], context: int, *,
        teaches: bool = True,
    ) -> float:  # fmt: skip
        """One interaction; its loss before. `features`: some (n, I) after others. One that is zero for all items learns nothing."""
        share_I, of_young_I = _product(self.of(context), features)
        of_young_I *= young_I
        share_I += of_young_I
        taken_score = share_I[item]
        share_I[list(owned)] = -np.inf
        share_I[item] = taken_score
        share_I -= share_I.max()
        np.exp(share_I, out=share_I)
        share_I /= share_I.sum()
        if self.learning and teaches:
            gradient_W = self._gradient(features, young_I, item, share_I)
            for row in (SHARED, context) if self.contexts else (SHARED,):
                self._step(row, gradient_W)
        return float(-np.log(max(share_I[item], 1e-30)))

    def _gradient(self, features: Sequence[Floats], young_I: NDArray[np.bool_], item: int, share_I: Floats) -> Doubles:
        slope_2I = np.empty((2, len(share_I)), np.float32)
        slope_2I[0] = share_I
        slope_2I[0, item] -= 1
        np.multiply(slope_2I[0], young_I & self.young, out=slope_2I[1])
        return np.concatenate([slope_2I @ one.T for one in features], axis=1).ravel().astype(np.float64)

    def _step(self, row: int, gradient_W: Doubles) -> None:
        curvature_WW = self.curvature_CWW[row]
        curvature_WW *= KEPT
        curvature_WW += np.outer(gradient_W, gradient_W)
        _, step_W, unsolved = dposv(curvature_WW + self._ridge_WW, gradient_W)  # positive definite, but for what is no number
        after_W = self.weight_CW[row] - RATE * step_W
        if unsolved or not np.isfinite(after_W).all():
            self._mend()
        else:
            self.weight_CW[row] = after_W

    def _mend(self) -> None:
        """What is no number starts again from nothing."""
        for one in (self.weight_CW, self.curvature_CWW):
            np.nan_to_num(one, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _product(weight_2F: Floats, features: Sequence[Floats]) -> Floats:
    """Sums of features times weights, (2, I)."""
    ends = np.cumsum([len(one) for one in features])[:-1]
    parts = [weight @ one for weight, one in zip(np.split(weight_2F, ends, axis=1), features, strict=True)]
    return np.asarray(sum(parts[1:], start=parts[0]), np.float32)


def context_of(g: float, *, first: bool, posts: bool, hour_g: float) -> int:
    """From the gap's factor g = exp(-gap / tau), where `hour_g` is that of an hour, and whether the window has posts."""
    if not first and g >= 1.0:
        return SIMULTANEOUS
    if not first and g > hour_g:
        return WITHIN_AN_HOUR
    return AFTER_POSTS if posts else AFTER_SILENCE

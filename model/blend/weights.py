"""Weights of the features: shared ones plus an offset for each context, and more for young items, learned from every interaction.

    score_i = (w + 1[i young] w') . f_i        w, w': each the shared one plus the offset of the context

Online Newton steps with forgetting, on the log-likelihood of the item taken among those the user does not own: features are strongly
alike (popularity of seven and of thirty days, two heads of one network), and a second-order step is not misled by that.

    A <- lambda A + g g^T;    w <- w - eta (A + epsilon)^-1 g        g: gradient of the loss by (w, w'); shared row and context's alike

Legend: B events, F features, C contexts, I items, W = 2 F weights: those for all items, then what young ones add.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.blend.event import Block, firsts
from model.blend.passes import learn_weights

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

    def of(self, context: int) -> Floats:
        """The weights that hold in a context, and what is added to them for young items, (2, F)."""
        weight_W = self.weight_CW[SHARED] + self.weight_CW[context]
        if not np.isfinite(weight_W).all():
            weight_W = np.nan_to_num(weight_W, nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(weight_W, np.float32).reshape(2, self.features)

    def learn(self, block: Block, items: Sequence[int], owned: Sequence[Sequence[int]], teaches: Sequence[bool]) -> Doubles:
        """Interactions one after the other, with what their users own; the loss of each before, (B,).

        One that does not teach has a loss only. A feature that is zero for all items learns nothing.
        """
        loss_B = np.empty(len(items))
        learn_weights(
            block.own_GBI, block.trend_HTI, block.young_TI, block.time_B, np.array(items, np.int64),
            np.array([one.context for one in block.seen], np.int64), np.array(teaches, np.bool_) & self.learning,
            np.array([row for own in owned for row in own], np.int64), firsts(owned), self.weight_CW, self.curvature_CWW,
            (RATE, KEPT, RIDGE), 2 if self.contexts else 1, self.young, loss_B,
        )  # fmt: skip
        return loss_B


def context_of(g: float, *, first: bool, posts: bool, hour_g: float) -> int:
    """From the gap's factor g = exp(-gap / tau), where `hour_g` is that of an hour, and whether the window has posts."""
    if not first and g >= 1.0:
        return SIMULTANEOUS
    if not first and g > hour_g:
        return WITHIN_AN_HOUR
    return AFTER_POSTS if posts else AFTER_SILENCE

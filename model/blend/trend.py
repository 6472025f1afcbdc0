"""Past-only statistics of items: how often and how lately they were taken (BLEND, recipe 2).

Legend: S half-lives in time, R half-lives in events, I items, F features.
"""

import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000
HALF_LIVES_DAYS = np.array([1.0, 7.0, 30.0, 36_500.0])
HALF_LIVES_EVENTS = np.array([200.0, 2000.0])
FEATURES = len(HALF_LIVES_DAYS) + len(HALF_LIVES_EVENTS) + 3
FLOOR = 0.1
_KEPT_EVENT = 0.5 ** (1 / HALF_LIVES_EVENTS)
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Trend:
    """Decayed counts, first and last use by item row, as of the latest event counted."""

    def __init__(self, items: int = 0) -> None:
        self.counts_SI = np.zeros((len(HALF_LIVES_DAYS), items))
        self.recent_RI = np.zeros((len(HALF_LIVES_EVENTS), items))
        self.first_I, self.last_I = np.full(items, np.nan), np.full(items, np.nan)
        self.at = 0

    def grow(self, items: int) -> None:
        """Make room for new items, which nobody has taken yet."""
        more = items - len(self.first_I)
        if more > 0:
            self.counts_SI, self.recent_RI = (np.pad(one, ((0, 0), (0, more))) for one in (self.counts_SI, self.recent_RI))
            self.first_I, self.last_I = (np.pad(one, (0, more), constant_values=np.nan) for one in (self.first_I, self.last_I))

    def forget(self, row: int) -> None:
        """The row belongs to another item from now on."""
        self.counts_SI[:, row], self.recent_RI[:, row], self.first_I[row], self.last_I[row] = 0, 0, np.nan, np.nan

    def learn(self, row: int, at: int) -> None:
        """Count one interaction; an older one than the latest has lost the same share as if it had been counted in time."""
        if at > self.at:
            self.counts_SI *= _kept(at - self.at)[:, None]
            self.at = at
        self.counts_SI[:, row] += _kept(self.at - at)
        self.recent_RI *= _KEPT_EVENT[:, None]
        self.recent_RI[:, row] += 1
        self.last_I[row] = max(at, np.nan_to_num(self.last_I[row], nan=at))
        self.first_I[row] = min(at, np.nan_to_num(self.first_I[row], nan=at))

    def features(self, at: int) -> Floats:
        """Lifted counts of each half-life, -log(1 + age in days), -log(1 + days since last taken), 1[never taken]; (F, I)."""
        counts_SI = self.counts_SI * _kept(max(0, at - self.at))[:, None]
        age_I, idle_I = (np.maximum(0, at - np.nan_to_num(one, nan=at)) / DAY_MS for one in (self.first_I, self.last_I))
        counted_FI = lifted(np.vstack([counts_SI, self.recent_RI]))
        return np.vstack([counted_FI, -np.log1p(age_I), -np.log1p(idle_I), np.isnan(self.first_I)]).astype(np.float32)


def lifted(value_FI: NDArray[np.floating]) -> Doubles:
    """log(I s_i / sum s + .1) of each row of non-negative statistics."""
    totals_F1 = np.maximum(value_FI.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(np.log(value_FI.shape[1] * value_FI / totals_F1 + FLOOR), np.float64)


def _kept(milliseconds: int) -> Doubles:
    """What is left of a count after a while, for each half-life."""
    return np.asarray(0.5 ** (milliseconds / DAY_MS / HALF_LIVES_DAYS))

"""Past-only statistics of items: how often and how lately they were taken (BLEND, recipe 2).

Legend: S half-lives in time, R half-lives in events, I items, F features, T times.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.blend.lifts import put_trend

DAY_MS = 86_400_000
HALF_LIVES_DAYS = np.array([1.0, 7.0, 30.0, 36_500.0])
HALF_LIVES_EVENTS = np.array([20.0, 200.0, 2000.0])
AGE = len(HALF_LIVES_DAYS) + len(HALF_LIVES_EVENTS)  # the feature after the counts
FEATURES = AGE + 4  # idleness, whether never taken, and the count of all time come last (`put_trend`)
FLOOR, HIGH_FLOOR = np.float32(0.1), np.float32(10)
"what a share is lifted from; from the high one only what stands far out is told apart"
YOUNG_DAYS = 7.0
_LARGEST = 1e12
_KEPT_EVENT = 0.5 ** (1 / HALF_LIVES_EVENTS)
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Trend:
    """Decayed counts, first and last use by item row.

    Old counts do not fade, the newest count more: only shares are read, so the unit is free. It is put back before it grows too large.
    """

    def __init__(self, items: int = 0) -> None:
        self.counts_SI = np.zeros((len(HALF_LIVES_DAYS), items))
        self.recent_RI = np.zeros((len(HALF_LIVES_EVENTS), items))
        self.first_I, self.last_I = np.full(items, np.nan), np.full(items, np.nan)
        self.at = 0
        self.unit_S, self.unit_R = np.ones(len(HALF_LIVES_DAYS)), np.ones(len(HALF_LIVES_EVENTS))

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
        """Count one interaction; an older one than the latest counts as much as if it had been counted in time."""
        if at > self.at:
            with np.errstate(divide="ignore", over="ignore"):  # after a long time nothing is left of what was
                self.unit_S /= _kept(at - self.at)
            self.at = at
        self.unit_R /= _KEPT_EVENT
        for count_FI, unit_F in ((self.counts_SI, self.unit_S), (self.recent_RI, self.unit_R)):
            too_large_F = ~(unit_F < _LARGEST)
            if too_large_F.any():
                count_FI[too_large_F] /= unit_F[too_large_F, None]
                unit_F[too_large_F] = 1
        self.counts_SI[:, row] += self.unit_S * _kept(self.at - at)
        self.recent_RI[:, row] += self.unit_R
        self.last_I[row] = np.fmax(self.last_I[row], at)
        self.first_I[row] = np.fmin(self.first_I[row], at)

    def features(self, times: Sequence[int], out_FTI: Floats, total_FT: Floats) -> None:
        """Lifted counts of each half-life, -log(1 + age in days), -log(1 + days since last taken), 1[never taken],
        log(1 + count of all time), at some times, and the sum of each. Only age and idleness change with time alone.
        """
        put_trend(
            self.counts_SI, self.recent_RI, self.first_I, self.last_I, float(self.unit_S[-1]), np.array(times, np.float64), DAY_MS,
            FLOOR, out_FTI, total_FT,
        )  # fmt: skip

    def age_of(self, row: int, at: int) -> float:
        """Log(1 + days since an item was first taken), 0 of one that nobody has taken."""
        days = (at - self.first_I[row]) / DAY_MS
        return math.log1p(days) if days > 0 else 0.0

    def young(self, times: Sequence[int]) -> NDArray[np.bool_]:
        """Items that nobody has taken yet at some times, or for the first time in the last seven days, (T, I)."""
        return ~(self.first_I < np.array(times)[:, None] - YOUNG_DAYS * DAY_MS)

    def mend(self) -> None:
        """Counts that are no numbers start again from zero."""
        for one in (self.counts_SI, self.recent_RI):
            np.nan_to_num(one, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _kept(milliseconds: int) -> Doubles:
    """What is left of a count after a while, for each half-life."""
    return np.asarray(0.5 ** (milliseconds / DAY_MS / HALF_LIVES_DAYS))

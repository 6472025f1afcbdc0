"""Past-only statistics of items: how often and how lately they were taken (BLEND, recipe 2).

Legend: S half-lives in time, R half-lives in events, I items, F features.
"""

import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000
HALF_LIVES_DAYS = np.array([1.0, 7.0, 30.0, 36_500.0])
HALF_LIVES_EVENTS = np.array([20.0, 200.0, 2000.0])
_COUNTED = len(HALF_LIVES_DAYS) + len(HALF_LIVES_EVENTS)
AGE, _IDLE, _NEVER, _TOTAL = range(_COUNTED, _COUNTED + 4)
FEATURES = _TOTAL + 1
FLOOR, HIGH_FLOOR = np.float32(0.1), np.float32(10)
"what a share is lifted from; from the high one only what stands far out is told apart"
YOUNG_DAYS = 7.0
_TINY, _LARGEST = 1e-12, 1e12
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

    def features(self, at: int, before: Floats | None = None) -> Floats:
        """Lifted counts of each half-life, -log(1 + age in days), -log(1 + days since last taken), 1[never taken],
        log(1 + count of all time); (F, I).

        `before`: the features at another time with nothing learned in between. Only age and idleness change with time alone.
        """
        if before is None:
            feature_FI = np.empty((FEATURES, len(self.first_I)), np.float32)
            feature_FI[: len(HALF_LIVES_DAYS)], feature_FI[len(HALF_LIVES_DAYS) : _COUNTED] = self.counts_SI, self.recent_RI
            lift(feature_FI[:_COUNTED])
            feature_FI[_NEVER] = np.isnan(self.first_I)
            feature_FI[_TOTAL] = np.log1p(self.counts_SI[-1] / self.unit_S[-1])
        else:
            feature_FI = before.copy()
        feature_FI[AGE], feature_FI[_IDLE] = -_log_days(at, self.first_I), -_log_days(at, self.last_I)
        return feature_FI

    def age_of(self, row: int, at: int) -> float:
        """Log(1 + days since an item was first taken), 0 of one that nobody has taken."""
        return float(_log_days(at, self.first_I[row : row + 1])[0])

    def young(self, at: int) -> NDArray[np.bool_]:
        """Items that nobody has taken yet, or for the first time in the last seven days, (I,)."""
        return ~(self.first_I < at - YOUNG_DAYS * DAY_MS)

    def mend(self) -> None:
        """Counts that are no numbers start again from zero."""
        for one in (self.counts_SI, self.recent_RI):
            np.nan_to_num(one, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _log_days(at: int, since_I: Doubles) -> Doubles:
    days_I = (at - since_I) / DAY_MS
    return np.asarray(np.log1p(np.fmax(days_I, 0, out=days_I)), np.float64)  # no number becomes 0


def lift(value_FI: Floats, floor: Floats | np.float32 = FLOOR) -> None:
    """log(I s_i / sum s + floor) of each row of non-negative statistics, in their place; `floor`: one, or one a row, (F, 1)."""
    totals_F1 = value_FI.sum(axis=-1, keepdims=True)
    value_FI *= value_FI.shape[-1] / np.maximum(totals_F1, _TINY)
    value_FI += floor
    np.log(value_FI, out=value_FI)


def _kept(milliseconds: int) -> Doubles:
    """What is left of a count after a while, for each half-life."""
    return np.asarray(0.5 ** (milliseconds / DAY_MS / HALF_LIVES_DAYS))

"""Passes over the items that make counts and ages features, compiled: what stands beside it in memory is done at once.

In one file, as in passes.py, and for the same reasons.

Legend: B events, I items, F features, S half-lives in time, R half-lives in events, T times.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled, inlined, summed

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_TINY, _SPREADLESS = 1e-12, 1e-6


@inlined
def _log(x: Any) -> Any:  # noqa: ANN401 - a float32, which has no name that numba and the type checker share
    """The logarithm of a positive float32, to a unit or two of the last place, in a loop by vector instructions (Cephes)."""
    bits = np.float32(x).view(np.int32) - np.int32(0x3F3504F3)
    count = np.float32(bits >> np.int32(23))
    rest = np.int32((bits & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)).view(np.float32) - np.float32(1)
    square = rest * rest
    value = np.float32(7.0376836292e-2)
    value = value * rest + np.float32(-1.1514610310e-1)
    value = value * rest + np.float32(1.1676998740e-1)
    value = value * rest + np.float32(-1.2420140846e-1)
    value = value * rest + np.float32(1.4249322787e-1)
    value = value * rest + np.float32(-1.6668057665e-1)
    value = value * rest + np.float32(2.0000714765e-1)
    value = value * rest + np.float32(-2.4999993993e-1)
    value = value * rest + np.float32(3.3333331174e-1)
    value = rest * square * value + count * np.float32(-2.12194440e-4) - np.float32(0.5) * square
    return rest + value + count * np.float32(0.693359375)


@summed
def _total(value_I: Floats) -> Any:  # noqa: ANN401 - as above
    total = np.float32(0)
    for item in range(len(value_I)):
        total += value_I[item]
    return total


@compiled
def _to_lifted(value_I: Floats, floor: Any) -> Any:  # noqa: ANN401 - as above
    """log(I s / sum s + floor) in place of non-negative statistics, and the sum of that; no number where one is none."""
    total = _total(value_I)
    if not np.isfinite(total):
        value_I[:] = np.nan
        return np.float32(np.nan)
    scale = np.float32(len(value_I) / max(total, _TINY))
    for item in range(len(value_I)):
        value_I[item] = _log(value_I[item] * scale + floor)
    return _total(value_I)


@compiled
def to_lifted(value_FBI: Floats, start: int, stop: int, floor_F: Floats, total_FB: Floats) -> None:
    """Lift statistics of some events, each from its floor, and give their sums, which are no number where one is none."""
    for row in range(len(value_FBI)):
        for event in range(start, stop):
            total_FB[row, event] = _to_lifted(value_FBI[row, event], floor_F[row])


@compiled
def _log_days(at: float, since_I: Doubles, day_ms: int, out_I: Floats) -> None:
    """-log(1 + days since a moment), 0 where there was none."""
    for item in range(len(since_I)):
        days = np.float32((at - since_I[item]) / day_ms)
        out_I[item] = -_log(np.float32(1) + (days if days > 0 else np.float32(0)))


@compiled
def put_trend(
    counts_SI: Doubles, recent_RI: Doubles, first_I: Doubles, last_I: Doubles, unit: float, at_T: Doubles, day_ms: int,
    floor: Any, out_FTI: Floats, total_FT: Floats,  # noqa: ANN401 - as above
) -> None:  # fmt: skip
    """The features of some times (`Trend.features`) and their sums, which are no number where a feature is none."""
    S, counted, T = len(counts_SI), len(counts_SI) + len(recent_RI), len(at_T)
    age, idle, never, total = counted, counted + 1, counted + 2, counted + 3
    for row in range(counted):
        value_I, count_I = out_FTI[row, 0], counts_SI[row] if row < S else recent_RI[row - S]
        for item in range(len(value_I)):
            value_I[item] = count_I[item]
        _to_lifted(value_I, floor)
    never_I, total_I, count_I = out_FTI[never, 0], out_FTI[total, 0], counts_SI[S - 1]
    for item in range(len(total_I)):
        never_I[item] = np.float32(0) if first_I[item] == first_I[item] else np.float32(1)
        count = np.float32(count_I[item] / unit)
        total_I[item] = _log(np.float32(1) + count) if count < np.float32(np.inf) else np.float32(np.nan)
    for time in range(T):
        for row in range(len(out_FTI)):
            if time and row not in (age, idle):
                out_FTI[row, time] = out_FTI[row, 0]
        _log_days(at_T[time], first_I, day_ms, out_FTI[age, time])
        _log_days(at_T[time], last_I, day_ms, out_FTI[idle, time])
        for row in range(len(out_FTI)):
            total_FT[row, time] = _total(out_FTI[row, time])


@summed
def to_standard(value_TI: Floats) -> None:
    """Values of each time less their mean, by their spread, in their place."""
    for value_I in value_TI:
        mean, square = np.float32(0), np.float32(0)
        for item in range(len(value_I)):
            mean += value_I[item]
        mean /= np.float32(len(value_I))
        for item in range(len(value_I)):
            value_I[item] -= mean
            square += value_I[item] * value_I[item]
        scale = np.float32(1) / (np.sqrt(square / np.float32(len(value_I))) + np.float32(_SPREADLESS))
        for item in range(len(value_I)):
            value_I[item] *= scale

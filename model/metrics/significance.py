"""How sure a difference is: paired over users, corrected for the number of comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Doubles = NDArray[np.float64]
_RESAMPLES, _LEVEL = 2_000, 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean over users of one system's value less the other's; a bootstrap interval of 95 %; p of the paired t-test, corrected."""

    difference: float
    low: float
    high: float
    p: float


def differences(values: Mapping[str, Doubles], reference: str, seed: int = 0) -> dict[str, Difference]:
    """Each system against the reference; values (U,) by user, NaN where a user has none. Holm's correction over all of them."""
    base_U = values[reference]
    found = {name: _compare(value_U - base_U, seed) for name, value_U in values.items() if name != reference}
    corrected = holm({name: one.p for name, one in found.items()})
    return {name: Difference(one.difference, one.low, one.high, corrected[name]) for name, one in found.items()}


def _compare(delta_U: Doubles, seed: int) -> Difference:
    delta_U = delta_U[~np.isnan(delta_U)]
    mean = float(delta_U.mean()) if len(delta_U) else 0.0
    if len(delta_U) < 2 or np.ptp(delta_U) == 0:  # a constant difference has no spread to test
        return Difference(mean, mean, mean, float(mean == 0))
    drawn = np.random.default_rng(seed).integers(len(delta_U), size=(_RESAMPLES, len(delta_U)))
    low, high = np.quantile(delta_U[drawn].mean(axis=1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Difference(mean, float(low), float(high), float(stats.ttest_1samp(delta_U, 0.0).pvalue))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction: the i-th smallest of n is multiplied by n - i, never falling, at most 1."""
    corrected, highest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, p_values[name] * (len(p_values) - place)))
        corrected[name] = highest
    return {name: corrected[name] for name in p_values}

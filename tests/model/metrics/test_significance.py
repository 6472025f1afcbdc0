"""Differences between systems."""

import numpy as np
import pytest

from model.metrics.significance import differences, holm


def test_holm_by_hand() -> None:
    """The smallest p is multiplied by n, the next by n - 1; the order never turns; nothing exceeds 1."""
    assert {"b": pytest.approx(0.03), "a": pytest.approx(0.04), "c": pytest.approx(0.9)} == holm({"a": 0.02, "b": 0.01, "c": 0.9})
    assert {"a": 1.0, "b": 1.0} == holm({"a": 0.7, "b": 0.6})


def test_difference_and_interval() -> None:
    """The mean difference lies in its interval; a clear one is significant, noise is not; users without values are left out."""
    random = np.random.default_rng(1)
    base_U = random.random(200)
    noise_U = random.standard_normal(200)
    values = {"base": base_U, "better": base_U + 0.1 + 0.01 * noise_U, "noise": base_U + 0.1 * random.standard_normal(200)}
    values = {name: np.append(value_U, np.nan) for name, value_U in values.items()}
    found = differences(values, "base")
    assert {"better", "noise"} == found.keys()
    assert pytest.approx(0.1, abs=0.005) == found["better"].difference
    assert found["better"].low < found["better"].difference < found["better"].high
    assert 1e-6 > found["better"].p
    assert 0.05 < found["noise"].p
    assert found["noise"].low < 0 < found["noise"].high


def test_equal_systems() -> None:
    """A system against its twin: no difference, p = 1."""
    one = differences({"a": np.ones(3), "b": np.ones(3)}, "a")["b"]
    assert (0.0, 0.0, 0.0, 1.0) == (one.difference, one.low, one.high, one.p)

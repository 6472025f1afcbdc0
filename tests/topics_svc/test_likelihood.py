"""Plateau and Minka's fixed point (the joint itself is checked against the twin)."""

from math import lgamma

import numpy as np
import pytest

from topics_svc.likelihood import _rising, fixed_point, on_plateau


def test_table_and_large_counts() -> None:
    """The sum of log-gamma ratios is that of lgamma, for counts inside and beyond the table."""
    counts = np.array([[0, 1, 2, 4095], [4096, 5000, 100_000, 0]])
    assert sum(lgamma(n + 0.01) - lgamma(0.01) for n in counts.ravel()) == pytest.approx(_rising(counts, 0.01), rel=1e-12)


def test_fixed_point_finds_the_prior() -> None:
    """Counts drawn under a symmetric Dirichlet of 0.3 lead back to about 0.3 from far away."""
    random = np.random.default_rng(0)
    counts = np.array([random.multinomial(200, random.dirichlet(np.full(10, 0.3))) for _ in range(500)])
    prior = 5.0
    for _ in range(300):
        prior = fixed_point(counts, prior)
    assert 0.3 == pytest.approx(prior, rel=0.05)


def test_fixed_point_without_counts() -> None:
    """Without any count the prior stays."""
    assert 0.5 == fixed_point(np.zeros((3, 4), np.int64), 0.5)


def test_plateau() -> None:
    """A plateau needs twenty sweeps, of which the last ten hardly rise."""
    rising = [-1000.0 + 10 * n for n in range(20)]
    assert not on_plateau(rising[:19], 0.5)
    assert not on_plateau(rising, 0.01)
    assert on_plateau(rising, 0.2)
    assert not on_plateau([-5.0] * 40, 0.0)
    assert on_plateau([-5.0] * 20, 1e-6)

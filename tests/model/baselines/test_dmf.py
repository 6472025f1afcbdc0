"""DMF against plain loops (ALGORITHMS 2.1)."""

import numpy as np
import pytest

from model.baselines.dmf import DMF, Config, gradient, objective
from tests.model.baselines.small import events, run, training

CASES = [(loss, w, ridge) for loss in ("squared", "absolute") for w in (1.0, 0.1) for ridge in (0.0, 0.3)]


def _plain(x: list[float], rows: list[list[float]], taken: set[int], loss: str, w: float, ridge: float) -> float:
    """The terms of L that a row takes part in, entry by entry, less the constants of the code (1 and 0 of what is not there)."""
    total = 0.0
    for number, other in enumerate(rows):
        p = sum(a * b for a, b in zip(x, other, strict=True))
        if number in taken:
            total += (1 - p) ** 2 if loss == "squared" else abs(1 - p)
        else:
            total += w * p * p if loss == "squared" else w * abs(p)
    return total + ridge * sum(a * a for a in x)


@pytest.mark.parametrize(("loss", "w", "ridge"), CASES)
def test_objective_and_gradient(loss: str, w: float, ridge: float) -> None:
    """The closed forms equal the sum over all entries, and its differences, to 1e-10 and 1e-6."""
    random = np.random.default_rng(1)
    rows_NR, x_R, taken = random.random((6, 4)), random.random(4) * 0.4, [1, 4]
    config = Config(w, ridge, loss, 4)
    sums = rows_NR[taken], rows_NR.T @ rows_NR, rows_NR.sum(axis=0)
    rows = rows_NR.tolist()
    assert _plain(x_R.tolist(), rows, set(taken), loss, w, ridge) == pytest.approx(objective(x_R, *sums, config.terms), abs=1e-10)
    slopes = []
    for place in range(4):
        up, down = x_R.copy(), x_R.copy()
        up[place] += 1e-6
        down[place] -= 1e-6
        pair = [_plain(one.tolist(), rows, set(taken), loss, w, ridge) for one in (up, down)]
        slopes.append((pair[0] - pair[1]) / 2e-6)
    assert slopes == pytest.approx(gradient(x_R, *sums, config.terms).tolist(), abs=1e-6)


def test_sums_are_kept() -> None:
    """After a fit and a stream of updates the running sums equal those of the rows; nothing is negative."""
    log = events(90)
    ranker = DMF(features=4)
    ranker.fit(training(log))
    run(ranker, log, 60)
    for side in (ranker.users, ranker.items):
        assert 0 <= side.rows_NR.min()
        np.testing.assert_allclose(side.rows_NR.T @ side.rows_NR, side.all_RR, atol=1e-9)
        np.testing.assert_allclose(side.rows_NR.sum(axis=0), side.all_R, atol=1e-9)


def test_a_step_never_raises_the_loss() -> None:
    """A new interaction lowers the part of L that its two rows take part in, or leaves it."""
    log = events(75)
    ranker = DMF(features=4)
    ranker.fit(training(log))
    before = ranker.rank([log[70]])[0, log[70].item]
    ranker.learn([log[70]], updates=True)
    assert before <= ranker.rank([log[70]])[0, log[70].item]

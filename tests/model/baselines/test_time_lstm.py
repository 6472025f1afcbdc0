"""Time-LSTM cells against plain loops in float64 (ALGORITHMS 4)."""

from collections.abc import Callable
from math import tanh

import pytest
import torch

from model import ModelError
from model.baselines.time_lstm import TimeCell

E, H = 3, 4


def _s(value: float) -> float:
    return 0.5 * (1 + tanh(value / 2))


def _plain(
    cell: TimeCell, x: list[float], dt: float, h: list[float], C: list[float], n: Callable[[float], float]
) -> tuple[list[float], list[float]]:
    """One step, number by number."""
    W, U, b = cell.W.tolist(), cell.U.tolist(), cell.b.tolist()

    def z(gate: int, k: int) -> float:
        column = gate * H + k
        recurrent = sum(h[j] * U[j][column] for j in range(H)) if gate < 4 else 0.0
        return float(sum(x[j] * W[j][column] for j in range(E)) + recurrent + b[column])

    out_h, out_C = [], []
    for k in range(H):
        i = _s(z(0, k) + cell.w_ci.tolist()[k] * C[k])
        a = tanh(z(2, k))
        T1 = _s(z(4, k) + n(dt * cell.W_t1.tolist()[k]))
        T2 = _s(z(5, k) + n(dt * cell.W_t2.tolist()[k]))
        f = _s(z(1, k) + cell.w_cf.tolist()[k] * C[k])
        shown, carried = {
            1: (f * C[k] + i * T1 * a, f * C[k] + i * T1 * a),
            2: (f * C[k] + i * T1 * a, f * C[k] + i * T2 * a),
            3: ((1 - i * T1) * C[k] + i * T1 * a, (1 - i) * C[k] + i * T2 * a),
        }[cell.variant]
        o = _s(z(3, k) + dt * cell.W_to.tolist()[k] + cell.w_co.tolist()[k] * shown)
        out_h.append(o * tanh(shown))
        out_C.append(carried)
    return out_h, out_C


@pytest.mark.parametrize("dt", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("inner", ["sigmoid", "tanh"])
@pytest.mark.parametrize("variant", [1, 2, 3])
def test_cell(variant: int, inner: str, dt: float) -> None:
    """Each variant equals its equations to 1e-10, for no gap, a mean one and a huge one."""
    draw = torch.Generator().manual_seed(variant)
    cell = TimeCell(variant, E, H, inner).double()
    for parameter in cell.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    x, h, C = (torch.randn(1, size, generator=draw, dtype=torch.float64) for size in (E, H, H))
    found_h, found_C = cell(x @ cell.W + cell.b, torch.tensor([[dt]], dtype=torch.float64), h, C)
    expected_h, expected_C = _plain(cell, x[0].tolist(), dt, h[0].tolist(), C[0].tolist(), _s if inner == "sigmoid" else tanh)
    assert expected_h == pytest.approx(found_h[0].tolist(), abs=1e-10)
    assert expected_C == pytest.approx(found_C[0].tolist(), abs=1e-10)


def test_first_time_gate_closes_with_time() -> None:
    """In the variants 2 and 3 W_t1 is never positive, so a longer gap never opens T1; variant 1 has no such bound."""
    for variant in (2, 3):
        cell = TimeCell(variant, E, H)
        cell.raw_t1.data.fill_(5.0)
        assert 0 >= float(cell.W_t1.detach().max())
    assert pytest.approx(0.0) == float(TimeCell(1, E, H).W_t1.detach().max())


def test_no_such_variant() -> None:
    """A variant that does not exist is refused."""
    with pytest.raises(ModelError, match="variant 4"):
        TimeCell(4, E, H)

"""A step of the recurrence forwards and backwards, compiled, between products that torch makes in bfloat16 (model/recurrence.py).

Products and what they are made of are given as the codes of bfloat16 numbers, all else is float32.

Legend: T steps, B users, n active at a step (the first ones), H hidden, P steps before the window that attention sees, S = P + T.
K = 6 H, O = 4 H: what is made of h; R = 2 H: what is made of h_A. Z = T + 1: the state before each step, and after the last.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled, inlined, summed

Floats = NDArray[np.float32]
Codes = NDArray[np.uint16]
_FURTHEST = 7.905311  # where tanh is 1 in float32


@inlined
def _wide(code: Any) -> Any:  # noqa: ANN401 - a bfloat16, which has no name that numba and the type checker share
    return np.uint32(np.uint32(code) << np.uint32(16)).view(np.float32)


@inlined
def _code(value: Any) -> Any:  # noqa: ANN401 - as above
    """The nearest bfloat16, of two the even one."""
    bits = np.float32(value).view(np.uint32)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@inlined
def _tanh(x: Any) -> Any:  # noqa: ANN401 - as above
    """A quotient of polynomials, right to some units of the last place (that of the Eigen library), so that loops become vectors."""
    x = min(max(x, np.float32(-_FURTHEST)), np.float32(_FURTHEST))
    s = x * x
    over = np.float32(-2.76076847742355e-16) * s + np.float32(2.00018790482477e-13)
    over = over * s + np.float32(-8.60467152213735e-11)
    over = over * s + np.float32(5.12229709037114e-08)
    over = over * s + np.float32(1.48572235717979e-05)
    over = over * s + np.float32(6.37261928875436e-04)
    over = over * s + np.float32(4.89352455891786e-03)
    under = np.float32(1.19825839466702e-06) * s + np.float32(1.18534705686654e-04)
    under = under * s + np.float32(2.26843463243900e-03)
    under = under * s + np.float32(4.89352518554385e-03)
    return x * over / under


@inlined
def _sigmoid(x: Any) -> Any:  # noqa: ANN401 - as above
    return np.float32(0.5) + np.float32(0.5) * _tanh(np.float32(0.5) * x)


@summed
def put_read(step: int, n: int, kept: int, weights_BTS: Floats, h_SBH: Floats, h_A_TBH: Codes) -> None:
    """What attention reads of the `kept` steps before, at most."""
    H, last = h_SBH.shape[2], h_SBH.shape[0] - h_A_TBH.shape[0] + step
    sum_H = np.empty(H, np.float32)
    for row in range(n):
        sum_H[:] = 0
        for past in range(max(0, last - kept), last):
            weight, h_H = weights_BTS[row, step, past], h_SBH[past, row]
            for place in range(H):
                sum_H[place] += weight * h_H[place]
        for place in range(H):
            h_A_TBH[step, row, place] = _code(sum_H[place])


@compiled
def put_step(
    step: int, of_h_On: Codes, of_h_A_Rn: Codes, z_TBK: Codes, rest_TB: Floats, left_TB: Floats, gate_TBK: Floats, C_ZBH: Floats,
    h_SBH: Floats, h_ZBH: Codes,
) -> None:  # fmt: skip
    """Gates, C and h (eq. 5-7); without attention `of_h_A_Rn` is empty and its gates stay as they are."""
    H, R = C_ZBH.shape[2], of_h_A_Rn.shape[0]
    at = h_SBH.shape[0] - gate_TBK.shape[0] + step
    for row in range(of_h_On.shape[1]):
        gate_K, z_K, C_H = gate_TBK[step, row], z_TBK[step, row], C_ZBH[step + 1, row]
        for place in range(4 * H):
            gate_K[place] = _wide(of_h_On[place, row]) + _wide(z_K[place])
        for place in range(R):
            gate_K[4 * H + place] = _wide(of_h_A_Rn[place, row]) + _wide(z_K[4 * H + place])
        for place in range(3 * H):
            gate_K[place] = _sigmoid(gate_K[place])
        rest, left = rest_TB[step, row], left_TB[step, row]
        for place in range(H):
            gate_K[3 * H + place] = _tanh(gate_K[3 * H + place])
            C_H[place] = left * gate_K[H + place] * C_ZBH[step, row, place] + rest * gate_K[place] * gate_K[3 * H + place]
        for place in range(H if R else 0):
            gate_K[4 * H + place] = _sigmoid(gate_K[4 * H + place])
            gate_K[5 * H + place] = _tanh(gate_K[5 * H + place])
            C_H[place] += gate_K[4 * H + place] * gate_K[5 * H + place]
        for place in range(H):
            h = gate_K[2 * H + place] * _tanh(C_H[place])
            h_SBH[at, row, place] = h
            h_ZBH[step + 1, row, place] = _code(h)


@summed
def put_slopes(
    step: int, given_nH: Floats, of_own_Hn: Codes, of_read_Hn: Codes, kept: int, weights_BTS: Floats, rest_TB: Floats,
    left_TB: Floats, gate_TBK: Floats, C_ZBH: Floats, slope_C_BH: Floats, slope_A_TBH: Floats, own_TBO: Codes, read_TBR: Codes,
) -> None:  # fmt: skip
    """Slopes of z of the gates that h goes into, and of those that h_A does, from those of h as `given` and of the step after.

    `of_own_Hn`, `of_read_Hn`: of the users of the step after, the slopes of its h and h_A through U and U_A.
    """
    T, H, n_after = gate_TBK.shape[0], C_ZBH.shape[2], of_own_Hn.shape[1]
    column = weights_BTS.shape[2] - T + step
    for row in range(of_read_Hn.shape[1]):
        for place in range(H):
            slope_A_TBH[step + 1, row, place] = _wide(of_read_Hn[place, row])
    slope_H = np.empty(H, np.float32)
    for row in range(given_nH.shape[0]):
        gate_K, own_O, read_R, slope_C_H = gate_TBK[step, row], own_TBO[step, row], read_TBR[step, row], slope_C_BH[row]
        slope_H[:] = given_nH[row]
        for place in range(H if row < n_after else 0):
            slope_H[place] += _wide(of_own_Hn[place, row])
        for later in range(step + 1, min(T, step + 1 + kept)):
            weight, slope_A_H = weights_BTS[row, later, column], slope_A_TBH[later, row]
            for place in range(H):
                slope_H[place] += weight * slope_A_H[place]
        rest, left, one = rest_TB[step, row], left_TB[step, row], np.float32(1)
        for place in range(H):
            i, f, o, c = gate_K[place], gate_K[H + place], gate_K[2 * H + place], gate_K[3 * H + place]
            tanh = _tanh(C_ZBH[step + 1, row, place])
            slope = slope_C_H[place] + slope_H[place] * o * (one - tanh * tanh)
            own_O[place] = _code(slope * c * rest * i * (one - i))
            own_O[H + place] = _code(slope * C_ZBH[step, row, place] * left * f * (one - f))
            own_O[2 * H + place] = _code(slope_H[place] * tanh * o * (one - o))
            own_O[3 * H + place] = _code(slope * i * rest * (one - c * c))
            slope_C_H[place] = slope * f * left
            slope_H[place] = slope
        for place in range(H):  # without attention these gates are zero
            a_i, a_c = gate_K[4 * H + place], gate_K[5 * H + place]
            read_R[place] = _code(slope_H[place] * a_c * a_i * (one - a_i))
            read_R[H + place] = _code(slope_H[place] * a_i * (one - a_c * a_c))

"""Passes over what users' memories keep, compiled: float16 is read as it lies there, user by user, and nothing is padded.

Sums are made in any order; a user's do not depend on who else is in the wave.

Legend: M length of x, H hidden, S past steps of a user. Past steps are given as the bits of float16 numbers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import inlined, summed

Floats = NDArray[np.float32]
Bits = NDArray[np.uint16]
_SIZE, _SIGN, _INFINITE = 0x7FFF, 0x8000, 0x7C00  # of a float16: all but its sign, its sign, and above which no numbers are
_UP = 2.0**112  # between the exponents of a float16 and those of a float32


def bits_of(past: NDArray[np.floating]) -> Bits:
    """Float16 numbers as bits: a copy, because memory that may not be written to would be compiled for anew."""
    return np.array(past, np.float16).view(np.uint16)


@inlined
def _wide(half: Any) -> Any:  # noqa: ANN401 - bits of a float16, which has no name that numba and the type checker share
    """A float16 as a float32, the same number, in integers, so that a loop of it becomes vector instructions."""
    bits = np.uint32(half)
    value = np.uint32((bits & np.uint32(_SIZE)) << np.uint32(13) | (bits & np.uint32(_SIGN)) << np.uint32(16)).view(np.float32)
    return value * np.float32(_UP) if (bits & np.uint32(_SIZE)) < np.uint32(_INFINITE) else np.float32(np.nan)


@summed
def put_read(x_M: Floats, past_x_SM: Bits, past_h_SH: Bits, weight_S: Floats, h_A_H: Floats) -> None:
    """Attention of one user over his past (eq. 3, 4; `attention_weights`): weights and h_A."""
    own, total = np.float32(0), np.float32(0)
    for place in range(len(x_M)):
        own += x_M[place] * x_M[place]
    for step in range(len(weight_S)):
        product, square = np.float32(0), np.float32(0)
        for place in range(len(x_M)):
            past = _wide(past_x_SM[step, place])
            product += x_M[place] * past
            square += past * past
        lengths = np.sqrt(own) * np.sqrt(square)
        weight_S[step] = np.exp(product / lengths) if lengths > 0 else np.float32(1)
        total += weight_S[step]
    h_A_H[:] = 0
    for step in range(len(weight_S)):
        weight_S[step] /= total
        weight = weight_S[step]
        for place in range(len(h_A_H)):
            h_A_H[place] += weight * _wide(past_h_SH[step, place])


@summed
def put_profile(past_x_SM: Bits, decay: float, profile_M: Floats) -> None:
    """The sum of a user's windows, oldest first, each decayed once for itself and once for each that came after it."""
    for step in range(len(past_x_SM)):
        for place in range(len(profile_M)):
            profile_M[place] = (profile_M[place] + _wide(past_x_SM[step, place])) * np.float32(decay)

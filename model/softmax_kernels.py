"""Loops over logits in bfloat16, compiled: a table gives what torch would take several passes for.

Legend: P items, N steps, C codes of a bfloat16.
"""

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled

Floats = NDArray[np.float32]
Codes = NDArray[np.uint16]


@compiled
def add_exponentials(codes_PN: Codes, exp_C: Floats, total_N: Floats) -> None:
    """Add the exponentials of all items to each step's sum."""
    for item in range(codes_PN.shape[0]):
        for step in range(codes_PN.shape[1]):
            total_N[step] += exp_C[codes_PN[item, step]]


@compiled
def to_slopes(codes_PN: Codes, slope_C: Floats, scale_N: Floats) -> None:
    """Write the slope of each logit, times the step's scale, in its place; to the nearest bfloat16, halves to the even one."""
    slope_N = np.empty(codes_PN.shape[1], np.float32)
    bits_N = slope_N.view(np.uint32)
    for item in range(codes_PN.shape[0]):
        for step in range(codes_PN.shape[1]):
            slope_N[step] = slope_C[codes_PN[item, step]] * scale_N[step]
        for step in range(codes_PN.shape[1]):
            odd = (bits_N[step] >> 16) & 1
            codes_PN[item, step] = (bits_N[step] + 0x7FFF + odd) >> 16

"""The memory of a user: h, C and the bounded past (X, H) that attention looks at.

Legend: M length of x, H hidden, L past steps kept, n <= L of them there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import ModelConfig
from model.step import Step

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """An immutable value; `h_H` holds float16 values, so a list does not depend on what is cached and what was stored."""

    h_H: NDArray[np.float32]
    C_H: NDArray[np.float32]
    past_x: Half
    past_h: Half
    steps: int

    @classmethod
    def empty(cls, config: ModelConfig) -> "Memory":
        """The memory of a user without steps: zeros (default 6)."""
        return cls(
            np.zeros(config.hidden, np.float32),
            np.zeros(config.hidden, np.float32),
            np.zeros((0, config.width), np.float16),
            np.zeros((0, config.hidden), np.float16),
            0,
        )

    def after(self, step: Step, h_H: NDArray[np.float32], C_H: NDArray[np.float32], past: int) -> "Memory":
        """The memory once a step has given h and C; `past` is how many steps are kept."""
        rounded_H = h_H.astype(np.float16)
        keep = max(0, len(self.past_x) + 1 - past)
        return Memory(
            rounded_H.astype(np.float32),
            C_H.astype(np.float32),
            np.concatenate([self.past_x[keep:], step.x_M.astype(np.float16)[None]]),
            np.concatenate([self.past_h[keep:], rounded_H[None]]),
            self.steps + 1,
        )

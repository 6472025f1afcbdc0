"""What the scores of a ranking are made of: features times weights, summed by term.

Legend: B events, F features, I items, n items asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.blend.event import Block, Floats
from model.blend.parts import TERM_F, TERMS


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Of the events of a ranking; holds until something is learned."""

    blocks: Sequence[tuple[slice, Block]]
    weight_B2F: Floats
    "of each feature for all items, and what is added to it for young ones"

    def of(self, row_n: NDArray[np.int64], item_n: NDArray[np.int64]) -> Mapping[str, Floats]:
        """The terms of some items' scores, each for the user in its row, by name: (n,) each."""
        term_Tn = np.zeros((len(TERMS), len(item_n)), np.float32)
        for some, block in self.blocks:
            (here_m,) = np.nonzero((some.start <= row_n) & (row_n < some.stop))
            row_m, item_m = row_n[here_m], item_n[here_m]
            own_m = row_m - some.start
            young_m = block.young_TI[block.time_B[own_m], item_m]
            weight_mF = self.weight_B2F[row_m, 0] + self.weight_B2F[row_m, 1] * young_m[:, None]
            part_Fm = block.of(own_m, item_m) * weight_mF.T
            for term in range(len(TERMS)):
                term_Tn[term, here_m] = part_Fm[term == TERM_F].sum(axis=0)
        return dict(zip(TERMS, term_Tn, strict=True))

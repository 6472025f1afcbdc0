"""What the scores of a ranking are made of: features times weights, summed by term.

Legend: B events, F features, I items, n items asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.blend.event import Block, Floats, Longs
from model.blend.parts import TERM_F, TERMS


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Of the events of a ranking; holds until something is learned."""

    blocks: Sequence[tuple[slice, Block]]
    weight_B2F: Floats
    "of each feature for all items, and what is added to it for young ones"

    def of(self, row_n: Longs, item_n: Longs) -> Mapping[str, Floats]:
        """The terms of some items' scores, each for the user in its row, by name: (n,) each."""
        part_Fn = self.weights(row_n, item_n).T
        for some, block in self.blocks:
            (here_m,) = _within(some, row_n)
            part_Fn[:, here_m] *= block.of(row_n[here_m] - some.start, item_n[here_m])
        return {name: part_Fn[term == TERM_F].sum(axis=0) for term, name in enumerate(TERMS)}

    def weights(self, row_n: Longs, item_n: Longs) -> Floats:
        """What each feature weighs in some items' scores, each for the user in its row, (n, F)."""
        young_n = np.zeros(len(item_n), np.float32)
        for some, block in self.blocks:
            (here_m,) = _within(some, row_n)
            young_n[here_m] = block.young_TI[block.time_B[row_n[here_m] - some.start], item_n[here_m]]
        return np.asarray(self.weight_B2F[row_n, 0] + self.weight_B2F[row_n, 1] * young_n[:, None], np.float32)


def _within(some: slice, row_n: Longs) -> tuple[Longs, ...]:
    return np.nonzero((some.start <= row_n) & (row_n < some.stop))

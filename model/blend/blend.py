"""The blend: heads of the network, statistics, texts and posts, weighed as the stream teaches (BLEND, recipe).

    score_i = sum_e a_e (log p_e(i) + 8) + sum_j w_j f_j(i)        a, w: other ones where item i is young

Interactions of one time are all ranked, then learned one after the other by the weights; heads and statistics take them in when the
time is over, so that the weights learn from what had seen no more than what was ranked.

Legend: B events, I items, E heads of the network, D directions of h, F features, V length of v. h_BED: what each head sees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.event import Floats, Seen, Waited
from model.blend.features import Statistics
from model.blend.heads import APART
from model.blend.kernels import weigh
from model.blend.parts import OWN, PLACES, START, TERM_F, TERMS
from model.blend.posts import ByTopic
from model.blend.state import read, write
from model.blend.view import Teacher, View
from model.blend.weights import Weights


class Blend:
    """All that learns online in preset `full`; rows are those of the recommender's items and users."""

    def __init__(self, W_IH: Tensor, b_I: Tensor, width: int = 0, without: Sequence[str] = ()) -> None:
        self.view = View.of(W_IH)
        self.statistics, self.weights = Statistics(self.view.seen(W_IH.detach()), b_I, width), Weights(START)
        self.waiting: list[Waited] = []
        self.leave_out(without)

    def leave_out(self, parts: Sequence[str]) -> None:
        """Go on without these parts (model/blend/parts.py), with all others."""
        self.statistics.without = frozenset(parts)
        self.statistics.changed()
        self.weights.contexts, self.weights.learning = "contexts" not in parts, "learning" not in parts
        self.weights.young = "young" not in parts

    def place(self, row: int, bias: float) -> None:
        """A row for a new item, which may have been another's."""
        self.statistics.place(row, bias)
        self.waiting[:APART] = [replace(one, own_GI=None) for one in self.waiting[:APART]]

    # ---- rank ----

    def scores(self, h_BED: Tensor, v_BV: Floats, seen: Sequence[Seen]) -> tuple[Floats, dict[str, Floats]]:
        """Scores (B, I), and the terms that sum to them, by name."""
        term_BTI = np.empty((len(seen), len(TERMS), self.statistics.rows), np.float32)
        score_BI = np.empty((len(seen), self.statistics.rows), np.float32)
        for some, block in self.statistics.blocks(h_BED, v_BV, seen):
            weight_B2F = self._weights(block.seen) * block.good_BF[:, None]
            for row, (term_TI, weight_2F) in enumerate(zip(term_BTI[some], weight_B2F, strict=True)):
                (own_GI, trend_HI), young_I = block.features(row), block.young_BI[row]
                term_TI[:] = 0
                weigh(own_GI, young_I, weight_2F[:, :OWN], TERM_F[:OWN], term_TI)
                weigh(trend_HI, young_I, weight_2F[:, OWN:], TERM_F[OWN:], term_TI)
                term_TI.sum(axis=0, out=score_BI[some.start + row])
        return score_BI, {name: term_BTI[:, row] for row, name in enumerate(TERMS)}

    def net(self, h_BED: Tensor, seen: Sequence[Seen], rows: Sequence[int]) -> Floats:
        """The net's term of some items, (B, n), as in `scores`."""
        feature_EBn = self.statistics.net(h_BED, rows)
        weight_B2E = self._weights(seen)[:, :, PLACES["net"]]
        young_Bn = self.statistics.young(seen)[:, list(rows)]
        all_2Bn = np.einsum("bje,ebn->jbn", weight_B2E, feature_EBn)
        return np.asarray(all_2Bn[0] + all_2Bn[1] * young_Bn, np.float32)

    def _weights(self, seen: Sequence[Seen]) -> Floats:
        return np.stack([self.weights.of(one.context) for one in seen])

    def by_topic(self, v_BV: Floats, seen: Sequence[Seen], networks: int) -> ByTopic:
        """What the term `posts` of these events' scores is made of."""
        weight_B2 = self._weights(seen)[:, :, PLACES["posts"].start]
        if "posts" in self.statistics.without:
            weight_B2[:] = 0
        return ByTopic(self.statistics.posts, v_BV, weight_B2, self.statistics.young(seen), networks)

    # ---- learn ----

    def learn(self, h_BED: Tensor, v_BV: Floats, items: Sequence[int], seen: Sequence[Seen]) -> tuple[float, list[int]]:
        """The weights learn one event after the other; all else waits for the end of the time.

        Gives the mean loss before each, and the events that teach.
        """
        losses, teaching, good = [], [], []
        for some, block in self.statistics.blocks(h_BED, v_BV, seen):
            keeps = len(self.waiting) + len(block.seen) <= APART
            good.append(block.good_BF)
            for event, (young_I, item, one) in enumerate(zip(block.young_BI, items[some], block.seen, strict=True)):
                teaches = self.statistics.influence.teaches(one.user, item, one.at)
                owned = [*one.past, *self.statistics.history.of(one.user)]
                features = block.features(event)
                losses.append(self.weights.learn(features, young_I, item, owned, one.context, teaches=teaches))
                if teaches:
                    row = some.start + event
                    teaching.append(row)
                    self.waiting.append(Waited(item, one, v_BV[row], h_BED[row], features[0] if keeps else None))
        self.statistics.mend(np.concatenate(good))
        return float(np.mean(losses)), teaching

    def count(self, item: int, v_V: Floats, seen: Seen) -> None:
        """Let an event feed the statistics only."""
        if self.statistics.influence.teaches(seen.user, item, seen.at):
            self.waiting.append(Waited(item, seen, v_V))

    def settle(self) -> None:
        """The time is over: heads and statistics take in its events one after the other."""
        if self.waiting:
            waited, self.waiting = self.waiting, []
            self.statistics.learn(waited)

    def middle(self) -> Teacher:
        """The mean of the heads of the network, as they have learned up to now."""
        heads = self.statistics.heads
        for one in heads:
            one.add()
        W_EID, b_EI = torch.stack([one.W_IH for one in heads]), torch.stack([one.b_I for one in heads])
        return Teacher(W_EID.mean(dim=0), b_EI.mean(dim=0), self.view)

    # ---- state ----

    def state(self) -> dict[str, Tensor]:
        """Everything, by name; nothing may be waiting."""
        return {f"blend.{name}": torch.from_numpy(np.ascontiguousarray(value)) for name, value in write(self).items()}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], width: int, without: Sequence[str] = ()) -> "Blend":
        """The blend of a state; CheckpointError where a part is missing."""
        found: dict[str, NDArray[np.generic]] = {
            name.removeprefix("blend."): value.numpy().copy() for name, value in tensors.items() if name.startswith("blend.")
        }
        one = cls(torch.zeros(0, 0), torch.zeros(0), width, without)
        read(one, found)
        return one

"""The blend: heads of the network, statistics, texts and posts, weighed as the stream teaches (BLEND, recipe).

    score_i = sum_e a_e (log p_e(i) + 8) + sum_j w_j f_j(i)        a, w: other ones where item i is young

Interactions of one time are all ranked, then learned one after the other by the weights; heads and statistics take them in when the
time is over, so that the weights learn from what had seen no more than what was ranked.

Legend: B events, I items, E heads of the network, D directions of h, F features, V length of v. h_BED: what each head sees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.event import Floats, Seen, Waited, times_of
from model.blend.features import Statistics
from model.blend.heads import APART
from model.blend.parts import PLACES, START
from model.blend.passes import put_scores
from model.blend.posts import ByTopic
from model.blend.state import read, write
from model.blend.terms import Terms
from model.blend.variety import giving_way, stays
from model.blend.view import Teacher, View
from model.blend.weights import Weights
from model.threads import all_of, halves


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

    def scores(self, see: Callable[[int], Tensor], v_BV: Floats, seen: Sequence[Seen]) -> tuple[Floats, Terms]:
        """Scores (B, I), and the terms that sum to them. `see`: what a head of the network sees, (B, D); asked for beside all else."""
        score_BI = np.empty((len(seen), self.statistics.rows), np.float32)
        weight_B2F, blocks = self._weights(seen), list(self.statistics.blocks(see, v_BV, seen))
        for some, block in blocks:
            weight_B2F[some] *= block.good_BF[:, None]
            given = block.own_GBI, block.trend_HTI, block.young_TI, block.time_B, weight_B2F[some]
            all_of([partial(put_scores, *given, one.start, one.stop, score_BI[some]) for one in halves(len(block.seen))])
        return score_BI, Terms(blocks, weight_B2F)

    def net(self, h_BED: Tensor, seen: Sequence[Seen], rows: Sequence[int]) -> Floats:
        """The net's term of some items, (B, n), as in `scores`."""
        feature_EBn = self.statistics.net(h_BED, rows)
        weight_B2E = self._weights(seen)[:, :, PLACES["net"]]
        times, time_B = times_of(seen)
        young_Bn = self.statistics.trend.young(times)[time_B][:, list(rows)]
        all_2Bn = np.einsum("bje,ebn->jbn", weight_B2E, feature_EBn)
        return np.asarray(all_2Bn[0] + all_2Bn[1] * young_Bn, np.float32)

    def _weights(self, seen: Sequence[Seen]) -> Floats:
        by_context = {context: self.weights.of(context) for context in {one.context for one in seen}}
        return np.stack([by_context[one.context] for one in seen])

    def by_topic(self, v_BV: Floats, terms: Terms, networks: int) -> ByTopic:
        """What the term `posts` of these events' scores is made of."""
        place, there = PLACES["posts"].start, "posts" not in self.statistics.without
        return ByTopic(self.statistics.posts, v_BV, lambda row_n, item_n: terms.weights(row_n, item_n)[:, place] * there, networks)

    def leaving(self, best: Sequence[int], size: int) -> list[int]:
        """Places of those of a ranking's best items (rows) that give way to others in a list of that size."""
        if "variety" in self.statistics.without or len(best) <= size:
            return []
        staying = stays(size)
        alike_n = self.statistics.neighbours.alike(best[staying:], best[:staying])
        return giving_way(alike_n, staying, len(best) - size)

    # ---- learn ----

    def learn(
        self, h_BED: Tensor, v_BV: Floats, items: Sequence[int], seen: Sequence[Seen]
    ) -> tuple[Callable[[], float], list[int]]:
        """What lets the weights learn, one event after the other, and gives the mean loss before each; all else waits for `settling`.

        Also the events that teach.
        """
        influence, history = self.statistics.influence, self.statistics.history
        teaches = [influence.teaches(one.user, item, one.at) for one, item in zip(seen, items, strict=True)]
        owned = [[*one.past, *history.of(one.user)] for one in seen]
        blocks = list(self.statistics.blocks(lambda head: h_BED[:, head], v_BV, seen))
        keeps = len(self.waiting) + sum(teaches) <= APART
        for some, block in blocks:
            for row in range(some.start, some.stop):
                if teaches[row]:
                    own_GI = block.own_GBI[:, row - some.start] if keeps else None
                    self.waiting.append(Waited(items[row], seen[row], v_BV[row], h_BED[row], own_GI))
        self.statistics.mend(np.concatenate([block.good_BF for _, block in blocks]))

        def weigh() -> float:
            losses = [self.weights.learn(block, items[some], owned[some], teaches[some]) for some, block in blocks]
            return float(np.mean(np.concatenate(losses)))

        return weigh, [row for row, one in enumerate(teaches) if one]

    def count(self, item: int, v_V: Floats, seen: Seen) -> None:
        """Let an event feed the statistics only."""
        if self.statistics.influence.teaches(seen.user, item, seen.at):
            self.waiting.append(Waited(item, seen, v_V))

    def settling(self) -> tuple[list[Callable[[], object]], list[Callable[[], object]]]:
        """The time is over: what lets the heads of the network, and all else, take in its events, each beside the others."""
        waited, self.waiting = self.waiting, []
        return self.statistics.learning_net(waited), self.statistics.learning(waited)

    def teacher(self) -> Teacher:
        """The mean of the heads of the network, as they are now."""
        heads = self.statistics.heads
        for one in heads:
            one.add()
        W_ID, b_I = (_mean([getattr(one, name) for one in heads]) for name in ("W_IH", "b_I"))
        return Teacher(W_ID, b_I, self.view)

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


def _mean(some: Sequence[Tensor]) -> Tensor:
    mean = some[0] / len(some)
    for one in some[1:]:
        mean.add_(one, alpha=1 / len(some))
    return mean

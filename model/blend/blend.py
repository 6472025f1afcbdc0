"""The blend: heads of the network, trend and neighbours, weighed as the stream teaches (BLEND, recipe).

    score_i = sum_e a_e (log p_e(i) + 8) + sum_j w_j f_j(i)

Interactions of one time are all ranked, then learned one after the other by the weights; heads and statistics take them in when the
time is over, so that the weights learn from what had seen no more than what was ranked.

Legend: B events, I items, H hidden, F features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend.heads import RATES, Head
from model.blend.neighbours import Neighbours
from model.blend.peers import Peers
from model.blend.texts import Texts
from model.blend.trend import FEATURES as TREND_FEATURES
from model.blend.trend import Trend, lifted
from model.blend.weights import Weights
from model.errors import CheckpointError

_LIFT = 8.0  # log p + 8 is about 0 for a middling item, so that a head's weight does not move the level of all scores
_HEADS, _NEIGHBOURS = len(RATES), 4
_START = (
    0.2, 0.15, 0.15,  # heads
    0.0, 0.1, 0.1, 0.0, 0.0, 0.0,  # half-lives in time and in events
    0.0, 0.0, 0.0,  # age, idle, never
    0.3, 0.1, 0.0, 0.0,  # item-kNN, Markov, peers at any time and lately
)  # fmt: skip
TERMS: Mapping[str, slice] = {
    "net": slice(0, _HEADS),
    "trend": slice(_HEADS, _HEADS + TREND_FEATURES),
    "neighbours": slice(_HEADS + TREND_FEATURES, _HEADS + TREND_FEATURES + _NEIGHBOURS),
}
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the blend knows of one event beside h."""

    at: int
    "epoch milliseconds"
    past: tuple[int, ...]
    "rows of the items the user took last, newest last"
    context: int
    user: int
    "row of the user, -1 = none"


class Blend:
    """All that learns online in preset `full`; rows are those of the recommender's items."""

    def __init__(self, W_IH: Tensor, b_I: Tensor) -> None:
        self.heads = [Head(rate, W_IH, b_I) for rate in RATES]
        self.trend, self.neighbours, self.peers = Trend(len(b_I)), Neighbours(len(b_I)), Peers(len(b_I))
        self.texts = Texts(len(b_I))
        self.weights = Weights(_START)
        self.rows = len(b_I)
        self.waiting: list[tuple[int, Seen, Tensor | None]] = []

    # ---- rows ----

    def place(self, row: int, bias: float) -> None:
        """A row for a new item, which may have been another's."""
        for head in self.heads:
            head.place(row, bias)
        for part in (self.trend, self.neighbours, self.peers, self.texts):
            if row < self.rows:
                part.forget(row)
            part.grow(row + 1)
        self.rows = max(self.rows, row + 1)

    # ---- rank ----

    def scores(self, h_BH: Tensor, seen: Sequence[Seen]) -> tuple[Floats, dict[str, Floats]]:
        """Scores (B, I), and the terms that sum to them, by name."""
        log_BEI = torch.stack([head.log_shares(h_BH) for head in self.heads], dim=1).numpy()
        trend: dict[int, Floats] = {}
        terms: dict[str, list[NDArray[np.floating]]] = {name: [] for name in TERMS}
        for log_EI, one in zip(log_BEI, seen, strict=True):
            if one.at not in trend:
                trend[one.at] = self.trend.features(one.at)
            feature_FI = self._features(log_EI, trend[one.at], one)
            weight_F = self.weights.of(one.context)
            for name, part in TERMS.items():
                terms[name].append(weight_F[part] @ feature_FI[part])
        summed = {name: np.stack(values).astype(np.float32) for name, values in terms.items()}
        return np.asarray(sum(summed.values()), np.float32), summed

    def net(self, h_BH: Tensor, seen: Sequence[Seen], rows: Sequence[int]) -> Floats:
        """The net's term of some items, (B, n), as in `scores`."""
        log_BEI = torch.stack([head.log_shares(h_BH) for head in self.heads], dim=1)
        log_BEI[~log_BEI.isfinite().all(dim=2)] = -_LIFT  # a head that goes bad says nothing
        weight_BE = np.stack([self.weights.of(one.context)[TERMS["net"]] for one in seen])
        return np.asarray(np.einsum("be,ben->bn", weight_BE, log_BEI[:, :, list(rows)].numpy() + _LIFT), np.float32)

    def _features(self, log_EI: Floats, trend_TI: Floats, seen: Seen) -> NDArray[np.float64]:
        """(F, I), every one a number: a part that goes bad says nothing until it is well again."""
        near_FI = self.neighbours.features(seen.past)
        like_FI = self.peers.features(seen.user, seen.past, seen.at, self.rows)
        feature_FI = np.vstack([log_EI + _LIFT, trend_TI, lifted(near_FI), lifted(like_FI)])
        bad_F = ~np.isfinite(feature_FI).all(axis=1)
        feature_FI[bad_F] = 0.0
        return feature_FI

    # ---- learn ----

    def learn(self, h_BH: Tensor, items: Sequence[int], seen: Sequence[Seen]) -> float:
        """The weights learn one event after the other; all else waits for the end of the time. The mean loss before each."""
        losses, trend = [], {at: self.trend.features(at) for at in {one.at for one in seen}}
        log_BEI = torch.stack([head.log_shares(h_BH) for head in self.heads], dim=1).numpy()
        for h_H, log_EI, item, one in zip(h_BH, log_BEI, items, seen, strict=True):
            feature_FI = self._features(log_EI, trend[one.at], one)
            losses.append(self.weights.learn(feature_FI, item, one.past, one.context))
            self.waiting.append((item, one, h_H))
        return float(np.mean(losses))

    def count(self, item: int, seen: Seen) -> None:
        """Let an event feed the statistics only."""
        self.waiting.append((item, seen, None))

    def settle(self) -> None:
        """The time is over: heads and statistics take in its events one after the other, each head with a fresh softmax."""
        for item, one, h_H in self.waiting:
            if h_H is not None:
                for head in self.heads:
                    head.learn(h_H, item)
            self.trend.learn(item, one.at)
            self.neighbours.learn(one.past, item)
            self.peers.learn(one.user, item, one.at)
        self.waiting = []

    # ---- state ----

    def state(self) -> dict[str, Tensor]:
        """Everything, by name; nothing may be waiting."""
        tensors = {f"blend.head{number}.{name}": getattr(head, name) for number, head in enumerate(self.heads) for name in _HEAD}
        return {**tensors, **{f"blend.{name}": torch.from_numpy(value) for name, value in self._arrays().items()}}

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        pairs, following = self.neighbours.pairs, self.neighbours.next
        return {
            "counts": self.trend.counts_SI, "first": self.trend.first_I, "last": self.trend.last_I, "at": np.array([self.trend.at]),
            "pairs.item": pairs.item_IN, "pairs.weight": pairs.weight_IN, "next.item": following.item_IN,
            "next.weight": following.weight_IN, "taken": self.neighbours.count_I,
            "weights": self.weights.weight_CF, "squares": self.weights.squares_CF,
            "recent": self.trend.recent_RI, "words": self.texts.count_IW,
            **{f"peers.{name}": getattr(self.peers, name) for name in _PEERS},
        }  # fmt: skip

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> "Blend":
        """The blend of a state; CheckpointError where a part is missing."""
        try:
            one = cls(tensors["blend.head0.W_IH"], tensors["blend.head0.b_I"])
            for number, head in enumerate(one.heads):
                head.W_IH, head.b_I, head.G_I = (tensors[f"blend.head{number}.{name}"] for name in _HEAD)
            one.rows = len(one.heads[0].b_I)
            array = {name.removeprefix("blend."): value.numpy().copy() for name, value in tensors.items() if name.startswith("blend.")}
            one.trend.counts_SI, one.trend.first_I, one.trend.last_I = array["counts"], array["first"], array["last"]
            one.trend.at = int(array["at"][0])
            pairs, following = one.neighbours.pairs, one.neighbours.next
            pairs.item_IN, pairs.weight_IN = array["pairs.item"], array["pairs.weight"]
            following.item_IN, following.weight_IN = array["next.item"], array["next.weight"]
            one.neighbours.count_I = array["taken"]
            one.weights.weight_CF, one.weights.squares_CF = array["weights"], array["squares"]
            one.trend.recent_RI, one.texts.count_IW = array["recent"], array["words"]
            for name in _PEERS:
                setattr(one.peers, name, array[f"peers.{name}"])
        except KeyError as error:
            raise CheckpointError(f"the checkpoint lacks {error} of preset full; use an older one") from error
        return one


_HEAD = ("W_IH", "b_I", "G_I")
_PEERS = ("item_UN", "at_UN", "count_U", "user_IT", "count_I")

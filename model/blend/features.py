"""All features of a wave at once, each made once: what was ranked and then learned with nothing changed in between is remembered.

Legend: B events, I items, E heads of the network, D directions of h, F features, of them G an event's own and H those of a time (the
trend), V length of v. h_BED: what each head sees.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend import neighbours, peers
from model.blend.event import Block, Floats, Seen, Waited
from model.blend.heads import RATES, Head
from model.blend.history import History
from model.blend.influence import Influence
from model.blend.neighbours import Neighbours
from model.blend.parts import OWN, PLACES
from model.blend.peers import Peers
from model.blend.posts import post_head, tensor
from model.blend.tastes import Tastes, standard
from model.blend.texts import Texts
from model.blend.trail import Trail
from model.blend.trend import AGE, FLOOR, Trend, lift

LIFT = 8.0  # log p + 8 is about 0 for a middling item, so that a head's weight does not move the level of all scores
_LARGEST = 1e4  # a mean beyond it is no feature any more
_AT_ONCE = 20_000_000  # numbers of one block of features
_REMEMBERED = 2  # blocks
_LIFTED: Mapping[str, Floats | np.float32] = {"neighbours": neighbours.FLOOR_F1, "peers": peers.FLOOR_F1, "texts": FLOOR}
"parts whose features are made of statistics, and from what they are lifted"


class Statistics:
    """All that features are made of; rows are those of the recommender's items and users."""

    def __init__(self, W_ID: Tensor, b_I: Tensor, width: int) -> None:
        items = len(b_I)
        self.heads = [Head(rate, W_ID, b_I) for rate in RATES]
        self.posts, self.trail = post_head(items, width), Trail(items)
        self.trend, self.tastes, self.neighbours, self.peers = Trend(items), Tastes(), Neighbours(items), Peers(items)
        self.texts, self.history, self.influence = Texts(items), History(items), Influence(items)
        self.rows, self.without = items, frozenset[str]()
        self.remembered: list[Block] = []
        self._spare: list[Floats] = []  # memory of blocks that nobody uses any more: fresh memory costs as much as the features

    # ---- rows ----

    def place(self, row: int, bias: float) -> None:
        """A row for a new item, which may have been another's."""
        for head in self.heads:
            head.place(row, bias)
        self.posts.place(row, 0.0)
        self.trail.place(row)
        for part in (self.trend, self.neighbours, self.peers, self.texts, self.history, self.influence):
            part.grow(row + 1)
            if row < self.rows:
                part.forget(row)
        self.rows = max(self.rows, row + 1)
        self.changed()

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on."""
        for part in (self.tastes, self.peers, self.trail, self.texts, self.history, self.influence):
            part.forget_user(row)
        self.changed()

    def put(self, row: int, count_W: NDArray[np.uint8]) -> None:
        """The words of an item's text, in place of those before."""
        self.texts.put(row, count_W)
        self.changed()

    def changed(self) -> None:
        """What is remembered does not hold any more."""
        self.remembered = []

    # ---- features ----

    def blocks(self, h_BED: Tensor, v_BV: Floats, seen: Sequence[Seen]) -> Iterator[tuple[slice, Block]]:
        """The features of a wave, in blocks of bounded size, with the events of each."""
        size = max(1, _AT_ONCE // max(1, OWN * self.rows))
        for start in range(0, len(seen), size):
            some = slice(start, min(start + size, len(seen)))
            yield some, self._block(h_BED[some], v_BV[some], tuple(seen[some]))

    def _block(self, h_BED: Tensor, v_BV: Floats, seen: tuple[Seen, ...]) -> Block:
        for one in self.remembered:
            if one.is_of(h_BED, v_BV, seen):
                return one
        own_BGI, sums_BG = self._memory(len(seen)), np.empty((len(seen), OWN), np.float32)
        with np.errstate(all="ignore"):  # of a part that has gone bad, which is found by its sums
            trends = self._trends({one.at for one in seen})
            self._put_products(h_BED, v_BV, seen, own_BGI)
            self._put_counts(seen, trends, own_BGI, sums_BG)
            good_BG, good_by_time = self._good(sums_BG), {at: self._good(one.sum(axis=1)) for at, one in trends.items()}
        own_BGI[~good_BG] = 0.0
        for at, trend_HI in trends.items():
            trend_HI[~good_by_time[at] | ("trend" in self.without)] = 0.0
        good_BF = np.hstack([good_BG, [good_by_time[one.at] for one in seen]])
        block = Block(h_BED, v_BV, seen, own_BGI, trends, good_BF, self.young(seen))
        self.remembered = [*self.remembered[1 - _REMEMBERED :], block]
        return block

    def _good(self, sums: Floats) -> NDArray[np.bool_]:
        return np.asarray(np.abs(sums) < _LARGEST * max(1, self.rows))

    def _put_products(self, h_BED: Tensor, v_BV: Floats, seen: Sequence[Seen], own_BGI: Floats) -> None:
        """Features that are made of the whole block at once: matrix products."""
        place = {name: own_BGI[:, where] for name, where in PLACES.items() if name not in self.without}
        if "net" in place:
            for row, head in enumerate(self.heads):
                np.add(head.log_shares(h_BED[:, row]).numpy(), np.float32(LIFT), out=place["net"][:, row])
        if "trail" in place:
            seen_by = self.trail.seen([one.past for one in seen], [one.user for one in seen])
            for row, (head, seen_BV) in enumerate(zip(self.trail.heads, seen_by, strict=True)):
                np.add(head.log_shares(seen_BV).numpy(), np.float32(LIFT), out=place["trail"][:, row])
        if "texts" in place:
            place["texts"][:, 0] = self.texts.features([one.user for one in seen], self.rows)
        if "posts" in place:
            place["posts"][:, 0] = self.posts.logits(tensor(v_BV)).numpy()

    def _put_counts(self, seen: Sequence[Seen], trends: Mapping[int, Floats], own_BGI: Floats, sums_BG: Floats) -> None:
        """All others, and the sums of all, event by event, because the features of one fit into a core's cache."""
        left_out, ones_I = self.without & PLACES.keys() - {"trend"}, np.ones(self.rows, np.float32)
        root_I, ages = self.neighbours.roots(), {at: standard(-trend_HI[AGE]) for at, trend_HI in trends.items()}
        for one, own_GI, sums_G in zip(seen, own_BGI, sums_BG, strict=True):
            place = {name: own_GI[where] for name, where in PLACES.items() if name not in self.without}
            if "tastes" in place:
                self.tastes.features(one.user, ages[one.at], place["tastes"][0])
            if "neighbours" in place:
                self.neighbours.features(one.past, root_I, place["neighbours"])
            if "peers" in place:
                self.peers.features(one.user, one.past, one.at, place["peers"])
            for name, floor in _LIFTED.items():
                if name in place:
                    lift(place[name], floor)
            for name in left_out:
                own_GI[PLACES[name]] = 0
            np.matmul(own_GI, ones_I, out=sums_G)

    def _trends(self, times: Collection[int]) -> dict[int, Floats]:
        """The trend at each time, (H, I)."""
        made: dict[int, Floats] = {}
        for at in times:
            made[at] = self.trend.features(at, next(iter(made.values()), None))
        return made

    def _memory(self, events: int) -> Floats:
        """Room for features, which holds anything."""
        for place, one in enumerate(self._spare):
            if len(one) >= events and one.shape[2] == self.rows:
                return self._spare.pop(place)[:events]
        return np.empty((events, OWN, self.rows), np.float32)

    def net(self, h_BED: Tensor, rows: Sequence[int]) -> Floats:
        """The features of the network's heads for some items alone, (E, B, n)."""
        log_EBI = torch.stack([head.log_shares(h_BED[:, row]) for row, head in enumerate(self.heads)]) + LIFT
        log_EBI[~(log_EBI.sum(dim=2).abs() < _LARGEST * self.rows)] = 0.0
        return np.asarray(log_EBI[:, :, list(rows)].numpy() * ("net" not in self.without), np.float32)

    def young(self, seen: Sequence[Seen]) -> NDArray[np.bool_]:
        """Items that are new at the time of each event, (B, I)."""
        made = {at: self.trend.young(at) for at in {one.at for one in seen}}
        return np.stack([made[one.at] for one in seen])

    # ---- learn ----

    def learn(self, waited: Sequence[Waited]) -> None:
        """Events one after the other; those without h were only counted, and teach the heads of the network nothing."""
        self._learn_net([one for one in waited if one.h_ED is not None])
        if "trail" not in self.without:
            self._learn_trail(waited)
        if "posts" not in self.without:
            self._learn_posts([one for one in waited if one.v_V.any()])
        for one in waited:
            self.tastes.learn(one.seen.user, self.trend.age_of(one.item, one.seen.at))
            self.trend.learn(one.item, one.seen.at)
            self.neighbours.learn(one.seen.past, one.item)
            self.peers.learn(one.seen.user, one.item, one.seen.at)
            self.texts.learn(one.seen.user, one.item)
            self.history.learn(one.seen.user, one.item)
        self._spare = [one.own_BGI for one in self.remembered]
        self.changed()

    def _learn_net(self, waited: Sequence[Waited]) -> None:
        if not waited or "net" in self.without:
            return
        h_BED = torch.stack([one.h_ED for one in waited if one.h_ED is not None])
        for row, head in enumerate(self.heads):
            logits = _kept([one.own_GI for one in waited], PLACES["net"].start + row)
            head.learn(h_BED[:, row], [one.item for one in waited], logits)

    def _learn_trail(self, waited: Sequence[Waited]) -> None:
        kept, where = [one.own_GI for one in waited], PLACES["trail"]
        self.trail.learn(
            [one.seen.past for one in waited], [one.seen.user for one in waited], [one.item for one in waited],
            [_kept(kept, row) for row in range(where.start, where.stop)],
        )  # fmt: skip

    def _learn_posts(self, waited: Sequence[Waited]) -> None:
        if waited:
            v_BV = tensor(np.stack([one.v_V for one in waited]))
            logits = _kept([one.own_GI for one in waited], PLACES["posts"].start)
            self.posts.learn(v_BV, [one.item for one in waited], logits)

    def mend(self, good_BF: NDArray[np.bool_]) -> None:
        """Parts with a feature that holds no numbers are put right: they start again, a head of the network from the anchor."""
        ill = {name for name, where in PLACES.items() if not good_BF[:, where].all()}
        if "net" in ill:
            self.heads[0].mend()
            for head in self.heads[1:]:
                head.mend(self.heads[0])
        for name, part in (
            ("trend", self.trend), ("tastes", self.tastes), ("neighbours", self.neighbours), ("trail", self.trail),
            ("texts", self.texts), ("posts", self.posts),
        ):  # fmt: skip
            if name in ill:
                part.mend()
        if ill:
            self.changed()


def _kept(features: Sequence[Floats | None], row: int) -> list[Floats] | None:
    """One feature of some events, None where it was not kept of all."""
    kept = [one[row] for one in features if one is not None]
    return kept if len(kept) == len(features) else None

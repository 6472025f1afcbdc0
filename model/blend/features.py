"""All features of a wave at once, each made once: what was ranked and then learned with nothing changed in between is remembered.

Legend: B events, I items, E heads of the network, D directions of h, F features, of them G an event's own and H those of a time (the
trend), V length of v. h_BED: what each head sees.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.blend import neighbours, peers
from model.blend.event import Asked, Block, Floats, Seen, Waited
from model.blend.heads import RATES, Head
from model.blend.history import History
from model.blend.influence import Influence
from model.blend.kernels import put_liking
from model.blend.lifts import to_lifted, to_standard
from model.blend.neighbours import Neighbours
from model.blend.parts import OWN, PLACES
from model.blend.passes import to_log_shares
from model.blend.peers import Peers
from model.blend.posts import post_head, tensor
from model.blend.tastes import Tastes
from model.blend.texts import Texts
from model.blend.trail import Trail
from model.blend.trend import AGE, FLOOR, Trend
from model.blend.trend import FEATURES as TREND
from model.rounded import rounded
from model.threads import FEW, all_of, halves

See = Callable[[int], Tensor]
"what a head of the network sees, (B, D); asked in any thread"
LIFT = 8.0  # log p + 8 is about 0 for a middling item, so that a head's weight does not move the level of all scores
_LARGEST = 1e4  # a mean beyond it is no feature any more
_AT_ONCE = 20_000_000  # numbers of one block of features
_REMEMBERED = 2 * _AT_ONCE  # numbers of all blocks that are kept
_BLOCKS = 32  # that are kept: what is only ranked is never learned, and each is looked through
_NEAR = 4  # events whose features fit into a core's cache
_FLOORS = {"neighbours": neighbours.FLOORS, "peers": peers.FLOORS}
_LIFTED = {name: np.array(floors, np.float32) for name, floors in _FLOORS.items()}
"parts whose features are made of counts, and from what they are lifted"


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

    def blocks(self, see: See, v_BV: Floats, seen: Sequence[Seen]) -> Iterator[tuple[slice, Block]]:
        """The features of a wave, in blocks of bounded size, with the events of each."""
        size = max(1, _AT_ONCE // max(1, OWN * self.rows))
        for start in range(0, len(seen), size):
            some = slice(start, min(start + size, len(seen)))
            yield some, self._block(partial(_some_of, see, some), v_BV[some], tuple(seen[some]))

    def _block(self, see: See, v_BV: Floats, seen: tuple[Seen, ...]) -> Block:
        for one in self.remembered:
            if one.is_of(see, v_BV, seen):
                return one
        asked, own_GBI = Asked.of(seen), self._memory(len(seen))
        trend_HTI = np.empty((TREND, len(asked.times), self.rows), np.float32)
        total_GB, total_HT = np.zeros((OWN, len(seen)), np.float32), np.zeros(trend_HTI.shape[:2], np.float32)
        with np.errstate(all="ignore"):  # of a part that has gone bad, which is found by its sums
            with rounded(len(seen)):
                all_of([*self._products(see, v_BV, asked, seen, own_GBI, trend_HTI, (total_GB, total_HT))])
            if len(seen) > FEW:
                self._put_counts(asked, trend_HTI[AGE], own_GBI, total_GB)
            good_GB, good_HT = self._good(total_GB), self._good(total_HT)
        own_GBI[~good_GB] = 0.0
        trend_HTI[~good_HT] = 0.0
        if "trend" in self.without:
            trend_HTI[:] = 0.0
        good_BF, young_TI = np.vstack([good_GB, good_HT[:, asked.time_B]]).T, self.trend.young(asked.times)
        h_BED = torch.stack([see(head) for head in range(len(self.heads))], dim=1)
        block = Block(h_BED, v_BV, seen, asked.time_B, own_GBI, trend_HTI, good_BF, young_TI)
        self._remember(block)
        return block

    def _remember(self, block: Block) -> None:
        """Keep it with those before; where there is no room the newest gives way, since the oldest are learned first."""
        room = _REMEMBERED - block.own_GBI.size
        del self.remembered[_BLOCKS - 1 :]
        while self.remembered and sum(one.own_GBI.size for one in self.remembered) > room:
            self.remembered.pop()
        self.remembered.append(block)

    def _good(self, sums: Floats) -> NDArray[np.bool_]:
        return np.asarray(np.abs(sums) < _LARGEST * max(1, self.rows))

    def _products(
        self, see: See, v_BV: Floats, asked: Asked, seen: Sequence[Seen], own_GBI: Floats, trend_HTI: Floats,
        totals: tuple[Floats, Floats],
    ) -> Iterator[Callable[[], None]]:  # fmt: skip
        """What makes the features that are products of matrices, each of all events at once, and the trend, the longest first."""
        there, (total_GB, _) = {name: where.start for name, where in PLACES.items() if name not in self.without}, totals

        def put_net(number: int) -> None:
            row = there["net"] + number
            _put_head(self.heads[number], see(number), own_GBI[row], total_GB[row], shares=True)

        if "net" in there:
            yield partial(put_net, len(self.heads) - 1)
        if "trail" in there:
            seen_by = self.trail.seen([one.past for one in seen], [one.user for one in seen])
            for row, (head, seen_BV) in enumerate(zip(self.trail.heads, seen_by, strict=True), start=there["trail"]):
                yield partial(_put_head, head, seen_BV, own_GBI[row], total_GB[row], shares=True)
        if "posts" in there:
            yield partial(_put_head, self.posts, tensor(v_BV), own_GBI[there["posts"]], total_GB[there["posts"]], shares=False)
        if "net" in there:
            yield from (partial(put_net, number) for number in range(len(self.heads) - 1))
        yield partial(self._put_trend, asked, trend_HTI, own_GBI, totals)
        if "texts" in there:
            yield partial(self._put_texts, [one.user for one in seen], own_GBI, total_GB)

    def _put_texts(self, users: Sequence[int], own_GBI: Floats, total_GB: Floats) -> None:
        row = PLACES["texts"].start
        self.texts.features(users, own_GBI[row])
        to_lifted(own_GBI[PLACES["texts"]], 0, len(users), np.array([FLOOR]), total_GB[PLACES["texts"]])

    def _put_trend(self, asked: Asked, trend_HTI: Floats, own_GBI: Floats, totals: tuple[Floats, Floats]) -> None:
        total_GB, total_HT = totals
        self.trend.features(asked.times, trend_HTI, total_HT)
        if len(asked.at_B) <= FEW:  # one thread puts their counts, beside products in the other; of more, both do so afterwards
            self._put_counts(asked, trend_HTI[AGE], own_GBI, total_GB)

    def _put_counts(self, asked: Asked, age_TI: Floats, own_GBI: Floats, total_GB: Floats) -> None:
        """All others, a few events at once."""
        there = {name: where for name, where in PLACES.items() if name not in self.without}
        root_I, age_TI = self.neighbours.roots(), -age_TI
        to_standard(age_TI)
        factor_B = self.tastes.factors(asked.user_B.tolist())

        def put(some: slice) -> None:
            if "tastes" in there:
                row = there["tastes"].start
                put_liking(factor_B, age_TI, asked.time_B, some.start, some.stop, own_GBI[row])
                own_GBI[row, some].sum(axis=1, out=total_GB[row, some])
            if "neighbours" in there:
                self.neighbours.features(asked, some, root_I, own_GBI[there["neighbours"]])
            if "peers" in there:
                self.peers.features(asked, some, own_GBI[there["peers"]])
            for name, floor_F in _LIFTED.items():
                if name in there:
                    to_lifted(own_GBI[there[name]], some.start, some.stop, floor_F, total_GB[there[name]])

        def put_half(half: slice) -> None:
            for start in range(half.start, half.stop, _NEAR):
                put(slice(start, min(start + _NEAR, half.stop)))

        for name in PLACES.keys() - there.keys() - {"trend"}:
            own_GBI[PLACES[name]] = 0
        events = len(asked.at_B)
        all_of([partial(put_half, one) for one in halves(events)], worth=events > FEW)

    def _memory(self, events: int) -> Floats:
        """Room for features, which holds anything."""
        size = OWN * events * self.rows
        for place, one in enumerate(self._spare):
            if one.size >= size:
                return self._spare.pop(place)[:size].reshape(OWN, events, self.rows)
        return np.empty((OWN, events, self.rows), np.float32)

    def net(self, h_BED: Tensor, rows: Sequence[int]) -> Floats:
        """The features of the network's heads for some items alone, (E, B, n)."""
        log_EBI = torch.stack([head.log_shares(h_BED[:, row]) for row, head in enumerate(self.heads)]) + LIFT
        log_EBI[~(log_EBI.sum(dim=2).abs() < _LARGEST * self.rows)] = 0.0
        return np.asarray(log_EBI[:, :, list(rows)].numpy() * ("net" not in self.without), np.float32)

    # ---- learn ----

    def learning(self, waited: Sequence[Waited]) -> list[Callable[[], object]]:
        """What lets all but the network's heads learn events one after the other, beside each other; then call `settled`."""
        tasks: list[Callable[[], object]] = []
        if "trail" not in self.without:
            tasks += self._learning_trail(waited)
        if "posts" not in self.without:
            tasks += self._learning_posts([one for one in waited if one.v_V.any()])
        return [*tasks, partial(self._count, waited)]

    def learning_net(self, waited: Sequence[Waited]) -> list[Callable[[], object]]:
        """The same for the network's heads; events without h were only counted, and teach them nothing."""
        some = [one for one in waited if one.h_ED is not None]
        if not some or "net" in self.without:
            return []
        h_BED, first = torch.stack([one.h_ED for one in some if one.h_ED is not None]), PLACES["net"].start
        return [
            partial(head.learn, h_BED[:, row], [one.item for one in some], _kept([one.own_GI for one in some], first + row))
            for row, head in enumerate(self.heads)
        ]

    def adds(self, events: int) -> bool:
        """Whether learning so many takes long, since a head adds its steps."""
        return any(head.adds(events) for head in (*self.heads, *self.trail.heads, self.posts))

    def settled(self) -> None:
        """Everything of a time has been learned."""
        self._spare = [one.own_GBI.reshape(-1) for one in self.remembered]
        self.changed()

    def _count(self, waited: Sequence[Waited]) -> None:
        for one in waited:
            self.tastes.learn(one.seen.user, self.trend.age_of(one.item, one.seen.at))
            self.trend.learn(one.item, one.seen.at)
            self.neighbours.learn(one.seen.past, one.item)
            self.peers.learn(one.seen.user, one.item, one.seen.at)
            self.texts.learn(one.seen.user, one.item)
            self.history.learn(one.seen.user, one.item)
            if "trail" not in self.without:
                self.trail.count(one.seen.user, one.item)

    def _learning_trail(self, waited: Sequence[Waited]) -> Iterator[Callable[[], object]]:
        seen_by = self.trail.seen([one.seen.past for one in waited], [one.seen.user for one in waited])
        for row, (head, seen_BV) in enumerate(zip(self.trail.heads, seen_by, strict=True), start=PLACES["trail"].start):
            there_B = seen_BV.any(dim=1)
            some = [one for one, there in zip(waited, there_B.tolist(), strict=True) if there]
            if some:
                logits = _kept([one.own_GI for one in some], row)
                yield partial(head.learn, seen_BV[there_B], [one.item for one in some], logits)

    def _learning_posts(self, waited: Sequence[Waited]) -> Iterator[Callable[[], object]]:
        if waited:
            v_BV = tensor(np.stack([one.v_V for one in waited]))
            logits = _kept([one.own_GI for one in waited], PLACES["posts"].start)
            yield partial(self.posts.learn, v_BV, [one.item for one in waited], logits)

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


def _some_of(see: See, some: slice, head: int) -> Tensor:
    return see(head)[some]


def _put_head(head: Head, seen_BV: Tensor, out_BI: Floats, total_B: Floats, *, shares: bool) -> None:
    head.logits(seen_BV, torch.from_numpy(out_BI))
    if shares:
        to_log_shares(out_BI, LIFT, total_B)
    else:
        out_BI.sum(axis=1, out=total_B)


def _kept(features: Sequence[Floats | None], row: int) -> list[Floats] | None:
    """One feature of some events, None where it was not kept of all."""
    kept = [one[row] for one in features if one is not None]
    return kept if len(kept) == len(features) else None

"""A second cell beside the frozen one, which keeps learning (part `second` of preset `full`).

It starts as a copy, and its steps start from the memory that the frozen one has made: users need no second memory, and a lesson holds
all it reads. The head that learns stands on the h it gives (model/blend/heads.py), the anchor on that of the frozen one, and the
weights of the blend say how much each is worth. After every EVERY interactions that teach it takes a step of Adam on them and on
REPLAYED of the latest KEPT, drawn at random.

Legend: B interactions, M length of x, k factors, H hidden, I items, N interactions kept.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from model.adam import Moments, clip_scale
from model.blend.view import Teacher
from model.few import Cell, are_few
from model.network import SHARED, Given, Network
from model.rows import with_rows

RATE = 0.002
EVERY, REPLAYED, KEPT = 64, 64, 4096
_REMEMBERED = 32  # waves of one time
_COLUMNS = "columns"
_PARTS = ("x_BM", _COLUMNS, "g_B1", "h_BH", "C_BH", "h_A_BH")
_PREFIX = "second."


class SecondCell:
    """The cell, its moments, and the latest interactions."""

    def __init__(self, network: Network, moments: Moments) -> None:
        self.network = Network(network.config)
        self.moments = Moments(dict(self.network.named_parameters()), "E_user")
        self._kept: dict[str, Tensor] = {}  # a ring of what steps start from
        self._user_N = self._item_N = torch.zeros(0, dtype=torch.int64)  # rows; item -1: not to be learned any more
        self._turn = 0  # interactions so far
        self._waiting: list[tuple[Given, Tensor, Tensor]] = []  # for the end of their time
        self._later: list[tuple[Given, Tensor, Tensor]] = []  # to be put into the ring many at once
        self._frozen, self._fitted = network, moments
        self._of_frozen, self._of_own = _Latest(network), _Latest(self.network)
        self.start()

    @property
    def learns(self) -> bool:
        """Whether it is not left out."""
        return not {"net", "second"} & set(self._frozen.config.without)

    @torch.no_grad()
    def start(self) -> None:
        """Be as the frozen one, with the moments of its fit."""
        for name in SHARED:
            getattr(self.network, name).copy_(getattr(self._frozen, name))
            self.moments.second[name].copy_(self._fitted.second[name])
        self.moments.count.copy_(self._fitted.count)
        self._changed()

    def frozen(self, given: Given) -> tuple[Tensor, Tensor]:
        """The h and C of the frozen cell after some steps."""
        return self._of_frozen.after(given)

    def learned(self, given: Given) -> Tensor:
        """The h of this one. Another thread may ask for that of the frozen one meanwhile."""
        return (self._of_own if self.learns else self._of_frozen).after(given)[0]

    def _changed(self) -> None:
        self._of_frozen.forget()
        self._of_own.forget()

    # ---- learn ----

    def wait(self, given: Given, user_B: Tensor, item_B: Tensor) -> None:
        """Note interactions (rows of users and items) of a time that is not over yet."""
        self._waiting.append((given, user_B, item_B))

    @property
    def due(self) -> bool:
        """Whether there is a step to be taken with what waits."""
        return self._turn % EVERY + sum(len(item_B) for *_, item_B in self._waiting) >= EVERY

    def settle(self, teacher_now: Callable[[], Teacher]) -> None:
        """The time is over: learn from what waited, by the softmax there is now, where a step is due."""
        teacher = teacher_now() if self.due else None
        self._of_frozen.passed()
        self._of_own.passed()
        waiting, self._waiting = self._waiting, []
        for given, user_B, item_B in waiting:
            start = 0
            while start < len(item_B):  # cut so that steps are taken at the same places however the stream was cut into lessons
                some = slice(start, start + EVERY - self._turn % EVERY)
                self._later.append((given.only(some), user_B[some], item_B[some]))
                self._turn += len(item_B[some])
                start = some.stop
                if self._turn % EVERY == 0 and teacher is not None:
                    self._learn(teacher)

    def _keep(self) -> None:
        """Put into the ring what came since the last time."""
        if not self._later:
            return
        later, self._later = self._later, []
        user_B, item_B = torch.cat([user_B for _, user_B, _ in later]), torch.cat([item_B for *_, item_B in later])
        size = min(KEPT, self._turn)
        place_B = torch.arange(self._turn - len(item_B), self._turn) % KEPT
        for name, parts in _parts([given for given, _, _ in later]):
            ring = with_rows(self._kept.get(name, parts[:0]), size)
            ring[place_B] = parts
            self._kept[name] = ring
        self._user_N, self._item_N = with_rows(self._user_N, size), with_rows(self._item_N, size)
        self._user_N[place_B], self._item_N[place_B] = user_B, item_B

    def _learn(self, teacher: Teacher) -> None:
        self._keep()
        draw = np.random.default_rng(self._turn)  # nothing but lessons decides
        again = draw.choice(len(self._item_N), REPLAYED, replace=False)
        self._step(torch.cat([torch.arange(self._turn - EVERY, self._turn) % KEPT, torch.from_numpy(again)]), teacher)

    def _step(self, place_B: Tensor, teacher: Teacher) -> None:
        place_B = place_B[self._item_N[place_B] >= 0]
        if not len(place_B):
            return
        parameters = [(name, getattr(self.network, name)) for name in SHARED]
        with torch.enable_grad():
            h_BH, _ = self.network.after(self._given(place_B))
        slope_BH = teacher.slopes(h_BH.detach(), self._item_N[place_B])
        found = torch.autograd.grad(h_BH, [one for _, one in parameters], slope_BH, allow_unused=True)
        steps = [(name, one, found_one) for (name, one), found_one in zip(parameters, found, strict=True) if found_one is not None]
        squared = sum(float(torch.dot(gradient.flatten(), gradient.flatten())) for _, _, gradient in steps)
        if not math.isfinite(squared):  # some memory holds no numbers
            return
        self._of_own.forget()
        scale = clip_scale(squared, self.network.config.clip_norm)
        self.moments.update([one for one in steps if one[1].numel()], RATE, scale)
        self.moments.counted()

    def _given(self, place_B: Tensor) -> Given:
        found = {name: ring[place_B] for name, ring in self._kept.items()}
        columns = tuple(found[f"{_COLUMNS}{place}"] for place in range(sum(name.startswith(_COLUMNS) for name in found)))
        return Given(columns=columns, **{name: found[name] for name in _PARTS if name != _COLUMNS})

    # ---- rows ----

    def forget_user(self, row: int) -> None:
        """The user's row belongs to another one from now on: what he did is not learned any more, and not kept."""
        self._keep()
        self._forget(self._user_N == row)

    def forget_item(self, row: int) -> None:
        """The item's row belongs to another one from now on."""
        self._keep()
        self._forget(self._item_N == row)

    def _forget(self, gone_N: Tensor) -> None:
        self._item_N[gone_N] = -1
        for ring in self._kept.values():
            ring[gone_N] = 0

    # ---- state ----

    def state(self) -> Mapping[str, Tensor]:
        """Everything, by name; nothing may be waiting."""
        self._keep()
        found = {f"weight.{name}": getattr(self.network, name).detach() for name in SHARED}
        found |= {f"second.{name}": self.moments.second[name] for name in SHARED}
        found |= {f"kept.{name}": ring for name, ring in self._kept.items()}
        found |= {"updates": self.moments.count, "user_N": self._user_N, "item_N": self._item_N}
        found["turn"] = torch.tensor(self._turn)
        return {f"{_PREFIX}{name}": one for name, one in found.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put everything in its place. KeyError where a part is missing."""
        found = {name.removeprefix(_PREFIX): one for name, one in tensors.items() if name.startswith(_PREFIX)}
        for name in SHARED:
            getattr(self.network, name).copy_(found[f"weight.{name}"])
            self.moments.second[name] = found[f"second.{name}"]
        self._changed()
        self._kept = {name.removeprefix("kept."): one for name, one in found.items() if name.startswith("kept.")}
        self.moments.count, self._user_N, self._item_N = found["updates"], found["user_N"], found["item_N"]
        self._turn = int(found["turn"])


class _Latest:
    """What a network has made of the latest steps: what is learned was ranked before, mostly."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._cell: Cell | None = None
        self._kept: list[tuple[Given, tuple[Tensor, Tensor]]] = []

    def after(self, given: Given) -> tuple[Tensor, Tensor]:
        """The h and C of the step."""
        for same in (operator.is_, Given.equals):  # a ranking asks several times for what it has just made
            for one, found in self._kept:
                if same(one, given):
                    return found
        found = self._few().after(given) if are_few(given.x_BM) else self._network.after(given)
        self._kept = [*self._kept[: _REMEMBERED - 1], (given, found)]  # the newest gives way: the oldest are learned first
        return found

    def passed(self) -> None:
        """Nothing of what it was asked so far will be asked again."""
        self._kept = []

    def forget(self) -> None:
        """The network has changed."""
        self._kept, self._cell = [], None

    def _few(self) -> Cell:
        if self._cell is None:
            self._cell = Cell.of(self._network)
        return self._cell


def _parts(some: Sequence[Given]) -> Iterator[tuple[str, Tensor]]:
    """What steps start from, by name, of all of them together."""
    for name in _PARTS:
        found = [getattr(one, name) for one in some]
        if name != _COLUMNS:
            yield name, torch.cat(found)
            continue
        for place, parts in enumerate(zip(*found, strict=True)):
            yield f"{name}{place}", torch.cat(parts)

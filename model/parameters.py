"""All that a recommender learns, with a row for each user and each item that it has a name for.

Legend: B interactions, k factors, I items, U users.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model import state
from model.adam import Moments
from model.baselines.popularity import Popularity
from model.blend.blend import Blend
from model.config import ModelConfig
from model.ids import Ids
from model.network import Network
from model.rows import with_rows
from model.second import SecondCell
from model.weights import Weights, named, set_named

_NEW_ITEM_BIAS = 0.1  # the quantile of trained biases that a new item starts from: with w = b = 0 it would outrank nearly all (7.2)


class Parameters:
    """The network with its optimizer, the names of its rows, the popularity baseline, and what preset `full` has beside them."""

    def __init__(self, config: ModelConfig, users: Iterable[str] = (), items: Iterable[str] = (), seed: int = 0) -> None:
        self.config = config
        self.users = Ids(config.users_cap)
        self.items = Ids(config.items_cap)
        for ids, names in ((self.users, users), (self.items, items)):
            for name in names:
                ids.use(name)
        self.network = Network(config, len(self.users), len(self.items), seed)
        self.moments = Moments(dict(self.network.named_parameters()), "E_user")
        self.popularity = Popularity(np.zeros(len(self.items)))
        self.lessons = 0
        self.version = "untrained"
        self._sum_users()
        self._start_blend()

    def _start_blend(self) -> None:
        full = self.config.preset == "full"
        self.blend = Blend(self.network.W_r, self.network.b_r, 2 * self.config.width, self.config.without) if full else None
        self.second = SecondCell(self.network, self.moments) if full else None

    # ---- rows ----

    def _place(self, users: Sequence[str], items: Sequence[str], at: Sequence[int]) -> tuple[Tensor, Tensor]:
        user_B = [self._place_user(name) for name in users]
        item_B = self._place_items(items)
        self.popularity.learn(item_B, at, len(self.items))
        return torch.tensor(user_B), torch.tensor(item_B)

    def _place_user(self, name: str) -> int:
        rows, known = len(self.users), self.users.named
        placed = self.users.use(name)
        if placed.is_new:
            mean_k = (self.user_sum_k / max(1, known)).to(self.network.dtype)
            if placed.row < rows:
                self.user_sum_k -= self.network.E_user.detach()[placed.row]
                self.moments.forget("E_user", placed.row)
                self._forget_user(placed.row)
            else:
                self._grow("E_user", placed.row + 1)
            self.network.E_user.detach()[placed.row] = mean_k
            self.user_sum_k += self.network.E_user.detach()[placed.row]
        return placed.row

    def _place_items(self, items: Sequence[str]) -> list[int]:
        known = len(self.items)
        bias = None
        rows = []
        for name in items:
            placed = self.items.use(name)
            rows.append(placed.row)
            if not placed.is_new:
                continue
            if bias is None:  # of those known before this lesson
                b_I = self.network.b_r.detach()[:known]
                bias = float(b_I.kthvalue(max(1, round(_NEW_ITEM_BIAS * known))).values) if known else 0.0
            if placed.row < len(self.network.b_r):
                self.network.W_r.detach()[placed.row] = 0
                if self.config.looks_back:
                    self.network.E_item.detach()[placed.row] = 0
                self.popularity.forget(placed.row)
                if self.second is not None:
                    self.second.forget_item(placed.row)
                for parameter in ("W_r", "b_r"):
                    self.moments.forget(parameter, placed.row)
            else:
                self._grow("W_r", placed.row + 1)
                self._grow("b_r", placed.row + 1)
                if self.config.looks_back:
                    self._grow("E_item", placed.row + 1)
            self.network.b_r.detach()[placed.row] = bias
            if self.blend is not None:
                self.blend.place(placed.row, bias)
        return rows

    def _grow(self, name: str, count: int) -> None:
        parameter = getattr(self.network, name)
        # A parameter remembers its shape for autograd, so a longer one is a new one.
        setattr(self.network, name, nn.Parameter(with_rows(parameter.detach(), count)))
        self.moments.grow(name, count)

    def _forget_user(self, row: int) -> None:
        if self.blend is not None:
            self.blend.statistics.forget_user(row)
        if self.second is not None:
            self.second.forget_user(row)

    # ---- weights ----

    def weights(self) -> Weights:
        """Copies of all weights by name (model/weights.py lists them)."""
        return {name: one.numpy().copy() for name, one in named(self.network).items()}

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, NDArray[np.floating]]) -> None:
        """Overwrite some weights by name; ModelError on an unknown name or a wrong shape."""
        set_named(self.network, weights)
        self._sum_users()
        self._start_blend()

    @torch.no_grad()
    def take_fit(self, tensors: Mapping[str, tuple[Tensor, Tensor]], updates: float) -> None:
        """Take over parameters with their second moments, after `updates` steps of Adam, from offline training."""
        for name, (parameter, second) in tensors.items():
            setattr(self.network, name, nn.Parameter(parameter))
            self.moments.second[name] = second
        self.moments.count.fill_(updates)
        self.moments.user_count_U.fill_(updates)
        self._sum_users()
        self._start_blend()
        self.version = self.state_hash()[:12]

    def _sum_users(self) -> None:
        """The sum that the mean user comes from; kept up to date by `learn`, because a mean over a million rows takes a while."""
        self.user_sum_k = self.network.E_user.detach().sum(dim=0, dtype=torch.float64)

    def _mean_user(self) -> Tensor:
        return (self.user_sum_k / max(1, self.users.named)).to(self.network.dtype)

    def state_hash(self) -> str:
        """Fingerprint of everything that learning changes or depends on: weights, moments, ids, statistics, config."""
        return state.write(self).fingerprint()

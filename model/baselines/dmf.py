"""DMF: matrix factorisation with a prior on the unknown and cheap updates (Devooght et al., KDD 2015; ALGORITHMS 2).

    L = sum_(i,j in R) l(1, p_ij) + w sum_(i,j not in R) l(0, p_ij) + regularisation,   p_ij = V_i . H_j >= 0

minimised by projected gradient steps on one row of V or H at a time, with backtracking, as in the published code: features that no
neighbour has are removed, the step starts at 1 and shrinks by .3 until Armijo's condition holds, at most ten times.

Legend: U users, I items, R features, n neighbours of a row (the items of a user, the users of an item).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled
from model.contract import Event, Query, Training
from model.errors import ModelError

Doubles = NDArray[np.float64]
Terms = tuple[float, float, bool]
"weight of the unknown, ridge, whether the loss is squared"
_SHRINK, _ARMIJO, _TRIES, _MOST, _LEAST_GRADIENT, _ENOUGH = 0.3, 0.3, 10, 1000.0, 1e-4, 1e-4
_FEATURES_AT_FIRST = 10


@dataclass(frozen=True, slots=True)
class Config:
    """Weight of the unknown, ridge, loss, number of features."""

    unknown: float
    ridge: float
    loss: str
    features: int

    @property
    def terms(self) -> Terms:
        """What the objective reads of it, for compiled functions."""
        return self.unknown, self.ridge, self.loss == "squared"


@compiled
def objective(x_R: Doubles, near_nR: Doubles, all_RR: Doubles, all_R: Doubles, terms: Terms) -> float:
    """Terms of L that a row takes part in; `near_nR` are its neighbours' rows, `all_RR` the sum of h h^T, `all_R` that of h."""
    w, ridge, squared = terms
    p_n = near_nR @ x_R
    if squared:
        loss = w * (x_R @ (all_RR @ x_R)) + (1 - 2 * p_n + (1 - w) * p_n**2).sum()
    else:
        loss = w * (x_R @ all_R) + (np.abs(1 - p_n) - w * p_n).sum()
    return float(loss + ridge * (x_R @ x_R))


@compiled
def gradient(x_R: Doubles, near_nR: Doubles, all_RR: Doubles, all_R: Doubles, terms: Terms) -> Doubles:
    """Of the objective."""
    w, ridge, squared = terms
    p_n = near_nR @ x_R
    if squared:
        slope_R = 2 * w * (all_RR @ x_R) - (2 * (1 - (1 - w) * p_n)) @ near_nR
    else:
        slope_R = w * all_R + np.where(p_n < 1, -(1 + w), np.where(p_n > 1, 1 - w, -w)) @ near_nR
    return slope_R + 2 * ridge * x_R


@compiled
def _descended(x_R: Doubles, near_nR: Doubles, all_RR: Doubles, all_R: Doubles, terms: Terms) -> tuple[Doubles, float]:
    """The row after one projected gradient step, and its part of L."""
    for feature in range(len(x_R)):
        if not (near_nR[:, feature] > 0).any():
            x_R[feature] = 0.0
    value = objective(x_R, near_nR, all_RR, all_R, terms)
    slope_R = gradient(x_R, near_nR, all_RR, all_R, terms)
    rate = 1.0
    for _ in range(_TRIES if slope_R @ slope_R >= _LEAST_GRADIENT else 0):
        tried_R = np.minimum(np.maximum(x_R - rate * slope_R, 0.0), _MOST)
        found = objective(tried_R, near_nR, all_RR, all_R, terms)
        if found <= value + _ARMIJO * (slope_R @ (tried_R - x_R)):
            return tried_R, found
        rate *= _SHRINK
    return x_R, value


@dataclass(slots=True)
class _Side:
    """Users or items: their rows, their neighbours on the other side, and the sums over rows that the other side needs."""

    rows_NR: Doubles
    near: list[list[int]]
    all_RR: Doubles = field(init=False)
    all_R: Doubles = field(init=False)

    def __post_init__(self) -> None:
        self.all_RR, self.all_R = self.rows_NR.T @ self.rows_NR, self.rows_NR.sum(axis=0)

    def put(self, row: int, x_R: Doubles) -> None:
        old_R = self.rows_NR[row]
        self.all_RR += x_R[:, None] * x_R - old_R[:, None] * old_R
        self.all_R += x_R - old_R
        self.rows_NR[row] = x_R


class DMF:
    """Factors from the training part, then the published update for each interaction."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"unknown": 0.01}, {"unknown": 0.05}, {"unknown": 0.2}, {"unknown": 0.05, "ridge": 0.1},
    )  # fmt: skip

    def __init__(
        self, *, features: int = 50, unknown: float = 0.05, ridge: float = 0.0, loss: str = "squared", seed: int = 0
    ) -> None:
        if loss not in ("squared", "absolute"):
            raise ModelError(f"loss = {loss!r}; choose squared or absolute")
        self.config, self._seed = Config(unknown, ridge, loss, features), seed

    def fit(self, training: Training) -> None:
        """All rows in random order, 10 (U + I) steps at most, less once a pass changes L by less than a ten-thousandth."""
        draw = np.random.default_rng(self._seed)
        self.users, self.items = (self._side(count, draw) for count in (training.users, training.items))
        for one in training.train:
            self._enter(one.user, one.item)
        rows = [(True, row) for row in range(training.users)] + [(False, row) for row in range(training.items)]
        last = np.inf
        for _ in range(10):
            total = sum(self._descend(is_user=rows[place][0], row=rows[place][1]) for place in draw.permutation(len(rows)))
            if abs(last - total) <= _ENOUGH * abs(total):
                break
            last = total

    def _side(self, count: int, draw: np.random.Generator) -> _Side:
        rows_NR = np.zeros((count, self.config.features))
        for row_R in rows_NR:
            chosen = draw.permutation(self.config.features)[:_FEATURES_AT_FIRST]
            row_R[chosen] = draw.random(len(chosen))
        return _Side(rows_NR, [[] for _ in range(count)])

    def _enter(self, user: int, item: int) -> None:
        """R = 1; a user or item without any before, or left without features, gets the one that is least used."""
        if item in self.users.near[user]:
            return
        self.users.near[user].append(item)
        self.items.near[item].append(user)
        for side, row in ((self.users, user), (self.items, item)):
            if not side.rows_NR[row].any():
                x_R = np.zeros(self.config.features)
                x_R[int((side.rows_NR > 0).sum(axis=0).argmin())] = 1.0
                side.put(row, x_R)

    def _descend(self, *, is_user: bool, row: int) -> float:
        """One projected gradient step on a row; its part of L afterwards."""
        own, other = (self.users, self.items) if is_user else (self.items, self.users)
        if not own.near[row]:
            return 0.0
        near_nR = other.rows_NR[own.near[row]]
        x_R, value = _descended(own.rows_NR[row].copy(), near_nR, other.all_RR, other.all_R, self.config.terms)
        own.put(row, x_R)
        return value

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """V_u . H, (B, I)."""
        return np.asarray(self.users.rows_NR[[one.user for one in queries]] @ self.items.rows_NR.T, np.float32)

    def advance(self, events: Sequence[Event]) -> None:
        """Nobody has a memory beside the factors."""

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Enter each interaction and descend on its two rows until L settles; the training part is entered already."""
        if not updates:
            return
        for one in events:
            self._enter(one.user, one.item)
            last = np.inf
            for _ in range(10):
                value = self._descend(is_user=True, row=one.user) + self._descend(is_user=False, row=one.item)
                if abs(last - value) <= _ENOUGH * abs(value):
                    break
                last = value

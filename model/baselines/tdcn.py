"""TDCN-R: a RECONSTRUCTION of TDCN (Perera & Zimmermann, ACM MM 2017), whose text could not be found (ALGORITHMS 3).

    historical model   h_u  = p_u + M^T theta_u                    theta_u: topic frequencies on all networks, of all history
    current model      h_ub = h_u + tau_ub + M^T (theta_ub - theta_u)      of interval b, where the user posted in it
    score              r    = q_i . h_ub + b_i

Stage 1 by alternating ridge with weight 1 for what was taken and w0 for the rest; M by conjugate gradients; tau of each interval in
closed form. Retrained from scratch every 14 days of the stream on all that was seen; static in between.

Legend: U users, I items, F factors, M length of x, n items of a user or users of an item.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from model.contract import Event, Query, Training

Doubles = NDArray[np.float64]
_INTERVAL_MS = 14 * 86_400_000
_ROUNDS, _CG_STEPS = 3, 10


class TDCNR:
    """Refitted at the first ranking of each interval."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ({"unknown": 0.02}, {"unknown": 0.05}, {"unknown": 0.2})

    def __init__(
        self, *, factors: int = 32, unknown: float = 0.05, ridge: float = 0.1, drift: float = 1.0, keep: float = 0.5, seed: int = 0
    ) -> None:
        self._factors, self._unknown, self._ridge, self._drift, self._keep, self._seed = factors, unknown, ridge, drift, keep, seed

    def fit(self, training: Training) -> None:
        """Nothing is kept from here: the stream brings the training part, and each interval fits anew."""
        self._users, self._items = training.users, training.items
        self._width = len(training.networks) * training.topics
        self._taken: list[tuple[int, int, int]] = []
        self._sum_UM, self._recent_UM = np.zeros((self._users, self._width)), np.zeros((self._users, self._width))
        self._tau_UF = np.zeros((self._users, self._factors))
        self._h_UF, self._q_IF = np.zeros((self._users, self._factors)), np.zeros((self._items, self._factors))
        self._b_I, self._interval = np.zeros(self._items), -1
        self._m_MF = np.zeros((self._width, self._factors))

    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """q_i . h_ub + b_i, (B, I), with the newest topic frequencies."""
        interval = queries[0].at // _INTERVAL_MS
        if interval != self._interval:
            self._interval = interval
            self._refit(queries[0].at)
            self._recent_UM[:] = 0
        users = [one.user for one in queries]
        theta_BM, recent_BM = _shares(self._sum_UM[users]), _shares(self._recent_UM[users])
        active_B1 = recent_BM.any(axis=1, keepdims=True)
        h_BF = self._h_UF[users] + self._tau_UF[users] + np.where(active_B1, recent_BM - theta_BM, 0.0) @ self._m_MF
        return np.asarray(h_BF @ self._q_IF.T + self._b_I, np.float32)

    def advance(self, events: Sequence[Event]) -> None:
        """Add the window to the users' topic frequencies: posts are known before the item is."""
        for one in events:
            self._sum_UM[one.user] += one.step.x_M
            self._recent_UM[one.user] += one.step.x_M

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """Keep for the next interval."""
        del updates  # every interval fits on all that was seen
        self._taken += [(one.user, one.item, one.at) for one in events]

    # ---- an interval ----

    def _refit(self, now: int) -> None:
        draw, F = np.random.default_rng(self._seed), self._factors
        users_of, items_of = _neighbours([(user, item) for user, item, _ in self._taken])
        theta_UM = _shares(self._sum_UM)
        self._q_IF = 0.1 * draw.standard_normal((self._items, F))
        self._m_MF = np.zeros((self._width, F))
        p_UF = np.zeros((self._users, F))
        counts_I = np.bincount([item for _, item, _ in self._taken], minlength=self._items)
        self._b_I = counts_I / max(1, self._users)
        for _ in range(_ROUNDS):
            p_UF = self._ridge_rows(self._q_IF, items_of, self._users, theta_UM @ self._m_MF)
            if self._width:
                self._m_MF = self._transfer(theta_UM, p_UF, items_of)
            self._h_UF = p_UF + theta_UM @ self._m_MF
            self._q_IF = self._ridge_rows(self._h_UF, users_of, self._items, np.zeros((self._items, F)), of_items=True)
        last = [(user, item) for user, item, at in self._taken if at >= now - _INTERVAL_MS]
        self._tau_UF = self._drifts(_neighbours(last)[1])

    def _ridge_rows(
        self, other_NF: Doubles, near: Mapping[int, list[int]], count: int, given_CF: Doubles, *, of_items: bool = False
    ) -> Doubles:
        """Row by row: argmin over x of sum c (R - (x + given) . other - b)^2 + ridge x^2."""
        gram_FF = self._unknown * other_NF.T @ other_NF
        row_CF = np.zeros((count, self._factors))
        for row, others in near.items():
            near_nF = other_NF[others]
            weights_FF = gram_FF + (1 - self._unknown) * near_nF.T @ near_nF
            bias = self._b_I[row] if of_items else self._b_I[others]
            right_F = (1 - bias) @ near_nF if not of_items else (1 - bias) * near_nF.sum(axis=0)
            row_CF[row] = np.linalg.solve(weights_FF + self._ridge * np.eye(self._factors), right_F - weights_FF @ given_CF[row])
        return row_CF

    def _transfer(self, theta_UM: Doubles, p_UF: Doubles, items_of: Mapping[int, list[int]]) -> Doubles:
        """M by conjugate gradients on its normal equations, starting from the last one."""
        gram_FF = self._unknown * self._q_IF.T @ self._q_IF
        near = {user: self._q_IF[items] for user, items in items_of.items()}

        def weighed(h_UF: Doubles) -> Doubles:
            out_UF = h_UF @ gram_FF
            for user, near_nF in near.items():
                out_UF[user] += (1 - self._unknown) * (h_UF[user] @ near_nF.T) @ near_nF
            return out_UF

        wanted_UF = np.zeros_like(p_UF)
        for user, items in items_of.items():
            wanted_UF[user] = (1 - self._b_I[items]) @ near[user]
        right_MF = theta_UM.T @ (wanted_UF - weighed(p_UF))

        def apply(flat: Doubles) -> Doubles:
            m_MF = flat.reshape(right_MF.shape)
            return np.asarray(theta_UM.T @ weighed(theta_UM @ m_MF) + self._ridge * m_MF).ravel()

        size = right_MF.size
        found, _ = cg(LinearOperator((size, size), matvec=apply), right_MF.ravel(), x0=self._m_MF.ravel(), maxiter=_CG_STEPS)
        return np.asarray(found).reshape(right_MF.shape)

    def _drifts(self, items_of: Mapping[int, list[int]]) -> Doubles:
        """Tau of the last finished interval, drawn towards a share of the one before."""
        tau_UF = self._keep * self._tau_UF
        gram_FF = self._unknown * self._q_IF.T @ self._q_IF
        for user, items in items_of.items():
            near_nF = self._q_IF[items]
            weights_FF = gram_FF + (1 - self._unknown) * near_nF.T @ near_nF
            right_F = (1 - self._b_I[items]) @ near_nF - weights_FF @ self._h_UF[user] + self._drift * tau_UF[user]
            tau_UF[user] = np.linalg.solve(weights_FF + self._drift * np.eye(self._factors), right_F)
        return tau_UF


def _neighbours(pairs: Sequence[tuple[int, int]]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Users of each item, and items of each user, each once."""
    users_of: defaultdict[int, dict[int, None]] = defaultdict(dict)
    items_of: defaultdict[int, dict[int, None]] = defaultdict(dict)
    for user, item in pairs:
        users_of[item][user] = None
        items_of[user][item] = None
    return {item: list(users) for item, users in users_of.items()}, {user: list(items) for user, items in items_of.items()}


def _shares(sum_NM: Doubles) -> Doubles:
    """Rows that sum to 1, or stay zero."""
    return np.asarray(sum_NM / np.maximum(sum_NM.sum(axis=1, keepdims=True), 1e-12))

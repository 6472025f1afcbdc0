"""One training loop and one online step for all sequence models that are compared.

Full softmax over the items seen so far, cross-entropy, Adam; early stopping on validation HR@10; online one step of Adam without
momentum, its second moments carried, for each wave, with the state before the step given: the treatment of the main model (adam.py;
ALGORITHMS 7.3: 9-13, 21-26).

Legend: B users, T steps, H hidden, I items, N steps with a target, S whatever a net keeps of a user.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model.adam import BETA_2
from model.baselines.inputs import NO_ITEM, Inputs, Sequences, batches, inputs_of
from model.contract import ONLINE_RATES, Event, Query, Training
from model.softmax import Softmax, pays

_CLIP, _CUT, _WAVE = 5.0, 10, 64
_NEW_ITEM_BIAS = 0.1  # the quantile of seen items' biases that a new item starts from
_NO_PART = -1e4  # a bias with which an item takes no part in a softmax


class Net(nn.Module):
    """Steps in, what stands before the output layer out."""

    def start(self, users: int) -> Tensor:
        """The state of users without steps, (B, S)."""
        raise NotImplementedError

    def run(self, inputs: Inputs, state_BS: Tensor) -> tuple[Tensor, Tensor]:
        """All steps of a batch: (B, T, H), and the state after the last."""
        raise NotImplementedError


class SequenceRanker:
    """A net with an output layer behind the contract; subclasses make the net."""

    variants: ClassVar[tuple[Mapping[str, Any], ...]] = ONLINE_RATES
    online_settings: ClassVar[tuple[str, ...]] = ("online_rate",)

    def __init__(
        self, *, hidden: int = 128, embedding: int = 64, dropout: float = 0.35, epochs: int = 60, patience: int = 15,
        learning_rate: float = 0.003, online_rate: float = 0.001, batch: int = 16, seed: int = 0, device: str = "cpu",
    ) -> None:  # fmt: skip
        self.hidden, self.embedding, self.dropout = hidden, embedding, dropout
        self.epochs, self.patience, self.learning_rate, self.batch, self.seed = epochs, patience, learning_rate, batch, seed
        self.online_rate, self.device = online_rate, device

    def make_net(self, training: Training) -> Net:
        """The net for a data set."""
        raise NotImplementedError

    # ---- offline ----

    def fit(self, training: Training) -> None:
        """Train to the best validation HR@10, on `device`; the fitted net is on the processor."""
        torch.manual_seed(self.seed)
        self.items, self._tau_seconds = training.items, training.tau_seconds
        self.net = self.make_net(training)
        self.W_r = nn.Parameter(torch.randn(training.items, self.hidden) / self.hidden**0.5)
        self.b_r = nn.Parameter(torch.zeros(training.items))
        self.seen_I = torch.zeros(training.items, dtype=torch.bool)
        self.seen_I[[one.item for one in training.train]] = True
        self._move(self.device)
        before, after = _by_user(training.train), _by_user(training.validation)
        own = [before.get(user, []) for user in range(training.users)]
        whole = [one + after.get(user, []) for user, one in enumerate(own)]
        self._train(self._batches(own, [0] * len(own)), self._batches(whole, [len(one) for one in own]))
        self._restart()

    def _batches(self, events: Sequence[Sequence[Event]], targets_from: Sequence[int]) -> list[Sequences]:
        return [one.to(self.device) for one in batches(events, targets_from, self.items, self._tau_seconds, self.batch)]

    def parameters(self) -> list[nn.Parameter]:
        """Of net and output layer."""
        return [*self.net.parameters(), self.W_r, self.b_r]

    def _move(self, device: str) -> None:
        """All that a fit changes. The optimizer is a new one, as it holds on to the parameters it was made with."""
        self.net.to(device)
        self.W_r, self.b_r = (nn.Parameter(one.detach().to(device)) for one in (self.W_r, self.b_r))
        self.seen_I = self.seen_I.to(device)
        self._optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    def _train(self, training: Sequence[Sequences], held_out: Sequence[Sequences]) -> None:
        order, since = torch.Generator().manual_seed(self.seed), 0
        self.b_r.data[~self.seen_I] = _NO_PART
        softmax = Softmax(self.W_r, self.b_r, "identity") if pays(self.device) else None
        best: tuple[float, dict[str, Any] | None] = (-1.0, None)
        for _ in range(self.epochs):
            self.net.train()
            for place in torch.randperm(len(training), generator=order).tolist():
                self._optimizer.zero_grad()
                self._backward(training[place], softmax)
                nn.utils.clip_grad_norm_(self.parameters(), _CLIP)
                self._optimizer.step()
            self.net.eval()
            score = self._hit_ratio(held_out)
            if score > best[0]:
                best = (score, self._snapshot())
                since = 0
            else:
                since += 1
            if since >= self.patience:
                break
        self._move("cpu")
        self._restore(best[1])
        self.b_r.data[~self.seen_I] = 0

    def _backward(self, batch: Sequences, softmax: Softmax | None) -> None:
        """Gradients of the mean loss; in bfloat16 where that saves time, as the main model has them (model/softmax.py)."""
        h_NH = nn.functional.dropout(self._targets(batch), self.dropout)
        if softmax is None:
            cross_entropy(h_NH @ self.W_r.T + self.b_r, batch.item_N).backward()  # type: ignore[no-untyped-call]
        else:
            _, slope_NH = softmax.backward(h_NH, batch.item_N, len(batch.item_N))
            torch.autograd.backward([h_NH], [slope_NH])

    def _targets(self, batch: Sequences) -> Tensor:
        """The h of the steps with a target, (N, H)."""
        state_BS = self.net.start(len(batch.inputs.x_BTM)).to(self.W_r.device)
        h_BTH, _ = self.net.run(batch.inputs, state_BS)
        return h_BTH.flatten(0, 1)[batch.target_N]

    def _logits(self, h_NH: Tensor) -> Tensor:
        """(N, I); items not seen yet take no part."""
        return torch.where(self.seen_I, h_NH @ self.W_r.T + self.b_r, -torch.inf)

    @torch.no_grad()
    def _hit_ratio(self, held_out: Sequence[Sequences]) -> float:
        hits = events = 0
        for batch in held_out:
            logits_NI = self._logits(self._targets(batch))
            taken_N1 = logits_NI.gather(1, batch.item_N[:, None])
            rank_N1 = (logits_NI >= taken_N1).sum(dim=1, keepdim=True)
            hits += int(((rank_N1 <= _CUT) & (taken_N1 > -torch.inf)).sum())
            events += len(batch.item_N)
        return hits / max(1, events)

    def _snapshot(self) -> dict[str, Any]:
        return copy.deepcopy({"parameters": [one.data for one in self.parameters()], "adam": self._optimizer.state_dict()})

    def _restore(self, kept: dict[str, Any] | None) -> None:
        if kept is not None:
            for parameter, value in zip(self.parameters(), kept["parameters"], strict=True):
                parameter.data.copy_(value)
            self._optimizer.load_state_dict(kept["adam"])

    # ---- the stream ----

    def _restart(self) -> None:
        self._states: dict[int, Tensor] = {}
        self._previous: dict[int, int] = {}
        self._ranked: dict[int, Tensor] = {}  # state after the step, by the identity of the step's values
        self._pending: dict[int, tuple[int, Tensor]] = {}  # item before and state before, by the identity of the event
        for group in self._optimizer.param_groups:
            group["betas"] = (0.0, BETA_2)

    def with_settings(self, *, online_rate: float) -> Self:
        """The same fitted net with another rate."""
        one = copy.deepcopy(self)
        one.set_rate(online_rate)
        return one

    def set_rate(self, rate: float) -> None:
        """Adam's rate from now on."""
        self.online_rate = rate
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    @torch.no_grad()
    def rank(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        """Logits, (B, I); items that nobody has taken yet share the last place."""
        h_BH, state_BS = self._step(queries)
        self._ranked = {id(one.step): state_S for one, state_S in zip(queries, state_BS, strict=True)}
        logits_BI = h_BH @ self.W_r.T + self.b_r
        lowest = logits_BI.min() - 1
        return torch.where(self.seen_I, logits_BI, lowest).numpy()

    def _step(self, queries: Sequence[Query]) -> tuple[Tensor, Tensor]:
        state_BS = torch.cat([self._state(one.user) for one in queries])
        h_B1H, after_BS = self.net.run(self._inputs(queries, [self._previous.get(one.user, NO_ITEM) for one in queries]), state_BS)
        return h_B1H[:, 0], after_BS

    def _inputs(self, queries: Sequence[Query], previous: Sequence[int]) -> Inputs:
        events = [[Event(one.user, one.at, one.gap_seconds, one.step, NO_ITEM)] for one in queries]
        return inputs_of([[one] for one in previous], events, self.items, self._tau_seconds)

    def _state(self, user: int) -> Tensor:
        state_1S = self._states.get(user)
        return self.net.start(1) if state_1S is None else state_1S

    @torch.no_grad()
    def advance(self, events: Sequence[Event]) -> None:
        """Move states on and note the items taken."""
        known = [self._ranked.get(id(one.step)) for one in events]
        after = torch.stack([one for one in known if one is not None]) if None not in known else self._step(events)[1]
        for one, state_S in zip(events, after, strict=True):
            self._pending[id(one)] = (self._previous.get(one.user, NO_ITEM), self._state(one.user))
            self._states[one.user], self._previous[one.user] = state_S[None], one.item
        self._ranked = {}

    def learn(self, events: Sequence[Event], *, updates: bool) -> None:
        """One step of Adam for each 64 interactions; in the training part only note which items exist."""
        self._see([one.item for one in events])
        for start in range(0, len(events) if updates else 0, _WAVE):
            self._update(events[start : start + _WAVE])
        for one in events:
            del self._pending[id(one)]

    @torch.no_grad()
    def _see(self, items: Sequence[int]) -> None:
        new = [item for item in dict.fromkeys(items) if not self.seen_I[item]]
        if new:
            known_I = self.b_r[self.seen_I]
            self.W_r[new] = 0
            self.b_r[new] = known_I.quantile(_NEW_ITEM_BIAS) if len(known_I) else 0.0
            self.seen_I[new] = True

    def _update(self, events: Sequence[Event]) -> None:
        before = [self._pending[id(one)] for one in events]
        self._optimizer.zero_grad()
        h_B1H, _ = self.net.run(self._inputs(events, [one for one, _ in before]), torch.cat([state_1S for _, state_1S in before]))
        loss = cross_entropy(self._logits(h_B1H[:, 0]), torch.tensor([one.item for one in events]))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters(), _CLIP)
        self._optimizer.step()


def _by_user(events: Sequence[Event]) -> dict[int, list[Event]]:
    own: dict[int, list[Event]] = {}
    for one in events:
        own.setdefault(one.user, []).append(one)
    return own

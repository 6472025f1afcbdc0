"""Offline training (ALGORITHMS 7.3: 22, 23, 25, 26): padded batches, truncated backpropagation through time, early stopping.

Legend: B users of a batch, k factors, H hidden, N steps with a target, I items.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.network import Network
from model.output import loss_and_slope
from model.recommender import Recommender
from model.sequences import History, Sequences, Window, number, pack
from model.step import Step
from model.unroll import Carried, unroll

_CUT = 10  # validation watches HR@10
_CHUNK = 1024  # rows of logits at once: 57 MB at the paper's 13,829 items
Steps = Mapping[str, Sequence[tuple[Step, str]]]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What an epoch gave; validation values are None without validation steps that have a known item."""

    epoch: int
    "from 1"
    loss: float
    "mean over the training steps, with dropout"
    validation_loss: float | None
    validation_hr: float | None
    "HR@10 over validation steps, unknown items counted as missed"
    events_per_second: float
    "training steps"
    seconds_left: float
    "until the last epoch, were there no early stop"


@dataclass(slots=True)
class _Best:
    """The weights and moments of the best epoch so far."""

    score: tuple[float, float] = (-1.0, float("-inf"))
    epoch: int = 0
    tensors: dict[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    updates: float = 0.0


def fit(
    sequences: Steps,
    validation: Steps,
    config: ModelConfig,
    *,
    epochs: int = 60,
    patience: int = 15,
    batch: int = 16,
    seed: int = 0,
    learning_rate: float = 0.003,
    device: str = "cpu",
    progress: Callable[[EpochReport], None] = lambda _: None,
) -> Recommender:
    """Train on users' steps with the items taken; `validation` continues the same users' steps.

    Keeps the epoch with the best validation HR@10 (equals: the lower loss), or the last one without validation, and stops after
    `patience` epochs without a better one. The same arguments give the same weights on one machine. ModelError without steps.
    """
    users, items = number(sequences)
    if not users:
        raise ModelError("no training steps; give at least one user with one step")
    recommender = Recommender(config, users, items, seed)
    network = recommender.network.to(device)
    training = pack([_history(users[user], sequences[user], items) for user in users], batch, config, network.dtype, device)
    held_out = pack(_continued(sequences, validation, users, items), batch, config, network.dtype, device)
    unknown = sum(item not in items for steps in validation.values() for _, item in steps)
    trainer = _Trainer(network, learning_rate, seed)
    best, started = _Best(), time.perf_counter()
    for epoch in range(1, epochs + 1):
        epoch_started = time.perf_counter()
        loss = trainer.epoch(training)
        now = time.perf_counter()
        speed = sum(one.targets for one in training) / (now - epoch_started)
        checked = validate(network, held_out, unknown)
        left = (time.perf_counter() - started) / epoch * (epochs - epoch)
        validation_loss, validation_hr = checked or (None, None)
        progress(EpochReport(epoch, loss, validation_loss, validation_hr, speed, left))
        score = (0.0, float(epoch)) if checked is None else (checked[1], -checked[0])
        if score > best.score:
            best = trainer.snapshot(score, epoch)
        elif epoch - best.epoch >= patience:
            break
    recommender.take_fit(best.tensors, best.updates)  # the moments are carried on by online learning
    return recommender


def _history(user: int, steps: Sequence[tuple[Step, str]], items: Mapping[str, int]) -> History:
    return History(user, [step for step, _ in steps], [items.get(item, -1) for _, item in steps])


def _continued(training: Steps, validation: Steps, users: Mapping[str, int], items: Mapping[str, int]) -> list[History]:
    """Training and validation steps of each user who has the latter; only these have targets."""
    histories = []
    for user, steps in validation.items():
        before = training.get(user, ())
        after = _history(users.get(user, len(users)), steps, items)
        if steps:
            histories.append(History(after.user, [*(step for step, _ in before), *after.steps], [*[-1] * len(before), *after.items]))
    return histories


class _Trainer:
    """Network and optimizer, with random numbers of their own."""

    def __init__(self, network: Network, rate: float, seed: int) -> None:
        self._network = network
        self._adam = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        device = network.b.device
        self._dropped = torch.Generator(device).manual_seed(seed)
        self._order = torch.Generator().manual_seed(seed)

    def epoch(self, batches: Sequence[Sequences]) -> float:
        """One pass in random order; the mean loss over its steps."""
        order = torch.randperm(len(batches), generator=self._order).tolist()
        total = sum(self._step(batches[place]) for place in order)
        return total / sum(one.targets for one in batches)

    def _step(self, batch: Sequences) -> float:
        network = self._network
        self._adam.zero_grad()
        carried = Carried.start(network.E_user[batch.user_B], network.config.hidden)
        total = 0.0
        for window in batch.windows:
            h_NH, carried = unroll(network, window, network.E_user[batch.user_B], carried, self._drop)
            total += self._backward(window, self._drop(h_NH[window.target_N]), batch.targets)
        torch.nn.utils.clip_grad_norm_(network.parameters(), network.config.clip_norm)
        self._adam.step()
        return total

    def _backward(self, window: Window, h_NH: Tensor, targets: int) -> float:
        """Gradients of the sum of losses / targets; that of the output layer in closed form and in chunks. Gives the sum."""
        network, total = self._network, 0.0
        slope_NH = torch.empty_like(h_NH)
        with torch.no_grad():
            for start in range(0, len(h_NH), _CHUNK):
                rows = slice(start, start + _CHUNK)
                loss_N, slope_NI = loss_and_slope(network.logits(h_NH[rows]), window.item_N[rows], network.config)
                slope_NI /= targets
                slope_NH[rows] = slope_NI @ network.W_r
                _add(network.W_r, slope_NI.T @ h_NH[rows])
                _add(network.b_r, slope_NI.sum(dim=0))
                total += float(loss_N.sum())
        torch.autograd.backward([h_NH], [slope_NH])
        return total

    def _drop(self, values: Tensor) -> Tensor:
        rate = self._network.config.dropout
        if not rate:
            return values
        kept = torch.rand(values.shape, generator=self._dropped, device=values.device, dtype=values.dtype) >= rate
        return values * kept / (1 - rate)

    def snapshot(self, score: tuple[float, float], epoch: int) -> _Best:
        """A copy of weights and moments."""
        tensors, updates = {}, 0.0
        for name, one in self._network.named_parameters():
            state = self._adam.state.get(one, {})
            first, second = (state.get(key, torch.zeros_like(one)) for key in ("exp_avg", "exp_avg_sq"))
            tensors[name] = (_copy(one), _copy(first), _copy(second))
            updates = max(updates, float(state.get("step", 0)))
        return _Best(score, epoch, tensors, updates)


def _copy(values: Tensor) -> Tensor:
    return values.detach().to("cpu", copy=True)


def _add(parameter: Tensor, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)


@torch.no_grad()
def validate(network: Network, batches: Sequence[Sequences], unknown: int) -> tuple[float, float] | None:
    """Mean loss and HR@10 of the steps with a target, `unknown` more counted as missed; None without any."""
    loss, hits, events = 0.0, 0, 0
    e_Uk = torch.cat([network.E_user, network.E_user.mean(dim=0, keepdim=True)])
    for batch in batches:
        e_Bk = e_Uk[batch.user_B]
        carried = Carried.start(e_Bk, network.config.hidden)
        for window in batch.windows:
            h_NH, carried = unroll(network, window, e_Bk, carried, lambda values: values)
            h_NH = h_NH[window.target_N]
            for start in range(0, len(h_NH), _CHUNK):
                item_N = window.item_N[start : start + _CHUNK]
                logits_NI = network.logits(h_NH[start : start + _CHUNK])
                rank_N = (logits_NI >= logits_NI.gather(1, item_N[:, None])).sum(dim=1)
                hits += int((rank_N <= _CUT).sum())
                loss += float(loss_and_slope(logits_NI, item_N, network.config)[0].sum())
                events += len(item_N)
    return (loss / events, hits / (events + unknown)) if events else None

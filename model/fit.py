"""Offline training (ALGORITHMS 7.3: 22, 23, 25, 26): padded batches, truncated backpropagation through time, early stopping.

Legend: B users of a batch, k factors, H hidden, N steps with a target, I items.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from model.config import ModelConfig
from model.errors import ModelError
from model.network import Network
from model.output import loss_and_slope
from model.recommender import Recommender
from model.sequences import History, Sequences, number, pack
from model.step import Step
from model.threads import alone
from model.trainer import CHUNK, PRECISIONS, Best, Trainer, precision_of
from model.unfinished import load, made_from, save
from model.unroll import start, unroll

_CUT = 10  # validation watches HR@10
_AHEAD = 4  # batches at once where nothing is learned: a step costs the more users the less each
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
    precision: str = "auto",
    progress: Callable[[EpochReport], None] = lambda _: None,
    resume: Path | None = None,
    catalogue: Sequence[str] = (),
) -> Recommender:
    """Train on users' steps with the items taken; `validation` continues the same users' steps.

    Keeps the epoch with the best validation HR@10 (equals: the lower loss), or the last one without validation, and stops after
    `patience` epochs without a better one. The same arguments give the same weights on one machine. ModelError without steps, and when
    a loss is no number any more.
    `resume`: a file that keeps the fit after every epoch; where it is there, the fit goes on from it, to the result of an undisturbed
    one, and it is removed at the end. CheckpointError where it is of another fit.
    `precision` of the products with the weights, which are most of the work: float32, bfloat16, or auto (`precision_of`); in bfloat16
    the model does not depend on the number of threads, either.
    `catalogue`: all items there are. In preset `paper` they have a row from the start, as many as `items_cap` allows (default 28).
    """
    precision = precision_of(precision, config, device)
    users, items = number(sequences)
    fixed = tuple(catalogue) if config.preset == "paper" else ()
    for name in fixed:
        if len(items) < config.items_cap:
            items.setdefault(name, len(items))
    if not users:
        raise ModelError("no training steps; give at least one user with one step")
    recommender = Recommender(config, users, items, seed)
    network = recommender.network.to(device)
    training = pack([_history(users[user], sequences[user], items) for user in users], batch, config, network.dtype, device)
    held_out = pack(_continued(sequences, validation, users, items), _AHEAD * batch, config, network.dtype, device)
    unknown = sum(item not in items for steps in validation.values() for _, item in steps)
    trainer = Trainer(network, learning_rate, seed, PRECISIONS[precision])
    settings = (fixed, patience, batch, seed, learning_rate, device, precision)
    source = made_from((sequences, validation), config, *settings) if resume else ""
    best, done = load(resume, trainer, source) if resume and resume.exists() else (Best(), 0)
    started = time.perf_counter()
    for epoch in range(done + 1, epochs + 1):
        if epoch - 1 - best.epoch >= patience:
            break
        epoch_started = time.perf_counter()
        loss = trainer.epoch(training)
        speed = sum(one.targets for one in training) / (time.perf_counter() - epoch_started)
        with alone() if PRECISIONS[precision] else nullcontext():  # as in training: the steps are small
            checked = validate(network, held_out, unknown, PRECISIONS[precision])
        left = (time.perf_counter() - started) / (epoch - done) * (epochs - epoch)
        validation_loss, validation_hr = checked or (None, None)
        if not math.isfinite(loss + (validation_loss or 0.0)):
            raise ModelError(
                f"the loss of epoch {epoch} is {loss}, of validation {validation_loss}; give a lower rate than {learning_rate}"
            )
        progress(EpochReport(epoch, loss, validation_loss, validation_hr, speed, left))
        score = (0.0, float(epoch)) if checked is None else (checked[1], -checked[0])
        if score > best.score:
            best = trainer.snapshot(score, epoch)
        if resume:
            save(resume, trainer, best, epoch, source)
    if resume:
        resume.unlink(missing_ok=True)
    recommender.take_fit(best.tensors, best.updates)  # the second moments are carried on by online learning
    return recommender


def _history(user: int, steps: Sequence[tuple[Step, str]], items: Mapping[str, int], before: Sequence[str] = ()) -> History:
    """`before`: items the user took earlier."""
    owned, previous = dict.fromkeys(before), []
    for _, item in steps:
        previous.append(items.get(next(reversed(owned)), -1) if owned else -1)
        owned.setdefault(item)  # as the line has it: an item taken again does not come last again
    return History(user, [step for step, _ in steps], [items.get(item, -1) for _, item in steps], previous)


def _continued(training: Steps, validation: Steps, users: Mapping[str, int], items: Mapping[str, int]) -> list[History]:
    """Training and validation steps of each user who has the latter; only these have targets."""
    histories = []
    for user, steps in validation.items():
        row, earlier = users.get(user, len(users)), training.get(user, ())
        before, after = _history(row, earlier, items), _history(row, steps, items, [item for _, item in earlier])
        if steps:
            histories.append(
                History(
                    row, [*before.steps, *after.steps], [*[-1] * len(earlier), *after.items], [*before.previous, *after.previous]
                )
            )
    return histories


@torch.no_grad()
def validate(
    network: Network, batches: Sequence[Sequences], unknown: int, precision: torch.dtype | None = None
) -> tuple[float, float] | None:
    """Mean loss and HR@10 of the steps with a target, `unknown` more counted as missed; None without any.

    `precision` of the products of the recurrence, as in training; None = that of the weights.
    """
    loss, hits, events = 0.0, 0, 0
    e_Uk = torch.cat([network.E_user, network.E_user.mean(dim=0, keepdim=True)])
    for batch in batches:
        e_Bk = e_Uk[batch.user_B]
        state = start(e_Bk, network.config.hidden)
        for window in batch.windows:
            h_NH, state = unroll(network, window, e_Bk, state, lambda values: values, precision)
            h_NH = h_NH[window.target_N]
            for first in range(0, len(h_NH), CHUNK):
                item_N = window.item_N[first : first + CHUNK]
                logits_NI = network.logits(h_NH[first : first + CHUNK])
                rank_N = (~(logits_NI < logits_NI.gather(1, item_N[:, None]))).sum(dim=1)  # what is no number stands before all
                hits += int((rank_N <= _CUT).sum())
                loss += float(loss_and_slope(logits_NI, item_N, network.config)[0].sum())
                events += len(item_N)
    return (loss / events, hits / (events + unknown)) if events else None

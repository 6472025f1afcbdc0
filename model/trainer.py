"""The optimizer of an offline fit: one pass after the other over padded batches, with random numbers of its own.

Legend: B users of a batch, H hidden, N steps with a target, n of them at once, I items.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.network import Network
from model.output import loss_and_slope
from model.sequences import Sequences, Window
from model.softmax import Softmax, pays
from model.threads import alone
from model.unroll import start, unroll

CHUNK = 256  # rows of logits at once: 14 MB at the paper's 13,829 items, near enough to the cache to be three times faster than 1,024
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}  # None = that of the weights


def precision_of(name: str, config: ModelConfig, device: str) -> str:
    """One of PRECISIONS, `auto` resolved: bfloat16 where it was seen to save time at no loss, on processors with instructions for it.

    ModelError for another name.
    """
    if name == "auto":
        return "bfloat16" if pays(device) and config.loss == "ce" and config.dtype == "float32" else "float32"
    if name not in PRECISIONS:
        raise ModelError(f"precision {name!r}; choose of auto, {', '.join(PRECISIONS)}")
    return name


@dataclass(slots=True)
class Best:
    """The weights and second moments of the best epoch so far."""

    score: tuple[float, float] = (-1.0, float("-inf"))
    epoch: int = 0
    tensors: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    updates: float = 0.0


class Trainer:
    """Network and optimizer, with random numbers of their own."""

    def __init__(self, network: Network, rate: float, seed: int, precision: torch.dtype | None) -> None:
        self.network, self._precision = network, precision
        self.adam = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
        device = network.b.device
        fused = precision is not None and device.type == "cpu" and network.config.loss == "ce"
        self._softmax = Softmax(network.W_r, network.b_r, network.config.logits) if fused else None
        self.dropped = torch.Generator(device).manual_seed(seed)
        self.order = torch.Generator().manual_seed(seed)

    def epoch(self, batches: Sequence[Sequences]) -> float:
        """One pass in random order; the mean loss over its steps."""
        order = torch.randperm(len(batches), generator=self.order).tolist()
        with alone() if self._softmax else nullcontext():  # steps of the recurrence are small; the output layer has threads of its own
            total = sum(self._step(batches[place]) for place in order)
        return total / sum(one.targets for one in batches)

    def _step(self, batch: Sequences) -> float:
        network = self.network
        self.adam.zero_grad()
        state = start(network.E_user[batch.user_B], network.config.hidden)
        total = 0.0
        for window in batch.windows:
            h_NH, state = unroll(network, window, network.E_user[batch.user_B], state, self._drop, self._precision)
            total += self._backward(window, self._drop(h_NH[window.target_N]), batch.targets)
        torch.nn.utils.clip_grad_norm_(network.parameters(), network.config.clip_norm)
        self.adam.step()
        return total

    def _backward(self, window: Window, h_NH: Tensor, targets: int) -> float:
        """Gradients of the sum of losses / targets, which it gives."""
        output = self._softmax.backward if self._softmax else self._output
        total, slope_NH = output(h_NH, window.item_N, targets)
        torch.autograd.backward([h_NH], [slope_NH])
        return total

    @torch.no_grad()
    def _output(self, h_NH: Tensor, item_N: Tensor, targets: int) -> tuple[float, Tensor]:
        """Sum of the losses, and the gradient of sum / targets in h, (N, H), closed form and in chunks. Adds those of W_r and b_r."""
        network, total = self.network, 0.0
        slope_NH, W_IH = torch.empty_like(h_NH), self._rounded(network.W_r)
        for first in range(0, len(h_NH), CHUNK):
            rows = slice(first, first + CHUNK)
            h_nH = self._rounded(h_NH[rows])
            logits_nI = (h_nH @ W_IH.T).to(network.dtype) + network.b_r
            loss_n, slope_nI = loss_and_slope(logits_nI, item_N[rows], network.config)
            slope_nI /= targets
            _add(network.b_r, slope_nI.sum(dim=0))
            slope_nI = self._rounded(slope_nI)
            slope_NH[rows] = (slope_nI @ W_IH).to(network.dtype)
            _add(network.W_r, (slope_nI.T @ h_nH).to(network.dtype))
            total += float(loss_n.sum())
        return total, slope_NH

    def _rounded(self, values: Tensor) -> Tensor:
        return values if self._precision is None else values.to(self._precision)

    def _drop(self, values: Tensor) -> Tensor:
        rate = self.network.config.dropout
        if not rate:
            return values
        kept = torch.rand(values.shape, generator=self.dropped, device=values.device, dtype=values.dtype) >= rate
        return values * kept / (1 - rate)

    def snapshot(self, score: tuple[float, float], epoch: int) -> Best:
        """A copy of weights and second moments."""
        tensors, updates = {}, 0.0
        for name, one in self.network.named_parameters():
            state = self.adam.state.get(one, {})
            tensors[name] = (_copy(one), _copy(state.get("exp_avg_sq", torch.zeros_like(one))))
            updates = max(updates, float(state.get("step", 0)))
        return Best(score, epoch, tensors, updates)


def _copy(values: Tensor) -> Tensor:
    return values.detach().to("cpu", copy=True)


def _add(parameter: Tensor, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)

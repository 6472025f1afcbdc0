"""One offline epoch at the paper's size: 2,536 users of 35 steps, two networks of 60 topics, k = 100, h = 400, 13,829 items.

Its peer is the same epoch written down plainly: batches as they come, a loop over the steps, autograd through everything.
"""

import time

import numpy as np
import torch
from torch import Tensor

from model import EpochReport, ModelConfig, Step, fit
from model.network import Network, attention_weights

_USERS, _STEPS, _ITEMS, _TOPICS, _BATCH, _RATE = 2_536, 35, 13_829, 60, 32, 3e-3
_PROTOTYPE_SECONDS = 36.0  # the faster end of 36-42, on two cores
_CATALOGUE = [f"i{row}" for row in range(_ITEMS)]
_Sequences = dict[str, list[tuple[Step, str]]]


def run(scale: float = 1.0, seed: int = 0) -> dict[str, object]:
    """Two epochs plainly and in each precision, the second one timed; `scale` takes fewer users.

    Processor time beside the wall clock's, for a machine that does other work; give torch one thread then, as its others wait busily.
    """
    random = np.random.default_rng(seed)
    users = max(2, int(_USERS * scale))
    sequences = {f"u{user}": [(_step(random), f"i{random.integers(_ITEMS)}") for _ in range(_STEPS)] for user in range(users)}
    config = ModelConfig(("twitter", "gplus"), _TOPICS)
    plain, plain_cpu, plain_loss = _plain(sequences, config, seed)
    result: dict[str, object] = {
        "bench": "train", "users": users, "steps": users * _STEPS, "threads": torch.get_num_threads(),
        "plain_seconds_an_epoch": round(plain, 1), "plain_processor_seconds": round(plain_cpu, 1), "plain_loss": round(plain_loss, 4),
    }  # fmt: skip
    for precision in ("float32", "bfloat16"):
        reports: list[tuple[EpochReport, float]] = []

        def done(report: EpochReport, reports: list[tuple[EpochReport, float]] = reports) -> None:
            reports.append((report, time.process_time()))

        fit(
            sequences, {}, config, epochs=2, batch=_BATCH, learning_rate=_RATE, seed=seed, precision=precision, progress=done,
            catalogue=_CATALOGUE,
        )  # fmt: skip
        (_, before), (report, after) = reports
        seconds = users * _STEPS / report.events_per_second
        result |= {
            f"{precision}_seconds_an_epoch": round(seconds, 1), f"{precision}_processor_seconds": round(after - before, 1),
            f"{precision}_loss": round(report.loss, 4), f"{precision}_over_plain": round(plain / seconds, 2),
            f"{precision}_over_plain_processor": round(plain_cpu / (after - before), 2),
        }  # fmt: skip
        if scale == 1.0:
            result[f"{precision}_over_prototype"] = round(_PROTOTYPE_SECONDS / seconds, 2)
    return result


def _step(random: np.random.Generator) -> Step:
    """Up to three topics on each network, and a gap."""
    x_NK = np.zeros((2, _TOPICS), np.float32)
    for row_K in x_NK:
        row_K[random.integers(_TOPICS, size=random.integers(0, 4))] = 1.0
    return Step((x_NK / np.maximum(x_NK.sum(axis=1, keepdims=True), 1)).ravel(), float(random.random()))


def _plain(sequences: _Sequences, config: ModelConfig, seed: int) -> tuple[float, float, float]:
    """Seconds, processor seconds and mean loss of the second epoch."""
    torch.manual_seed(seed)
    items = {item: row for row, item in enumerate(_CATALOGUE)}
    network = Network(config, len(sequences), len(items), seed)
    adam = torch.optim.Adam(network.parameters(), lr=_RATE)
    seconds = cpu = loss = 0.0
    for _ in range(2):
        started, cpu_started, loss = time.perf_counter(), time.process_time(), 0.0
        for start in range(0, len(sequences), _BATCH):
            users = list(sequences.values())[start : start + _BATCH]
            item_BT = torch.tensor([[items[item] for _, item in steps] for steps in users])
            adam.zero_grad()
            logits_BTI = _unrolled(network, users, start)
            mean = torch.nn.functional.cross_entropy(torch.tanh(logits_BTI).flatten(0, 1), item_BT.flatten())
            mean.backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
            adam.step()
            loss += mean.item() * len(users) / len(sequences)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    return seconds, cpu, loss


def _unrolled(network: Network, users: list[list[tuple[Step, str]]], start: int) -> Tensor:
    """Logits (B, T, I) of users whose rows begin at `start`, all of one length."""
    config = network.config
    x_BTM = torch.from_numpy(np.stack([[step.x_M for step, _ in steps] for steps in users]).astype(np.float32))
    g_BT = torch.tensor([[step.g for step, _ in steps] for steps in users])
    dropout = torch.nn.Dropout(config.dropout)
    e_Bk = network.E_user[start : start + len(users)]
    h_BH = C_BH = x_BTM.new_zeros(len(users), config.hidden)
    past: list[Tensor] = []
    for step in range(x_BTM.shape[1]):
        h_A_BH = torch.zeros_like(h_BH)
        if past:
            first = step - len(past[-config.past :])
            seen_B1S = torch.ones(len(users), 1, step - first, dtype=torch.bool)
            weights_B1S = attention_weights(x_BTM[:, step : step + 1], x_BTM[:, first:step], seen_B1S)
            h_A_BH = torch.bmm(weights_B1S, torch.stack(past[-config.past :], dim=1))[:, 0]
        z_B6H = network.project(dropout(network.pool(x_BTM[:, step], e_Bk)))
        h_BH, C_BH = network.cell(z_B6H, g_BT[:, step, None], h_BH, C_BH, h_A_BH)
        past.append(h_BH)
    logits_BTI: Tensor = dropout(torch.stack(past, dim=1)) @ network.W_r.T + network.b_r
    return logits_BTI

"""One offline epoch at the paper's size: 2,536 users of 35 steps, two networks of 60 topics, k = 100, h = 400, 13,829 items."""

import numpy as np
import torch

from model import EpochReport, ModelConfig, Step, fit

_USERS, _STEPS, _ITEMS, _TOPICS, _BATCH = 2_536, 35, 13_829, 60, 32
_PROTOTYPE_SECONDS = 36.0  # the faster end of 36-42, on two cores


def run(scale: float = 1.0, seed: int = 0) -> dict[str, object]:
    """Two epochs in each precision of the output layer, the second one timed; `scale` takes fewer users for a quick look."""
    random = np.random.default_rng(seed)
    users = max(2, int(_USERS * scale))
    sequences = {f"u{user}": [(_step(random), f"i{random.integers(_ITEMS)}") for _ in range(_STEPS)] for user in range(users)}
    result: dict[str, object] = {"bench": "train", "users": users, "steps": users * _STEPS, "threads": torch.get_num_threads()}
    for precision in ("float32", "bfloat16"):
        reports: list[EpochReport] = []
        config = ModelConfig(("twitter", "gplus"), _TOPICS)
        fit(sequences, {}, config, epochs=2, batch=_BATCH, seed=seed, progress=reports.append, precision=precision)
        seconds = users * _STEPS / reports[1].events_per_second
        result |= {f"{precision}_seconds_an_epoch": round(seconds, 1), f"{precision}_loss": round(reports[1].loss, 4)}
        if scale == 1.0:
            result[f"{precision}_over_prototype"] = round(_PROTOTYPE_SECONDS / seconds, 2)
    return result


def _step(random: np.random.Generator) -> Step:
    """Up to three topics on each network, and a gap."""
    x_NK = np.zeros((2, _TOPICS), np.float32)
    for row_K in x_NK:
        row_K[random.integers(_TOPICS, size=random.integers(0, 4))] = 1.0
    return Step((x_NK / np.maximum(x_NK.sum(axis=1, keepdims=True), 1)).ravel(), float(random.random()))

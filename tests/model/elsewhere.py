"""Fits here and on another device (device.py): run in a process of its own, it prints where it learned and how the weights compare."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from model import EpochReport, ModelConfig, Step, fit
from model.baselines import sequence
from model.baselines.rivals import RIVALS
from model.baselines.sequence import SequenceRanker
from tests.model.baselines.small import events
from tests.model.baselines.small import training as training_of
from tests.model.device import DEVICE, register, usable
from tests.model.small import small

_ALIKE = 1e-3
Values = Mapping[str, Any]


def main(what: str, **changes: str) -> None:
    """Fit the rival of that name, or the model in that precision."""
    register()
    fitted = _rival if what in RIVALS else _model
    here = fitted(what, "cpu", changes)
    with usable():
        devices = _devices_of_steps()
        there = fitted(what, DEVICE, changes)
    assert here.keys() == there.keys()
    apart = max(float(np.abs(there[name] - own).max()) for name, own in here.items())
    compared = "the same" if apart == 0 else "alike" if apart < _ALIKE else f"{apart} apart"
    sys.stdout.write(f"{' '.join(devices)}: {compared}")


def _devices_of_steps() -> set[str]:
    """Of the parameters of each step of Adam to come."""
    devices: set[str] = set()
    step: Any = torch.optim.Adam.step

    def noted(adam: torch.optim.Adam) -> None:
        devices.update(one.device.type for group in adam.param_groups for one in group["params"])
        step(adam)

    torch.optim.Adam.step = noted  # type: ignore[method-assign, assignment]
    return devices


def _rival(name: str, device: str, _: Values) -> Values:
    setattr(sequence, "pays", lambda _: False)  # noqa: B010 - there is no bfloat16 there
    one = RIVALS[name](hidden=8, embedding=4, epochs=2, device=device)
    assert isinstance(one, SequenceRanker)
    one.fit(training_of(events(75)))
    moments = [one._optimizer.state[parameter]["exp_avg_sq"] for parameter in one.parameters()]
    tensors = [*one.parameters(), one.seen_I.float(), *moments]
    return {str(place): tensor.detach().numpy() for place, tensor in enumerate(tensors)}


def _model(precision: str, device: str, changes: Values) -> Values:
    """Three epochs, stopped after the first and resumed."""
    config = small(dtype="float32", dropout=0.3, **changes)
    training = {f"user-{count}": _steps(count, config) for count in (2, 5, 30)}
    validation = {user: _steps(3, config) for user in ("user-2", "user-5")}
    reports: list[EpochReport] = []

    def stop_once(report: EpochReport) -> None:
        reports.append(report)
        if len(reports) == 2:
            raise KeyboardInterrupt

    with TemporaryDirectory() as folder:
        how: Any = {"epochs": 3, "device": device, "precision": precision, "resume": Path(folder) / "fit", "progress": stop_once}
        with suppress(KeyboardInterrupt):
            fit(training, validation, config, **how)
        one = fit(training, validation, config, **how)
    assert [1, 2, 2, 3] == [report.epoch for report in reports]
    losses = {"losses": np.array([(report.loss, report.validation_loss) for report in reports])}
    return {**losses, **one.weights(), **{f"second {name}": second.numpy() for name, second in one.moments.second.items()}}


def _steps(count: int, config: ModelConfig) -> list[tuple[Step, str]]:
    draw = np.random.default_rng(count)
    return [(Step(draw.random(config.width, np.float32), 0.5), f"v{draw.integers(6)}") for _ in range(count)]


if __name__ == "__main__":
    main(sys.argv[1], **dict(one.split("=") for one in sys.argv[2:]))

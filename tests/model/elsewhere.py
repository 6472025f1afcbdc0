"""A fit on another device than the processor, without one: run in a process of its own, it prints where weights and results are.

Torch's fake tensors have a device and a shape, but no values, and are an error where those of two devices meet.
"""

import sys
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

from model import ModelConfig, Recommender, Step, fit
from model.baselines.rivals import RIVALS
from model.baselines.sequence import SequenceRanker
from tests.model.baselines.small import events
from tests.model.baselines.small import training as training_of
from tests.model.small import small

DEVICE = "elsewhere"


def main(what: str, **changes: str) -> None:
    """Two epochs with validation, of the rival of that name or of the model in that precision."""
    # Before anything is differentiated: torch counts its devices then.
    backend_registration._setup_privateuseone_for_python_backend(DEVICE)
    with FakeTensorMode(allow_non_fake_inputs=True):
        _without_values()
        learned = _devices_of_steps()
        fitted = _rival(what) if what in RIVALS else _model(what, **changes)
        sys.stdout.write(f"in {learned}, of {set(map(_device, fitted))}")


def _device(one: Tensor) -> str:
    return one.device.type


def _devices_of_steps() -> set[str]:
    """Of the parameters of each step of Adam to come."""
    devices: set[str] = set()
    step: Any = torch.optim.Adam.step

    def noted(adam: torch.optim.Adam) -> None:
        devices.update(_device(one) for group in adam.param_groups for one in group["params"])
        step(adam)

    torch.optim.Adam.step = noted  # type: ignore[method-assign, assignment]
    return devices


def _rival(name: str) -> list[Tensor]:
    one = RIVALS[name](hidden=8, embedding=4, epochs=2, device=DEVICE)
    assert isinstance(one, SequenceRanker)
    one.fit(training_of(events(75)))
    moments = [value for state in one._optimizer.state.values() for value in state.values()]
    assert len(moments) == 3 * len(one.parameters())
    return [*one.parameters(), one.seen_I, *moments]


def _model(precision: str, **changes: str) -> list[Tensor]:
    config = small(dtype="float32", **changes)
    training = {f"user-{count}": _steps(count, config) for count in (2, 5, 30)}
    validation = {user: _steps(3, config) for user in ("user-2", "user-5")}  # of one user torch would keep the value, too
    fitted: list[Tensor] = []

    def take_fit(_: Recommender, tensors: Mapping[str, tuple[Tensor, Tensor]], updates: float) -> None:  # noqa: ARG001 - as called
        fitted.extend(chain(*tensors.values()))

    Recommender.take_fit = take_fit  # type: ignore[method-assign, assignment]
    fit(training, validation, config, epochs=2, device=DEVICE, precision=precision)
    return fitted


def _without_values() -> None:
    """Stand in for what fake tensors cannot do: give a number, be drawn by a generator, be made on the device at once, be hashed."""
    torch_: Any = torch
    made, drawn, generator = torch.tensor, torch.rand, torch.Generator
    Tensor.__float__, Tensor.__int__ = lambda _: 0.0, lambda _: 0  # type: ignore[method-assign]
    torch_.tensor = lambda data, device="cpu", **how: made(data, **how).to(device)
    torch_.rand = lambda *size, generator, **how: drawn(*size, **how)  # noqa: ARG005 - called by name
    torch_.Generator = lambda _="cpu": generator()
    torch_.randperm = lambda count, generator: np.arange(count)  # noqa: ARG005 - as above
    nn.Module.to = _moved  # type: ignore[method-assign, assignment]


def _moved(net: nn.Module, device: str) -> nn.Module:
    for module in net.modules():
        for name, one in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(one.detach().to(device)))
    return net


def _steps(count: int, config: ModelConfig) -> list[tuple[Step, str]]:
    draw = np.random.default_rng(count)
    return [(Step(draw.random(config.width, np.float32), 0.5), f"v{draw.integers(6)}") for _ in range(count)]


if __name__ == "__main__":
    main(sys.argv[1], **dict(one.split("=") for one in sys.argv[2:]))

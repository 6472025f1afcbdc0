"""A fit on another device than the processor, without one: run in a process of its own, it prints where its results are.

Torch's fake tensors have a device and a shape, but no values, and are an error where those of two devices meet.
"""

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

from model import ModelConfig, Recommender, Step, fit
from model.network import Network
from tests.model.small import small

DEVICE = "elsewhere"


def main(precision: str, **changes: str) -> None:
    """Two epochs with validation."""
    # Before anything is differentiated: torch counts its devices then.
    backend_registration._setup_privateuseone_for_python_backend(DEVICE)
    config = small(dtype="float32", **changes)
    training = {f"user-{count}": _steps(count, config) for count in (2, 5, 30)}
    validation = {user: _steps(3, config) for user in ("user-2", "user-5")}  # of one user torch would keep the value, too
    with FakeTensorMode(allow_non_fake_inputs=True):
        _without_values()
        fit(training, validation, config, epochs=2, device=DEVICE, precision=precision)


def _without_values() -> None:
    """Stand in for what fake tensors cannot do: give a number, be drawn by a generator, be made on the device at once, be hashed."""
    torch_: Any = torch
    made, drawn, generator = torch.tensor, torch.rand, torch.Generator
    Tensor.__float__, Tensor.__int__ = lambda _: 0.0, lambda _: 0  # type: ignore[method-assign]
    torch_.tensor = lambda data, device="cpu", **how: made(data, **how).to(device)
    torch_.rand = lambda *size, generator, **how: drawn(*size, **how)  # noqa: ARG005 - called by name
    torch_.Generator = lambda _="cpu": generator()
    torch_.randperm = lambda count, generator: np.arange(count)  # noqa: ARG005 - as above
    Network.to = _moved  # type: ignore[method-assign, assignment]
    Recommender.take_fit = _print_devices  # type: ignore[method-assign, assignment]


def _moved(network: Network, device: str) -> Network:
    for name, one in list(network.named_parameters()):
        setattr(network, name, nn.Parameter(one.detach().to(device)))
    return network


def _print_devices(_: Recommender, tensors: Any, updates: float) -> None:  # noqa: ANN401, ARG001 - in place of another
    sys.stdout.write(" ".join(sorted({one.device.type for both in tensors.values() for one in both})))


def _steps(count: int, config: ModelConfig) -> list[tuple[Step, str]]:
    draw = np.random.default_rng(count)
    return [(Step(draw.random(config.width, np.float32), 0.5), f"v{draw.integers(6)}") for _ in range(count)]


if __name__ == "__main__":
    main(sys.argv[1], **dict(one.split("=") for one in sys.argv[2:]))

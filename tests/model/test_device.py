"""Offline fits on another device than the processor. None is needed: torch's fake tensors have a device and a shape, but no values,
and are an error where those of two devices meet.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import backend_registration

from model import ModelConfig, Recommender, Step, fit
from model.network import Network
from tests.model.small import small

DEVICE = "elsewhere"


@pytest.fixture(scope="module")
def named() -> None:
    """A device of which torch knows the name alone."""
    backend_registration._setup_privateuseone_for_python_backend(DEVICE)


@pytest.fixture
def elsewhere(named: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001 - named before
    """Fake tensors, and what they cannot do: give a number (it is 0), be drawn by a generator, be made on the device at once."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        made, drawn, generator = torch.tensor, torch.rand, torch.Generator
        monkeypatch.setattr(Tensor, "__float__", lambda _: 0.0)
        monkeypatch.setattr(Tensor, "__int__", lambda _: 0)
        monkeypatch.setattr(torch, "tensor", lambda data, device="cpu", **how: made(data, **how).to(device))
        monkeypatch.setattr(torch, "rand", lambda *size, generator, **how: drawn(*size, **how))  # noqa: ARG005 - called by name
        monkeypatch.setattr(torch, "Generator", lambda _="cpu": generator())
        monkeypatch.setattr(torch, "randperm", lambda count, generator: np.arange(count))  # noqa: ARG005 - as above
        monkeypatch.setattr(Network, "to", _moved)
        yield


def _moved(network: Network, device: str) -> Network:
    for name, one in list(network.named_parameters()):
        setattr(network, name, nn.Parameter(one.detach().to(device)))
    return network


def _steps(count: int, config: ModelConfig) -> list[tuple[Step, str]]:
    draw = np.random.default_rng(count)
    return [(Step(draw.random(config.width, np.float32), 0.5), f"v{draw.integers(6)}") for _ in range(count)]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("changes", [{}, {"loss": "bce"}, {"logits": "identity", "preset": "full"}], ids=["paper", "bce", "full"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_tensors_of_two_devices_never_meet(changes: dict[str, str], precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In training, validation and the optimizer; what is kept of the best epoch is on the processor."""
    kept: list[Mapping[str, tuple[Tensor, Tensor]]] = []
    monkeypatch.setattr(Recommender, "take_fit", lambda _, tensors, updates: kept.append(tensors))  # noqa: ARG005 - as above
    config = small(dtype="float32", **changes)
    training = {f"user-{count}": _steps(count, config) for count in (2, 5, 30)}
    validation = {user: _steps(3, config) for user in ("user-2", "user-5")}  # of one torch would keep the value, too
    fit(training, validation, config, epochs=2, device=DEVICE, precision=precision)
    assert {"cpu"} == {one.device.type for both in kept[0].values() for one in both}

"""The output layer of an offline fit in bfloat16."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model import ModelConfig
from model.network import Network
from model.output import loss_and_slope
from model.softmax import Softmax
from model.softmax_kernels import to_slopes
from model.trainer import precision_of

_CONFIG = ModelConfig(("blog",), 4, factors=4, hidden=24)
_ITEMS, _STEPS = 70, 90


def _case(logits: str, scale: float = 3.0) -> tuple[Network, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(5)
    network = Network(replace(_CONFIG, logits=logits), 1, _ITEMS, 0)
    network.W_r.data *= scale
    network.b_r.data.normal_(generator=draw)
    h_NH = torch.randn(_STEPS, _CONFIG.hidden, generator=draw) / 2
    return network, h_NH, torch.randint(_ITEMS, (_STEPS,), generator=draw)


def _softmax(network: Network) -> Softmax:
    return Softmax(network.W_r, network.b_r, network.config.logits)


def _in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts of the catalogue, three runs over the steps."""
    monkeypatch.setattr("model.softmax._PART", 30)
    monkeypatch.setattr("model.softmax._LOGITS", 32 * _ITEMS)


@pytest.mark.parametrize("logits", ["tanh", "identity"])
def test_loss_and_gradients_are_those_of_float32(logits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a bfloat16's few digits, whatever the parts; a second window adds to the gradients of the first."""
    _in_parts(monkeypatch)
    network, h_NH, item_N = _case(logits)
    total, slope_NH = _softmax(network).backward(h_NH, item_N, _STEPS)
    loss_N, slope_NI = loss_and_slope(network.logits(h_NH).detach(), item_N, network.config)
    slope_NI /= _STEPS
    assert float(loss_N.sum()) == pytest.approx(total, rel=1e-3)
    assert network.W_r.grad is not None
    assert network.b_r.grad is not None
    for expected, given in (
        (slope_NI @ network.W_r.detach(), slope_NH), (slope_NI.T @ h_NH, network.W_r.grad), (slope_NI.sum(dim=0), network.b_r.grad)
    ):  # fmt: skip
        assert (given - expected).norm() < 0.01 * expected.norm()


def test_windows_add_up() -> None:
    """Half of the steps and then the other half give the gradients of all, and a new batch starts from nothing."""
    network, h_NH, item_N = _case("tanh")
    softmax = _softmax(network)
    softmax.backward(h_NH, item_N, _STEPS)
    assert network.W_r.grad is not None
    whole_IH = network.W_r.grad.clone()
    network.zero_grad()
    for half in (slice(0, 45), slice(45, None)):
        softmax.backward(h_NH[half], item_N[half], _STEPS)
    assert (network.W_r.grad - whole_IH).norm() < 0.01 * whole_IH.norm()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients are the same bits with one thread and with three, and the rest of torch keeps its number of threads."""
    _in_parts(monkeypatch)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            network, h_NH, item_N = _case("tanh")
            total, slope_NH = _softmax(network).backward(h_NH, item_N, _STEPS)
            assert threads == torch.get_num_threads()
            assert network.W_r.grad is not None
            found.append((total, slope_NH.numpy().tobytes(), network.W_r.grad.numpy().tobytes()))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_far_logits_stay_finite() -> None:
    """Logits in the hundreds, which no exponential reaches, give finite losses and gradients."""
    network, h_NH, item_N = _case("identity", scale=1_000.0)
    total, slope_NH = _softmax(network).backward(h_NH, item_N, _STEPS)
    assert network.W_r.grad is not None
    assert np.isfinite(total)
    assert slope_NH.isfinite().all()
    assert network.W_r.grad.isfinite().all()


def test_slopes_are_rounded_as_torch_does() -> None:
    """To the nearest bfloat16, halves to the even one, small and negative ones too."""
    values_NN = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) * torch.logspace(-40, 20, 64)
    table_C = np.zeros(1 << 16, np.float32)
    table_C[: values_NN.numel()] = values_NN.flatten().numpy()
    codes_NN = np.arange(values_NN.numel(), dtype=np.uint16).reshape(64, 64)
    to_slopes(codes_NN, table_C, np.ones(64, np.float32))
    np.testing.assert_array_equal(values_NN.to(torch.bfloat16).view(torch.uint16).numpy(), codes_NN)


@pytest.mark.parametrize(
    ("has", "changes", "device", "expected"),
    [
        ("amx_tile", {}, "cpu", "bfloat16"), ("avx512_bf16", {}, "cpu", "bfloat16"), ("", {}, "cpu", "float32"),
        ("amx_tile", {}, "cuda", "float32"), ("amx_tile", {"dtype": "float64"}, "cpu", "float32"),
        ("amx_tile", {"loss": "bce"}, "cpu", "float32"),
    ],
)  # fmt: skip
def test_auto_follows_the_processor(
    has: str, changes: dict[str, str], device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is bfloat16 where the processor has instructions for it and the fast path applies; a named precision is kept."""
    for one in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(f"torch.cpu._is_{one}_supported", lambda one=one: one == has)
    config = replace(_CONFIG, **changes)  # type: ignore[arg-type] # fields of strings
    assert expected == precision_of("auto", config, device)
    assert "float32" == precision_of("float32", config, device)

"""What the heads of the network see of h."""

import numpy as np
import torch

from model.blend.view import DIRECTIONS, Teacher, View


def _random(*size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)), dtype=torch.float64)


def test_a_narrow_h_is_seen_whole() -> None:
    """Up to as many directions as are kept, what is seen is h itself, to the last bit."""
    h_BH = _random(5, DIRECTIONS)
    assert torch.equal(h_BH, View.of(_random(200, DIRECTIONS)).seen(h_BH))


def test_of_a_wide_h_the_main_directions_are_seen() -> None:
    """What is left out of W_r is what its smallest singular values make, and no more."""
    W_IH = _random(300, 2 * DIRECTIONS)
    view = View.of(W_IH)
    left_out_IH = W_IH - view.back(view.seen(W_IH))
    smallest = np.linalg.svd(W_IH.numpy(), compute_uv=False)[DIRECTIONS:]
    np.testing.assert_allclose((smallest**2).sum(), float(left_out_IH.square().sum()), rtol=1e-9)


def test_a_softmax_on_a_view_has_the_slope_of_its_loss() -> None:
    """The slope by h is that of autograd through the mean cross-entropy of the items taken."""
    W_IH, h_BH, item_B = _random(9, 2 * DIRECTIONS), _random(3, 2 * DIRECTIONS).requires_grad_(), torch.tensor([1, 8, 1])
    view, b_I = View.of(W_IH), _random(9)
    loss = torch.nn.functional.cross_entropy(view.seen(h_BH) @ view.seen(W_IH).T + b_I, item_B)
    (expected_BH,) = torch.autograd.grad(loss, h_BH)
    softmax = Teacher(view.seen(W_IH).float(), b_I.float(), view)
    np.testing.assert_allclose(expected_BH, softmax.slopes(h_BH.detach(), item_B), atol=1e-5)

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


def test_a_softmax_on_a_view_has_the_slope_of_its_logits() -> None:
    """The slope by h is that of autograd through the logits."""
    W_IH, h_BH, slope_BI = _random(9, 2 * DIRECTIONS), _random(3, 2 * DIRECTIONS).requires_grad_(), _random(3, 9)
    view = View.of(W_IH)
    softmax = Teacher(view.seen(W_IH), _random(9), view)
    (expected_BH,) = torch.autograd.grad(softmax.logits(h_BH), h_BH, slope_BI)
    np.testing.assert_allclose(expected_BH, softmax.slope(slope_BI), atol=1e-12)

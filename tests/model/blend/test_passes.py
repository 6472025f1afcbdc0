"""Passes over the items, each against its formula in float64."""

import numpy as np
import pytest
import torch

from model.blend.passes import to_fourth, to_log_shares, to_softmax_slopes

ITEMS = 100  # not a multiple of what is done at once


def _logits(scale: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return (np.random.default_rng(0).standard_normal((3, ITEMS)) * scale).astype(np.float32)


@pytest.mark.parametrize("scale", [0.01, 5.0, 200.0])
def test_log_shares(scale: float) -> None:
    """Log softmax and what is added, and their sums, for even logits and for far ones."""
    logit_BI, total_B = _logits(scale), np.zeros(3, np.float32)
    expected_BI = torch.log_softmax(torch.from_numpy(logit_BI).double(), dim=1).numpy() + 8
    to_log_shares(logit_BI, 8.0, total_B)
    np.testing.assert_allclose(expected_BI, logit_BI, rtol=3e-6, atol=3e-5)
    np.testing.assert_allclose(expected_BI.sum(axis=1), total_B, rtol=1e-5)


def test_what_is_no_number_shows_in_the_sum() -> None:
    """One logit that is no number makes its row's sum none, whatever the others are."""
    logit_BI, total_B = _logits(1.0), np.zeros(3, np.float32)
    logit_BI[1, 7] = np.nan
    to_log_shares(logit_BI, 8.0, total_B)
    assert [True, False, True] == np.isfinite(total_B).tolist()


def test_softmax_slopes() -> None:
    """Shares less 1 where an item was taken, times a number, of logits and what is added to each of them."""
    logit_BI, b_I, item_B = _logits(3.0), np.linspace(-1, 1, ITEMS, dtype=np.float32), np.array([0, 99, 50])
    expected_BI = torch.softmax(torch.from_numpy(logit_BI + b_I).double(), dim=1).numpy() - np.eye(ITEMS)[item_B]
    to_softmax_slopes(logit_BI, b_I, item_B, 0.25)
    np.testing.assert_allclose(0.25 * expected_BI, logit_BI, rtol=1e-5, atol=1e-9)


def test_fourth_powers_are_turned() -> None:
    """(I, B) becomes (B, I)."""
    like_BI, out_BI = _logits(1.0), np.zeros((3, ITEMS), np.float32)
    to_fourth(np.ascontiguousarray(like_BI.T), out_BI)
    np.testing.assert_allclose(like_BI.astype(np.float64) ** 4, out_BI, rtol=1e-6)

"""Passes over the items, each against its formula in float64."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from model.blend.kernels import put_fourths
from model.blend.lifts import to_standard
from model.blend.passes import to_log_shares, to_softmax_slopes

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


@pytest.mark.parametrize("rows", [1, 3])
def test_fourth_powers_of_products_with_sparse_rows(rows: int) -> None:
    """(a_i . p_b)^4 for each item i and profile b; of an item without a text zero."""
    draw = np.random.default_rng(1)
    weight_IW = np.where(draw.random((ITEMS, 16)) < 0.2, draw.random((ITEMS, 16)), 0).astype(np.float32)
    weight_IW[7] = 0
    profile_BW, out_BI, sparse = draw.random((rows, 16), np.float32), np.empty((rows, ITEMS), np.float32), csr_array(weight_IW)
    put_fourths(sparse.indptr, sparse.indices, sparse.data, np.ascontiguousarray(profile_BW.T), out_BI)
    np.testing.assert_allclose((profile_BW.astype(np.float64) @ weight_IW.T) ** 4, out_BI, rtol=1e-6)


def test_values_are_standardised_time_by_time() -> None:
    """Mean 0 and spread 1 for each time; where all values are alike they become 0."""
    value_TI = _logits(3.0) + 5
    value_TI[1] = 2.5
    exact_TI = value_TI.astype(np.float64)
    expected_TI = np.array([(one_I - one_I.mean()) / (one_I.std() or 1) for one_I in exact_TI])
    to_standard(value_TI)
    np.testing.assert_allclose(expected_TI, value_TI, atol=1e-5)

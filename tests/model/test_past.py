"""What users' memories keep, read one by one and all at once."""

import numpy as np
import torch

from model import Memory
from model.past import read_each, read_past
from model.past_kernels import bits_of, put_profile
from tests.model.small import awkward, small


def test_float16_is_read_as_it_is() -> None:
    """Every number a float16 can be, the smallest ones and both signs too; what is no number is none."""
    half_C = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    found_C = np.zeros(1 << 16, np.float32)
    put_profile(bits_of(half_C[None]), 1.0, found_C)
    finite_C = np.isfinite(half_C)
    np.testing.assert_array_equal(half_C[finite_C].astype(np.float32), found_C[finite_C])
    assert np.isnan(found_C[~finite_C]).all()


def test_the_latest_window_has_faded_least() -> None:
    """Each window times the decay once for itself and once for each after it."""
    past_x_SM, profile_M = np.array([[1, 0.5], [0, 0.25], [0.5, 1]], np.float16), np.zeros(2, np.float32)
    put_profile(bits_of(past_x_SM), 0.5, profile_M)
    np.testing.assert_allclose([1 / 8 + 0 + 0.5 / 2, 0.5 / 8 + 0.25 / 4 + 1 / 2], profile_M)


def test_pasts_are_read_user_by_user_as_they_are_all_at_once() -> None:
    """The h_A and weights of users with posts and without, with a past, with silent windows in it, and without one."""
    config = small(dtype="float32")
    memory = Memory.empty(config)
    memories, draw = [memory], np.random.default_rng(0)
    for one in awkward(config)[:3]:
        h_H, C_H = draw.normal(size=(2, config.hidden)).astype(np.float16).astype(np.float32)
        memory = memory.after(one, h_H, C_H, config.past)
        memories.append(memory)
    x_BVM = torch.from_numpy(draw.random((len(memories), 1, config.width), np.float32))
    x_BVM[-1] = 0
    (expected_BVH, expected), (found_BVH, found) = (read(x_BVM, memories, config.hidden) for read in (read_past, read_each))
    np.testing.assert_allclose(found_BVH, expected_BVH, atol=1e-6)
    for own, other in zip(found, expected, strict=True):
        assert other.shape == own.shape
        np.testing.assert_allclose(own, other, atol=1e-6)

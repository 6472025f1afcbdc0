"""Config, steps, memories, ids and growing rows."""

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

from model import Ids, Memory, ModelConfig, ModelError, make_step, topic_counts
from model.rows import with_rows
from tests.model.small import SMALL, small


@pytest.mark.parametrize(
    "changes",
    [
        {"topics": -1}, {"factors": 0}, {"hidden": 0}, {"past": 0}, {"past": 257}, {"tau_seconds": 0.0}, {"tau_seconds": math.inf},
        {"logits": "softmax"}, {"loss": "mse"}, {"frequencies": "raw"}, {"dtype": "float16"}, {"dropout": 1.0}, {"soft_floor": -0.1},
        {"online_rate": -1.0}, {"online_rate": math.nan}, {"online_iterations": 0}, {"clip_norm": 0.0}, {"users_cap": 0},
        {"items_cap": 0}, {"networks": ("a", "a")},
    ],
)  # fmt: skip
def test_config_refuses_what_cannot_be(changes: dict[str, Any]) -> None:
    """The message names the field and its value."""
    ((name, value),) = changes.items()
    with pytest.raises(ModelError, match=f"{name} = ") as caught:
        small(**changes)
    assert str(value) in str(caught.value)


def test_config_defaults_are_the_papers() -> None:
    """Sizes k = 100 and h = 400, dropout .35, Adam at .001, tanh, categorical cross-entropy."""
    config = ModelConfig(("twitter", "gplus"), 60)
    expected = (100, 400, 0.35, 0.001, "tanh", "ce", 50, 1, 5.0, 120)
    assert expected == (
        config.factors, config.hidden, config.dropout, config.online_rate, config.logits, config.loss, config.past,
        config.online_iterations, config.clip_norm, config.width,
    )  # fmt: skip


def test_hard_counts_are_one_for_the_likeliest_topic() -> None:
    """The first one among equals."""
    assert [0.0, 1.0, 0.0] == topic_counts(np.array([0.2, 0.4, 0.4], np.float32), small(topics=3)).tolist()


def test_soft_counts_drop_small_entries() -> None:
    """What is below the floor is zero, the rest as it is."""
    theta_K = np.array([0.04, 0.05, 0.91], np.float32)
    np.testing.assert_array_equal(np.array([0, 0.05, 0.91], np.float32), topic_counts(theta_K, small(topics=3, frequencies="soft")))


def test_a_step_is_normalised_for_each_network() -> None:
    """Each network's block sums to 1, a silent network's is zero, and all values are float16 values."""
    step = make_step(np.array([[1, 2, 4, 0], [0, 0, 0, 0]], np.float32), 10.0, SMALL)
    np.testing.assert_allclose([1 / 7, 2 / 7, 4 / 7, 0, 0, 0, 0, 0], step.x_M, atol=1e-3)
    np.testing.assert_array_equal(step.x_M.astype(np.float16).astype(np.float32), step.x_M)
    assert np.float32 == step.x_M.dtype


def test_the_time_factor_falls_with_the_gap() -> None:
    """1 without a gap, 1/e after tau, 0 after ages, and 0 at a first step."""
    sums_NK = np.zeros((2, 4), np.float32)
    expected = [1.0, math.exp(-1), 0.0, 0.0]
    assert expected == [make_step(sums_NK, gap, SMALL).g for gap in (0.0, 1000.0, 1e12, None)]


def test_memory_keeps_the_last_steps() -> None:
    """Oldest first, no more than `past`, the count going on; and the memory before is what it was."""
    memories = [Memory.empty(SMALL)]
    for number in range(5):
        h_H = np.full(6, number + 0.1, np.float32)
        step = make_step(np.full((2, 4), number, np.float32), None, SMALL)
        memories.append(memories[-1].after(step, h_H, h_H, SMALL.past))
    assert [0, 1, 2, 3, 3, 3] == [len(one.past_h) for one in memories]
    assert [0, 1, 2, 3, 4, 5] == [one.steps for one in memories]
    np.testing.assert_allclose([2.1, 3.1, 4.1], memories[5].past_h[:, 0], atol=2e-3)
    assert np.float16(4.1) == memories[5].h_H[0]
    assert np.float32(4.1) == memories[5].C_H[0]
    assert ["float16", "float16"] == [str(memories[5].past_h.dtype), str(memories[5].past_x.dtype)]


def test_ids_evict_the_stalest() -> None:
    """Against a plain ordered dictionary, through thousands of uses."""
    draw = np.random.default_rng(0)
    ids, plain = Ids(10), OrderedDict[str, int]()
    for name in (f"n{number}" for number in draw.integers(0, 25, 2000)):
        is_new = name not in plain
        row = plain.pop(name) if not is_new else (len(plain) if len(plain) < 10 else plain.popitem(last=False)[1])
        plain[name] = row
        placed = ids.use(name)
        assert (row, is_new) == (placed.row, placed.is_new)
        assert name == ids.name(row)
    assert dict(plain) == {name: ids.get(name) for name in ids.names()}
    assert list(plain.values()) == ids.stalest_first()


def test_restored_ids_go_on_alike() -> None:
    """Rows and the order of last use survive."""
    ids = Ids(3)
    for name in "abcad":
        ids.use(name)
    again = Ids.restored(3, ids.names(), ids.stalest_first())
    assert [ids.use(name) for name in "efab"] == [again.use(name) for name in "efab"]
    assert ids.names() == again.names()


def test_rows_grow_in_place_and_are_zero() -> None:
    """Old rows stay, new ones are zero, and the storage moves only when it doubles."""
    rows = torch.ones(0, 3)
    moves = 0
    for count in range(1, 300):
        grown = with_rows(rows, count)
        moves += grown.data_ptr() != rows.data_ptr()
        assert (count, 3) == tuple(grown.shape)
        assert 0.0 == float(grown[count - 1].sum())
        grown[count - 1] = count
        rows = grown
    assert [float(count) for count in range(1, 300)] == rows[:, 0].tolist()
    assert moves == 4  # 64, 128, 256, 512


def test_one_dimensional_rows_grow() -> None:
    """Biases and counts grow as matrices do."""
    assert [1.0, 1.0, 0.0] == with_rows(torch.ones(2), 3).tolist()

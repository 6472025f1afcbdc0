"""ALGORITHMS 7.1 written out in plain loops and float64, one number at a time: what every faster path is compared with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model import ModelConfig, Step

Array = NDArray[np.float64]
Weights = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class PlainStep:
    """Every intermediate value of one step."""

    v: Array
    attention: Array
    h_A: Array
    C: Array
    h: Array
    logits: Array


def sigmoid(a: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-a))


def dot(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Sum of products."""
    return sum(float(p) * float(q) for p, q in zip(a, b, strict=True))


def pooled(x: Array, weights: Weights, user: int, config: ModelConfig, previous: int = -1) -> Array:
    """Eq. 1, 2: the columns x_j Y_j and e_u (and that of the item before), then each of them, and each pair of them."""
    columns: list[NDArray[np.floating]] = [float(x[j]) * weights["Y"][j] for j in range(len(x))] + [weights["E_user"][user]]
    if config.looks_back and previous >= 0:
        columns.append(weights["E_item"][previous])
    v = np.zeros(config.factors)
    for column in columns:
        v += column
    if config.second_order:
        for i in range(len(columns)):
            for j in range(i + 1, len(columns)):
                v += columns[i] * columns[j]
    return v


def cosine(a: Array, b: Array) -> float:
    """0 where either is zero (default 4)."""
    size = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
    return dot(a, b) / size if size > 0 else 0.0


def attended(x: Array, past_x: Sequence[Array], past_h: Sequence[Array], config: ModelConfig) -> tuple[Array, Array]:
    """Eq. 3, 4: softmax of cosines, and the past h weighed by it."""
    kept_x, kept_h = past_x[-config.past :], past_h[-config.past :]
    powers = [math.exp(cosine(x, one)) for one in kept_x]
    alpha = [one / sum(powers) for one in powers]
    h_A = np.zeros(config.hidden)
    for weight, h in zip(alpha, kept_h, strict=True):
        h_A += weight * h
    return np.array(alpha), h_A


def gate(name: str, weights: Weights, v: Array, h: Array, unit: int) -> float:
    """W v + U h + b of one unit of one gate."""
    return dot(weights[f"W_{name}"][unit], v) + dot(weights[f"U_{name}"][unit], h) + float(weights[f"b_{name}"][unit])


def cell(
    v: Array, g: float, h: Array, C: Array, h_A: Array, weights: Weights, config: ModelConfig
) -> tuple[Array, Array]:
    """Eq. 5-7 and the output, unit by unit."""
    h_after, C_after = np.zeros(config.hidden), np.zeros(config.hidden)
    for unit in range(config.hidden):
        i, f = sigmoid(gate("i", weights, v, h, unit)), sigmoid(gate("f", weights, v, h, unit))
        if config.time_gates:
            i, f = (1 - g) * i, g * f
        C_after[unit] = f * C[unit] + i * math.tanh(gate("c", weights, v, h, unit))
        if config.attention:
            i_A = sigmoid(gate("Ai", weights, v, h_A, unit))
            C_after[unit] += i_A * math.tanh(gate("Ac", weights, v, h_A, unit))
        h_after[unit] = sigmoid(gate("o", weights, v, h, unit)) * math.tanh(C_after[unit])
    return h_after, C_after


def logits(h: Array, weights: Weights) -> Array:
    """W_r h + b_r, before the tanh of eq. 8."""
    return np.array([dot(row, h) + float(bias) for row, bias in zip(weights["W_r"], weights["b_r"], strict=True)])


def loss(logit: Array, item: int, config: ModelConfig) -> float:
    """Categorical cross-entropy, or eq. 9 as printed."""
    r = [math.tanh(one) if config.logits == "tanh" else float(one) for one in logit]
    total = sum(math.exp(one) for one in r)
    y = [math.exp(one) / total for one in r]
    if config.loss == "ce":
        return -math.log(y[item])
    return -sum(math.log(y[j]) if j == item else math.log(1 - y[j]) for j in range(len(y)))


def sequence(
    steps: Sequence[Step], weights: Weights, user: int, config: ModelConfig, previous: Sequence[int] = ()
) -> list[PlainStep]:
    """All steps of a user from an empty memory."""
    h, C = np.zeros(config.hidden), np.zeros(config.hidden)
    past_x: list[Array] = []
    past_h: list[Array] = []
    done = []
    for number, step in enumerate(steps):
        x = np.asarray(step.x_M, np.float64)
        v = pooled(x, weights, user, config, previous[number] if previous else -1)
        attention, h_A = attended(x, past_x, past_h, config)
        h, C = cell(v, step.g, h, C, h_A, weights, config)
        past_x.append(x)
        past_h.append(h)
        done.append(PlainStep(v, attention, h_A, C, h, logits(h, weights)))
    return done

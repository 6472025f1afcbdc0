"""Passes over the items, compiled: what stands beside it in memory is done at once, and threads do not wait for each other meanwhile.

All in one file, because what is compiled is kept on disk for as long as its own file does not change, whatever it calls.

Results depend on the machine no more than those of matrix products do: on whether it multiplies and adds at once, and where sums are
made in any order (`summed`).

Legend: B events, I items, F features, n items that a user owns, W = 2 F weights.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled, inlined, summed

Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
_BLOCK = 1024  # items whose scores stay in a core's nearest cache
_AT_ONCE = 8  # events
_LANES = 16  # sums and maxima that are made beside each other, as a processor adds and compares them


@inlined
def _exp(x: Any) -> Any:  # noqa: ANN401 - a float32, which has no name that numba and the type checker share
    """The exponential of a float32, to a unit or two of the last place, so that a loop of it becomes vector instructions (Cephes)."""
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    twos = np.int32(x * np.float32(1.4426950408889634) + (np.float32(0.5) if x >= 0 else np.float32(-0.5)))
    count = np.float32(twos)  # a product of an int32 would be a float64
    rest = x - count * np.float32(0.693359375) - count * np.float32(-2.12194440e-4)
    value = np.float32(1.9875691500e-4)
    value = value * rest + np.float32(1.3981999507e-3)
    value = value * rest + np.float32(8.3334519073e-3)
    value = value * rest + np.float32(4.1665795894e-2)
    value = value * rest + np.float32(1.6666665459e-1)
    value = value * rest + np.float32(5.0000001201e-1)
    value = value * rest * rest + rest + np.float32(1)
    return value * np.int32((twos + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def _top(value_I: Floats) -> Any:  # noqa: ANN401 - as above
    items = len(value_I)
    whole = items // _LANES * _LANES
    lane_L = np.full(_LANES, -np.inf, np.float32)
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            lane_L[lane] = max(lane_L[lane], value_I[start + lane])
    top = lane_L.max()
    for item in range(whole, items):
        top = max(top, value_I[item])
    return top


@compiled
def _total(value_I: Floats) -> float:
    items = len(value_I)
    whole = items // _LANES * _LANES
    lane_L = np.zeros(_LANES, np.float32)
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            lane_L[lane] += value_I[start + lane]
    total = 0.0
    for lane in range(_LANES):
        total += lane_L[lane]
    for item in range(whole, items):
        total += value_I[item]
    return total


@compiled
def _to_exponentials(value_I: Floats, top: Any) -> float:  # noqa: ANN401 - as above
    """exp(value - top) in their place, and the sum of them."""
    items = len(value_I)
    whole = items // _LANES * _LANES
    lane_L = np.zeros(_LANES, np.float32)
    for start in range(0, whole, _LANES):
        for lane in range(_LANES):
            value = _exp(value_I[start + lane] - top)
            value_I[start + lane] = value
            lane_L[lane] += value
    for item in range(whole, items):
        value_I[item] = _exp(value_I[item] - top)
        lane_L[0] += value_I[item]
    return _total(lane_L)


@compiled
def to_log_shares(logit_BI: Floats, lift: float, total_B: Floats) -> None:
    """Logarithms of shares, plus `lift`, in place of logits; their sum over the items too, which is no number where one is none."""
    spare_I = np.empty(logit_BI.shape[1], np.float32)
    for row in range(len(logit_BI)):
        logit_I = logit_BI[row]
        top, spare_I[:] = _top(logit_I), logit_I
        moved = np.float32(lift - top - math.log(_to_exponentials(spare_I, top)))
        for item in range(len(logit_I)):
            logit_I[item] += moved
        total_B[row] = _total(logit_I)


@compiled
def to_softmax_slopes(logit_BI: Floats, b_I: Floats, item_B: Longs, scale: float) -> None:
    """Shares, less 1 where an item was taken, times `scale`, in place of logits without b."""
    for row in range(len(logit_BI)):
        logit_I = logit_BI[row]
        for item in range(len(logit_I)):
            logit_I[item] += b_I[item]
        to_share = np.float32(scale / _to_exponentials(logit_I, _top(logit_I)))
        for item in range(len(logit_I)):
            logit_I[item] *= to_share
        logit_I[item_B[row]] -= np.float32(scale)


# ---- scores ----


@compiled
def _add_scores(feature_FBI: Floats, event: int, weight_2F: Floats, score_2I: Floats) -> None:
    """Add an event's features, each times its weights: those for all items, and what they add for young ones."""
    features, items = len(feature_FBI), feature_FBI.shape[2]
    for start in range(0, items, _BLOCK):
        stop = min(start + _BLOCK, items)
        all_n, young_n = score_2I[0, start:stop], score_2I[1, start:stop]
        whole = features // 4 * 4
        for first in range(0, whole, 4):  # four at once, so that the sums are read and written less often
            w_0, w_1, w_2, w_3 = weight_2F[0, first], weight_2F[0, first + 1], weight_2F[0, first + 2], weight_2F[0, first + 3]
            y_0, y_1, y_2, y_3 = weight_2F[1, first], weight_2F[1, first + 1], weight_2F[1, first + 2], weight_2F[1, first + 3]
            f_0n, f_1n = feature_FBI[first, event, start:stop], feature_FBI[first + 1, event, start:stop]
            f_2n, f_3n = feature_FBI[first + 2, event, start:stop], feature_FBI[first + 3, event, start:stop]
            for item in range(stop - start):
                all_n[item] += w_0 * f_0n[item] + w_1 * f_1n[item] + w_2 * f_2n[item] + w_3 * f_3n[item]
                young_n[item] += y_0 * f_0n[item] + y_1 * f_1n[item] + y_2 * f_2n[item] + y_3 * f_3n[item]
        for feature in range(whole, features):
            one_n, of_all, of_young = feature_FBI[feature, event, start:stop], weight_2F[0, feature], weight_2F[1, feature]
            for item in range(stop - start):
                all_n[item] += of_all * one_n[item]
                young_n[item] += of_young * one_n[item]


@compiled
def put_scores(
    own_GBI: Floats, trend_HTI: Floats, young_TI: Flags, time_B: Longs, weight_B2F: Floats, start: int, stop: int, score_BI: Floats
) -> None:
    """Scores of some events: features times weights."""
    G, score_2I = len(own_GBI), np.empty((2, own_GBI.shape[2]), np.float32)
    before_2I, before = np.empty((2, own_GBI.shape[2]), np.float32), -1
    for event in range(start, stop):
        weight_2F, time = weight_B2F[event], time_B[event]
        if before < 0 or time_B[before] != time or (weight_B2F[before, :, G:] != weight_2F[:, G:]).any():
            before_2I[:] = 0  # the trend's are the same for all events of a time and a context
            _add_scores(trend_HTI, time, weight_2F[:, G:], before_2I)
            before = event
        score_2I[:] = before_2I
        _add_scores(own_GBI, event, weight_2F[:, :G], score_2I)
        for item in range(score_2I.shape[1]):
            score_BI[event, item] = score_2I[0, item] + (score_2I[1, item] if young_TI[time, item] else np.float32(0))


# ---- weights ----


@summed
def _put_gradient(feature_FBI: Floats, event: int, slope_2I: Floats, gradient_2F: Doubles) -> None:
    """Products of an event's features with two slopes."""
    items = feature_FBI.shape[2]
    for start in range(0, items, _BLOCK):
        stop = min(start + _BLOCK, items)
        all_n, young_n = slope_2I[0, start:stop], slope_2I[1, start:stop]
        for feature in range(len(feature_FBI)):
            feature_n = feature_FBI[feature, event, start:stop]
            of_all, of_young = np.float32(0), np.float32(0)
            for item in range(stop - start):
                of_all += all_n[item] * feature_n[item]
                of_young += young_n[item] * feature_n[item]
            gradient_2F[0, feature] += of_all
            gradient_2F[1, feature] += of_young


@compiled
def _put_slopes(
    own_GBI: Floats, trend_HTI: Floats, young_TI: Flags, event: int, time: int, item: int, owned_n: Longs, weight_2F: Floats,
    gradient_2F: Doubles,
) -> Any:  # fmt: skip  # noqa: ANN401 - as above
    """The gradient of an event's loss by the weights: that of the softmax over what the user does not own. Gives the taken share."""
    G, items = len(own_GBI), own_GBI.shape[2]
    slope_2I = np.zeros((2, items), np.float32)
    _add_scores(own_GBI, event, weight_2F[:, :G], slope_2I)
    _add_scores(trend_HTI, time, weight_2F[:, G:], slope_2I)
    share_I = slope_2I[0]
    for row in range(items):
        share_I[row] += slope_2I[1, row] if young_TI[time, row] else np.float32(0)
    taken = share_I[item]
    for row in owned_n:
        share_I[row] = -np.inf
    share_I[item] = taken
    total = _to_exponentials(share_I, _top(share_I))
    for row in owned_n:
        if row != item:
            total -= share_I[row]  # exp gives a little even there
            share_I[row] = 0
    to_share = np.float32(1 / total)
    for row in range(items):
        share_I[row] *= to_share
    share = share_I[item]
    share_I[item] -= 1
    for row in range(items):
        slope_2I[1, row] = share_I[row] if young_TI[time, row] else np.float32(0)
    gradient_2F[:] = 0
    _put_gradient(own_GBI, event, slope_2I, gradient_2F[:, :G])
    _put_gradient(trend_HTI, time, slope_2I, gradient_2F[:, G:])
    return share


@compiled
def _to_solution(matrix_WW: Doubles, right_W: Doubles) -> None:
    """X of A x = b, in place of b, for a positive definite A, which is overwritten: elimination by rows, without a pivot."""
    size = len(right_W)
    for pivot in range(size):
        for row in range(pivot + 1, size):
            factor = matrix_WW[pivot, row] / matrix_WW[pivot, pivot]
            for column in range(row, size):  # the upper half alone
                matrix_WW[row, column] -= factor * matrix_WW[pivot, column]
            right_W[row] -= factor * right_W[pivot]
    for row in range(size - 1, -1, -1):
        for column in range(row + 1, size):
            right_W[row] -= matrix_WW[row, column] * right_W[column]
        right_W[row] /= matrix_WW[row, row]


@compiled
def _newton(weight_W: Doubles, curvature_WW: Doubles, gradient_W: Doubles, rate: float, kept: float, ridge: float) -> bool:
    """A <- kept A + g g^T, then w <- w - rate (A + ridge)^-1 g; False and w as it was where that is no number."""
    size = len(weight_W)
    matrix_WW, step_W = np.empty((size, size)), gradient_W.copy()
    for row in range(size):
        for column in range(size):
            curvature_WW[row, column] = kept * curvature_WW[row, column] + gradient_W[row] * gradient_W[column]
            matrix_WW[row, column] = curvature_WW[row, column]
        matrix_WW[row, row] += ridge
    _to_solution(matrix_WW, step_W)
    step_W = weight_W - rate * step_W
    if not np.isfinite(step_W).all():
        return False
    weight_W[:] = step_W
    return True


@compiled
def _finite(value: Doubles) -> None:
    """Zero in place of what is no number."""
    flat = value.reshape(-1)
    for place in range(len(flat)):
        if not np.isfinite(flat[place]):
            flat[place] = 0


@compiled
def learn_weights(
    own_GBI: Floats, trend_HTI: Floats, young_TI: Flags, time_B: Longs, item_B: Longs, context_B: Longs, teaches_B: Flags,
    owned_n: Longs, first_B: Longs, weight_CW: Doubles, curvature_CWW: Doubles, steps: tuple[float, float, float],
    rows: int, young: bool, loss_B: Doubles,  # noqa: FBT001 - numba passes by place
) -> None:  # fmt: skip
    """Events one after the other: the loss of each, then a step of the shared weights (row 0) and of those of its context.

    `owned_n`: what the users own, from `first_B` on for each; `steps`: rate, kept and ridge; `rows` that take steps: 0, 1 or 2.
    """
    size = weight_CW.shape[1]
    gradient_2F = np.empty((2, size // 2))
    for event in range(len(item_B)):
        context, owned = context_B[event], owned_n[first_B[event] : first_B[event + 1]]
        weight_W = weight_CW[0] + weight_CW[context]
        _finite(weight_W)
        weight_2F = weight_W.astype(np.float32).reshape(2, size // 2)
        share = _put_slopes(own_GBI, trend_HTI, young_TI, event, time_B[event], item_B[event], owned, weight_2F, gradient_2F)
        loss_B[event] = -math.log(max(share, 1e-30))
        if not teaches_B[event]:
            continue
        if not young:
            gradient_2F[1] = 0
        for step in range(rows):
            row = context if step else 0
            if not _newton(weight_CW[row], curvature_CWW[row], gradient_2F.reshape(-1), steps[0], steps[1], steps[2]):
                _finite(weight_CW)
                _finite(curvature_CWW)


# ---- heads ----


@compiled
def _add_before(step_BI: Floats, like_BB: Floats, first: int, last: int, before: int) -> None:
    """To some events' logits, what the steps of those `before` them add: for two events and of four steps at once, to read less."""
    items, whole, nobody_n = step_BI.shape[1], before // 4 * 4, np.zeros(_BLOCK, np.float32)
    for start in range(0, items, _BLOCK):
        stop = min(start + _BLOCK, items)
        for event in range(first, last, 2):
            a_n, a_B, two = step_BI[event, start:stop], like_BB[event], event + 1 < last
            b_n, b_B = (step_BI[event + 1, start:stop], like_BB[event + 1]) if two else (nobody_n, a_B)
            for one in range(0, whole, 4):
                a_0, a_1, a_2, a_3 = a_B[one], a_B[one + 1], a_B[one + 2], a_B[one + 3]
                b_0, b_1, b_2, b_3 = b_B[one], b_B[one + 1], b_B[one + 2], b_B[one + 3]
                s_0n, s_1n = step_BI[one, start:stop], step_BI[one + 1, start:stop]
                s_2n, s_3n = step_BI[one + 2, start:stop], step_BI[one + 3, start:stop]
                for item in range(stop - start):
                    s_0, s_1, s_2, s_3 = s_0n[item], s_1n[item], s_2n[item], s_3n[item]
                    a_n[item] += a_0 * s_0 + a_1 * s_1 + a_2 * s_2 + a_3 * s_3
                    b_n[item] += b_0 * s_0 + b_1 * s_1 + b_2 * s_2 + b_3 * s_3
            for one in range(whole, before):
                one_n = step_BI[one, start:stop]
                for item in range(stop - start):
                    a_n[item] += a_B[one] * one_n[item]
                    b_n[item] += b_B[one] * one_n[item]


@compiled
def _to_step(step_I: Floats, item: int, growth: Any, rate: Any, least: Any, G_I: Floats) -> None:  # noqa: ANN401 - as above
    """AdaGrad's step of one event in place of its logits."""
    to_share, none = np.float32(1 / _to_exponentials(step_I, _top(step_I))), np.float32(0)
    of_item, G_of_item = 1 - step_I[item] * to_share, G_I[item]
    of_item = of_item if of_item >= least else none
    for row in range(len(step_I)):
        share = step_I[row] * to_share
        share = share if share >= least else none
        G = G_I[row] + share * share * growth
        G_I[row] = G
        step_I[row] = (-rate * share) / np.sqrt(G)
    G_I[item] = G_of_item + of_item * of_item * growth
    step_I[item] = rate * of_item / np.sqrt(G_I[item])


@compiled
def to_steps(step_BI: Floats, like_BB: Floats, item_B: Longs, more: float, rate: float, least: float, G_I: Floats) -> None:
    """AdaGrad's steps of events one after the other in place of their logits, those before an event counted in them.

    `like_BB`: products of what their heads see; `more`: what is added to those with itself for |h|^2 + 1.
    """
    for first in range(0, len(step_BI), _AT_ONCE):
        last = min(first + _AT_ONCE, len(step_BI))
        _add_before(step_BI, like_BB, first, last, first)  # while they are near
        for event in range(first, last):
            within_BI, within_BB = step_BI[first:last], like_BB[first:last, first:last]
            _add_before(within_BI, within_BB, event - first, event - first + 1, event - first)
            growth = np.float32(like_BB[event, event] + more)
            _to_step(step_BI[event], item_B[event], growth, np.float32(rate), np.float32(least), G_I)

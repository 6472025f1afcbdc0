"""Loops over links, takers and pasts, compiled: numpy would make arrays of every pair on the way to a sum.

Arithmetic is in the order written.

Legend: B events, I items, U users, n past items of all events (from `first_B` on for each, newest first), N and T kept of a row, D
decays, L past items that count, P peers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled, inlined

Rows = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
_TINY = 1e-12
_FADED = 24  # half-lives, after which about a ten-millionth is left


@compiled
def _add_links(item_N: Rows, weight_N: Floats, weight: float, out_I: Floats) -> None:
    """Add the links of an item, each times a weight; links to row -1 are none."""
    for link in range(len(item_N)):
        if item_N[link] >= 0:
            out_I[item_N[link]] += weight_N[link] * weight


@compiled
def put_near(
    past_n: Longs, first_B: Longs, start: int, stop: int, item_IN: Rows, weight_IDN: Floats, decayed_DL: Floats, root_I: Floats,
    out_DBI: Floats,
) -> None:  # fmt: skip
    """How near items are to some events' pasts: links times what is left of them, by the roots of both items' counts."""
    for event in range(start, stop):
        out_DBI[:, event] = 0
        for place in range(first_B[event + 1] - first_B[event]):
            row = past_n[first_B[event] + place]
            for decay in range(len(out_DBI)):
                _add_links(item_IN[row], weight_IDN[row, decay], decayed_DL[decay, place] / root_I[row], out_DBI[decay, event])
        for decay in range(len(out_DBI)):
            out_I = out_DBI[decay, event]
            for item in range(len(out_I)):
                out_I[item] /= root_I[item]


@compiled
def put_following(
    past_n: Longs, first_B: Longs, start: int, stop: int, item_IN: Rows, weight_I1N: Floats, follows_L: Floats, root_I: Floats,
    out_BI: Floats,
) -> None:  # fmt: skip
    """What followed the end of some events' pasts, a link by the count of the item it comes from."""
    for event in range(start, stop):
        out_BI[event] = 0
        for place in range(min(first_B[event + 1] - first_B[event], len(follows_L))):
            row = past_n[first_B[event] + place]
            _add_links(item_IN[row], weight_I1N[row, 0], follows_L[place] / (root_I[row] * root_I[row]), out_BI[event])


@compiled
def strengthen(from_n: Longs, to: int, weight_Dn: Floats, item_IN: Rows, weight_IDN: Floats) -> None:
    """Add to the links from some items to one; a new link takes the place of the weakest by the first decay."""
    for place in range(len(from_n)):
        row, link = from_n[place], 0
        for other in range(item_IN.shape[1]):
            if item_IN[row, other] == to:
                link = other
                break
            if weight_IDN[row, 0, other] < weight_IDN[row, 0, link]:
                link = other
        if item_IN[row, link] != to:
            item_IN[row, link] = to
            weight_IDN[row, :, link] = 0
        for decay in range(weight_Dn.shape[0]):
            weight_IDN[row, decay, link] += weight_Dn[decay, place]


@compiled
def strengthen_from(row: int, to_n: Longs, weight_Dn: Floats, item_IN: Rows, weight_IDN: Floats) -> None:
    """Add to the links from one item to distinct others; new ones take the places of the weakest, none that of another of them."""
    new_n = np.ones(len(to_n), np.bool_)
    for place in range(len(to_n)):
        for link in range(item_IN.shape[1]):
            if item_IN[row, link] == to_n[place]:
                new_n[place] = False
                for decay in range(weight_Dn.shape[0]):
                    weight_IDN[row, decay, link] += weight_Dn[decay, place]
                break
    if not new_n.any():
        return
    weakest_N = np.argsort(weight_IDN[row, 0], kind="mergesort")
    taken = 0
    for place in range(len(to_n)):
        if new_n[place]:
            link = weakest_N[taken]
            item_IN[row, link] = to_n[place]
            for decay in range(weight_Dn.shape[0]):
                weight_IDN[row, decay, link] = weight_Dn[decay, place]
            taken += 1


@compiled
def _nearest(
    from_n: Longs, own: int, peers: int, user_IT: Rows, count_I: Longs, count_U: Longs, shared_U: Rows
) -> tuple[Longs, Floats]:
    """Those who share most of some items with a user (row, -1 = none), in the order of their rows, and shared items^2 / their count.

    `shared_U` is zero before and after. Among equally near ones those who took the earlier items come first.
    """
    taker_P, takers = np.empty(from_n.size * user_IT.shape[1], np.int64), 0
    for row in from_n:
        for user in user_IT[row, : count_I[row]]:
            if user >= 0:
                if shared_U[user] == 0:
                    taker_P[takers] = user
                    takers += 1
                shared_U[user] += 1
    like_P = np.empty(takers, np.float32)
    for place in range(takers):
        user = taker_P[place]
        shared = np.float32(shared_U[user])
        like_P[place] = shared * shared / np.float32(max(count_U[user], 1))
        shared_U[user] = 0
        if user == own:
            like_P[place] = 0
    least, room = np.float32(-1), takers
    if takers > peers:
        least = np.partition(like_P, takers - peers)[takers - peers]
        room = peers - int(np.count_nonzero(like_P > least))
    chosen_P, chosen = np.empty(min(takers, peers), np.int64), 0
    for place in range(takers):
        if like_P[place] > least or (like_P[place] == least and room > 0):
            room -= int(like_P[place] == least)
            chosen_P[chosen] = place
            chosen += 1
    peer_P = taker_P[chosen_P]
    order_P = np.argsort(peer_P)  # so that sums do not depend on who was found first
    return peer_P[order_P], like_P[chosen_P[order_P]]


@inlined
def _halved(x: Any) -> Any:  # noqa: ANN401 - a float32, which has no name that numba and the type checker share
    """2^-x of a float32 from 0 to 126, to some units of the last place, so that a loop of it becomes vector instructions."""
    whole = np.int32(x)
    rest = np.float32(whole) - x  # from -1 to 0, where the polynomial is fitted
    value = np.float32(9.4496e-4)
    value = value * rest + np.float32(9.20593e-3)
    value = value * rest + np.float32(5.529746e-2)
    value = value * rest + np.float32(2.4018017e-1)
    value = value * rest + np.float32(6.9314372e-1)
    value = value * rest + np.float32(1)
    return value * np.int32((np.int32(127) - whole) << np.int32(23)).view(np.float32)


@compiled
def put_taken(
    past_n: Longs, first_B: Longs, start: int, stop: int, user_B: Longs, at_B: Longs, peers: int, user_IT: Rows, count_I: Longs,
    count_U: Longs, item_UN: Rows, at_UN: Longs, half_life_ms: float, out_2BI: Floats,
) -> None:  # fmt: skip
    """What the peers of some events' users took, each weighed by likeness: at any time, and halved with age."""
    shared_U, left_N = np.zeros(len(count_U), np.int32), np.empty(item_UN.shape[1], np.float32)
    for event in range(start, stop):
        out_2BI[:, event] = 0
        ever_I, lately_I, at = out_2BI[0, event], out_2BI[1, event], at_B[event]
        own_n, user = past_n[first_B[event] : first_B[event + 1]], user_B[event]
        peer_P, like_P = _nearest(own_n, user, peers, user_IT, count_I, count_U, shared_U)
        for place in range(len(peer_P)):
            peer, like = peer_P[place], like_P[place]
            there = min(count_U[peer], item_UN.shape[1])
            item_N, at_N = item_UN[peer], at_UN[peer]
            for taken in range(there):
                age = np.float32(max(0, at - at_N[taken]) / half_life_ms)
                left_N[taken] = _halved(min(age, np.float32(_FADED))) if age < _FADED else np.float32(0)
            for taken in range(there):
                item = item_N[taken]
                if item >= 0:
                    ever_I[item] += like
                    lately_I[item] += like * left_N[taken]


@compiled
def put_liking(factor_B: Floats, value_TI: Floats, time_B: Longs, start: int, stop: int, out_BI: Floats) -> None:
    """Each event's factor times a value of its time."""
    for event in range(start, stop):
        value_I = value_TI[time_B[event]]
        for item in range(len(value_I)):
            out_BI[event, item] = factor_B[event] * value_I[item]


@compiled
def put_fourths(first_I: Rows, bucket_n: Rows, weight_n: Floats, profile_WB: Floats, out_BI: Floats) -> None:
    """Fourth powers of the products of sparse rows (that of an item from `first_I[item]` on) and profiles."""
    like_B = np.empty(profile_WB.shape[1], np.float32)
    for item in range(out_BI.shape[1]):
        start, stop = first_I[item], first_I[item + 1]
        if len(like_B) == 1:  # a sum that is not in memory is made four times as fast
            like = np.float32(0)
            for place in range(start, stop):
                like += weight_n[place] * profile_WB[bucket_n[place], 0]
            like_B[0] = like
        else:
            like_B[:] = 0
            for place in range(start, stop):
                profile_B, weight = profile_WB[bucket_n[place]], weight_n[place]
                for row in range(len(like_B)):
                    like_B[row] += weight * profile_B[row]
        for row in range(len(like_B)):
            square = like_B[row] * like_B[row]
            out_BI[row, item] = square * square


@compiled
def put_signs(
    past_n: Longs, first_B: Longs, sign_IS: NDArray[np.int8], decayed_DL: Floats, length: float, out_BDS: Floats
) -> None:
    """Sums of the signs of some events' past items, decayed in several ways, each of a length; no past is zero."""
    out_BDS[:] = 0
    for event in range(len(out_BDS)):
        for place in range(first_B[event + 1] - first_B[event]):
            sign_S = sign_IS[past_n[first_B[event] + place]]
            for decay in range(len(decayed_DL)):
                weight, out_S = decayed_DL[decay, place], out_BDS[event, decay]
                for one in range(len(sign_S)):
                    out_S[one] += weight * sign_S[one]
        for decay in range(len(decayed_DL)):
            out_S, square = out_BDS[event, decay], np.float32(0)
            for one in range(len(out_S)):
                square += out_S[one] * out_S[one]
            scale = np.float32(length) / (np.sqrt(square) + np.float32(_TINY))
            for one in range(len(out_S)):
                out_S[one] *= scale

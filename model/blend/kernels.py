"""Loops of the blend, compiled: numpy would make arrays of every pair on the way to a sum, or pass over the items once an operation.

Strict IEEE arithmetic in the order written, so results do not depend on the machine.

Legend: I items, U users, n past items of a user, N and T kept of a row, D decays, P peers, F features, T terms.
"""

import math

import numpy as np
from numpy.typing import NDArray

from model.compiled import compiled

Rows = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Numbers = NDArray[np.floating]
Flags = NDArray[np.bool_]


@compiled
def add_links(from_n: Longs, item_IN: Rows, weight_IDN: Floats, weight_Dn: Floats, out_DI: Floats) -> None:
    """Add the links of some items, each times its weight; links to row -1 are none."""
    for place in range(len(from_n)):
        row = from_n[place]
        for link in range(item_IN.shape[1]):
            item = item_IN[row, link]
            if item >= 0:
                for decay in range(out_DI.shape[0]):
                    out_DI[decay, item] += weight_IDN[row, decay, link] * weight_Dn[decay, place]


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
def weigh(feature_FI: Floats, young_I: Flags, weight_2F: Floats, term_F: Longs, out_TI: Floats) -> None:
    """Add features to their terms, each times its weight, which is another one where an item is young."""
    for feature in range(len(feature_FI)):
        of_all, of_young = weight_2F[0, feature], weight_2F[0, feature] + weight_2F[1, feature]
        term = term_F[feature]
        for item in range(len(young_I)):
            out_TI[term, item] += (of_young if young_I[item] else of_all) * feature_FI[feature, item]


@compiled
def to_step(share_I: Numbers, item: int, factor_4: Numbers, G_I: Numbers) -> None:
    """AdaGrad's step in place of exp(logits): `factor_4` is what makes shares of them, 1 + |h|^2, the rate, and the least g."""
    to_share, growth, rate, least = factor_4
    none = to_share - to_share
    of_item, G_of_item = 1 - share_I[item] * to_share, G_I[item]
    of_item = of_item if of_item >= least else none
    for row in range(len(share_I)):
        share = share_I[row] * to_share
        share = share if share >= least else none
        G = G_I[row] + share * share * growth
        G_I[row] = G
        share_I[row] = (-rate * share) / np.sqrt(G)
    G_I[item] = G_of_item + of_item * of_item * growth
    share_I[item] = rate * of_item / np.sqrt(G_I[item])


@compiled
def count_takers(from_n: Longs, user_IT: Rows, shared_U: Longs, taker_P: Longs) -> int:
    """Count how many of some items each user has taken, from zero; those who took any come into `taker_P`, and their number back."""
    takers = 0
    for row in from_n:
        for user in user_IT[row]:
            if user >= 0:
                if shared_U[user] == 0:
                    taker_P[takers] = user
                    takers += 1
                shared_U[user] += 1
    return takers


@compiled
def add_taken(peer_P: Longs, like_P: Floats, item_UN: Rows, at_UN: Longs, at: int, decay_a_ms: float, out_2I: Floats) -> None:
    """Add what peers took, each weighed by likeness: at any time, and halved with age."""
    for place in range(len(peer_P)):
        peer, like = peer_P[place], like_P[place]
        for taken in range(item_UN.shape[1]):
            item = item_UN[peer, taken]
            if item >= 0:
                out_2I[0, item] += like
                fading = max(0, at - at_UN[peer, taken]) * decay_a_ms
                if fading < 16:  # beyond it about a ten-millionth is left
                    out_2I[1, item] += like * np.float32(math.exp(-fading))

"""Why an item stands where it does on a list: the terms of its score, and what of them goes back to the user's posts.

Legend: n items, N networks, K topics.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import Moved, Ranked

_NAMED = 3  # topics of a network


def reasons(
    ranked: Ranked, row: int, items: Sequence[int], moved: Mapping[str, Moved], networks: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """For each item, row `row` of a ranking: numbers that sum to its score, and under `moved` by network what of them posts are.

    `moved` is the net's account of the open window; the term `posts` tells its own.
    """
    terms = ranked.terms or {"net": ranked.scores_BI}
    numbers = zip(*(term_BI[row, list(items)].tolist() for term_BI in terms.values()), strict=True)
    posts_NnK = [None] * len(networks) if ranked.posts is None else ranked.posts.of(row, items).swapaxes(0, 1)
    shown = {
        network: _shown(moved.get(network), posts_nK, len(items)) for network, posts_nK in zip(networks, posts_NnK, strict=True)
    }
    for place, own in enumerate(numbers):
        by_network = {network: one for network, of_items in shown.items() if (one := of_items[place])}
        yield dict(zip(terms, own, strict=True)) | ({"moved": by_network} if by_network else {})


def _shown(net: Moved | None, posts_nK: NDArray[np.float32] | None, items: int) -> list[dict[str, Any]]:
    """What one network's posts moved each item, through the net and by the posts' own term, and the topics that moved most."""
    topics = max([-1 if posts_nK is None else posts_nK.shape[1] - 1, *(net.topics if net else ())]) + 1
    part_nK, rest_n = np.zeros((items, topics)), np.zeros(items)
    if net is not None:
        for topic, part_n in net.topics.items():
            part_nK[:, topic] = part_n
        rest_n = net.by_n - part_nK.sum(axis=1)
    if posts_nK is not None:
        part_nK += posts_nK
    most_n3 = np.argsort(-np.abs(part_nK), axis=1, kind="stable")[:, :_NAMED]
    parts_n3 = np.take_along_axis(part_nK, most_n3, axis=1).round(4)
    by_n = (part_nK.sum(axis=1) + rest_n).round(4)
    has_n = np.full(items, net is not None) | part_nK.any(axis=1)
    return [
        {"by": by, "topics": {str(topic): part for topic, part in zip(most, parts, strict=True) if part}} if has else {}
        for by, most, parts, has in zip(by_n.tolist(), most_n3.tolist(), parts_n3.tolist(), has_n.tolist(), strict=True)
    ]

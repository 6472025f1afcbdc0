"""Why an item stands where it does on a list: the terms of its score, and what of them goes back to the user's posts.

Legend: n items, N networks, K topics.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import Moved, Ranked

_NAMED = 3  # topics of a network
_OTHERS = -1  # topics that the net tells no part of


def reasons(
    ranked: Ranked, row: int, items: Sequence[int], moved: Mapping[str, Moved], networks: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """For each item, row `row` of a ranking: numbers that sum to its score, and under `moved` by network what of them posts are.

    `moved` is the net's account of the open window; the term `posts` tells its own.
    """
    posts_nNK = np.zeros((len(items), len(networks), 0), np.float32) if ranked.posts is None else ranked.posts.of(row, items)
    for place, item in enumerate(items):
        terms: dict[str, Any] = {name: float(term_BI[row, item]) for name, term_BI in ranked.terms.items()}
        why = terms or {"net": float(ranked.scores_BI[row, item])}
        by_network = {
            network: topics for index, network in enumerate(networks)
            if (topics := _by_topic(moved.get(network), place, posts_nNK[place, index]))
        }  # fmt: skip
        yield why | ({"moved": {network: _shown(topics) for network, topics in by_network.items()}} if by_network else {})


def _by_topic(net: Moved | None, place: int, posts_K: NDArray[np.float32]) -> dict[int, float]:
    """What each topic of one network adds to a score, through the net and by the posts' own term; empty without either."""
    topics: defaultdict[int, float] = defaultdict(float)
    if net is not None:
        for topic, part_n in net.topics.items():
            topics[topic] = float(part_n[place])
        topics[_OTHERS] = float(net.by_n[place]) - sum(topics.values())
    for topic in np.flatnonzero(posts_K).tolist():
        topics[topic] += float(posts_K[topic])
    return topics


def _shown(topics: Mapping[int, float]) -> dict[str, Any]:
    """The whole, and the topics that moved most."""
    most = sorted(set(topics) - {_OTHERS}, key=lambda topic: (-abs(topics[topic]), topic))[:_NAMED]
    return {"by": round(sum(topics.values()), 4), "topics": {str(topic): round(topics[topic], 4) for topic in most}}

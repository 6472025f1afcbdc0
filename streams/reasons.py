"""Why items stand where they do on lists: the terms of their scores, and what of them goes back to the users' posts.

All lists of a wave at once: most of the work is to make small Python objects of arrays.

Legend: R listed items of all users, n those of one, N networks, K topics.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import Moved, Ranked

_NAMED = 3  # topics of a network
Rows = NDArray[np.int64]
Doubles = NDArray[np.float64]


def reasons(
    ranked: Ranked, items: Sequence[Sequence[int]], moved: Sequence[Mapping[str, Moved]], networks: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """For some items of each row of a ranking: numbers that sum to the score, and under `moved` by network what of them posts are.

    `moved` is the net's account of each row's open window; the term `posts` tells its own.
    """
    row_R = np.repeat(np.arange(len(items)), [len(own) for own in items])
    item_R = np.array([item for own in items for item in own], np.int64)
    terms = ranked.terms.of(row_R, item_R) if ranked.terms else {"net": ranked.scores_BI[row_R, item_R]}
    numbers = zip(*(term_R.tolist() for term_R in terms.values()), strict=True)
    by_network = [_shown(*one) for one in _parts(ranked, row_R, item_R, moved, networks)]
    whys = (_why(terms, own, networks, [shown[place] for shown in by_network]) for place, own in enumerate(numbers))
    return [list(islice(whys, len(own))) for own in items]


def _why(terms: Mapping[str, object], numbers: Sequence[float], networks: Sequence[str], shown: Sequence[Any]) -> dict[str, Any]:
    by_network = {network: one for network, one in zip(networks, shown, strict=True) if one is not None}
    return dict(zip(terms, numbers, strict=True)) | ({"moved": by_network} if by_network else {})


def _parts(
    ranked: Ranked, row_R: Rows, item_R: Rows, moved: Sequence[Mapping[str, Moved]], networks: Sequence[str]
) -> Iterator[tuple[Doubles, Doubles, NDArray[np.bool_]]]:
    """Of each network what its topics add (R, K), what topics without a name add, and whether its posts moved anything (R,)."""
    bounds = np.searchsorted(row_R, np.arange(len(moved) + 1)).tolist()
    topics = 1 + max((topic for own in moved for one in own.values() for topic in one.topics), default=-1)
    posts_RNK = np.zeros((len(row_R), len(networks), topics)) if ranked.posts is None else ranked.posts.of(row_R, item_R)
    for place, network in enumerate(networks):
        part_RK, rest_R = posts_RNK[:, place].astype(np.float64), np.zeros(len(row_R))
        has_R = np.asarray(part_RK.any(axis=1), np.bool_)
        for own, (start, stop) in zip(moved, pairwise(bounds), strict=True):
            if network in own:
                has_R[start:stop] = True
                rest_R[start:stop] = own[network].by_n
                for topic, part_n in own[network].topics.items():
                    part_RK[start:stop, topic] += part_n
                    rest_R[start:stop] -= part_n
        yield part_RK, rest_R, has_R


def _shown(part_RK: Doubles, rest_R: Doubles, has_R: NDArray[np.bool_]) -> list[dict[str, Any] | None]:
    """The whole, and the topics that moved most; None where nothing was moved."""
    most_R3 = np.argsort(-np.abs(part_RK), axis=1, kind="stable")[:, :_NAMED]
    parts = np.take_along_axis(part_RK, most_R3, axis=1).round(4).tolist()
    by = (part_RK.sum(axis=1) + rest_R).round(4).tolist()
    return [
        {"by": whole, "topics": {str(topic): part for topic, part in zip(most, own, strict=True) if part}} if has else None
        for whole, most, own, has in zip(by, most_R3.tolist(), parts, has_R.tolist(), strict=True)
    ]

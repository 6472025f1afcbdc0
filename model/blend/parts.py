"""Which features there are, in their order, with the weights they start from, and how they add up to the terms of a score.

Legend: F features, T terms.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Part:
    """Some features of one kind; `term` is what they are called where a score is explained."""

    name: str
    term: str
    start: tuple[float, ...]


_PARTS = (
    Part("net", "net", (0.2, 0.3)),  # one for each rate
    Part("tastes", "trend", (0.0,)),
    Part("neighbours", "neighbours", (0.1, 0.1, 0.0, 0.1)),  # item-kNN at two decays, the nearest alone, Markov
    Part("peers", "neighbours", (0.0, 0.0)),  # at any time, in these days
    Part("trail", "neighbours", (0.0, 0.0)),  # from the last items, from all of them
    Part("texts", "texts", (0.0,)),
    Part("posts", "posts", (0.0,)),
    Part("trend", "trend", (0.0, 0.1, 0.1, *[0.0] * 8)),  # half-lives in time and events; age, idle, never, total
)
LEARNED = ("second", "contexts", "young", "learning", "variety")  # parts without features of their own
NAMES = (*(one.name for one in _PARTS), *LEARNED)
START = tuple(weight for one in _PARTS for weight in one.start)
OWN = len(START) - len(_PARTS[-1].start)
"features of each event's own, which come first; the trend is that of a time"


def _places() -> Iterator[tuple[str, slice]]:
    first = 0
    for one in _PARTS:
        yield one.name, slice(first, first + len(one.start))
        first += len(one.start)


PLACES: Mapping[str, slice] = dict(_places())
TERMS = tuple(dict.fromkeys(one.term for one in _PARTS))
TERM_F = np.array([TERMS.index(one.term) for one in _PARTS for _ in one.start])
"the term that each feature belongs to"

"""Prequential accuracy as sums, so that any window of it can be computed: hits and gains of three rankings.

`scored` is the ranking at the interaction, `published` the list the user had when he acted, `popularity` the baseline.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from model import gain, hit

RANKINGS = ("scored", "published", "popularity")
CUTS = (10, 100)


class _Ranked(Protocol):
    @property
    def rank_scored(self) -> int | None: ...
    @property
    def rank_published(self) -> int | None: ...
    @property
    def rank_popularity(self) -> int | None: ...


class Tally:
    """Sums over events; keys are (ranking, K)."""

    def __init__(self) -> None:
        self.events = 0
        self.hits: Counter[tuple[str, int]] = Counter()
        self.gains: dict[tuple[str, int], float] = {(ranking, cut): 0.0 for ranking in RANKINGS for cut in CUTS}

    def add(self, taken: Iterable[_Ranked]) -> None:
        """Count ranked interactions."""
        for one in taken:
            self.events += 1
            for ranking, rank in zip(RANKINGS, (one.rank_scored, one.rank_published, one.rank_popularity), strict=True):
                for cut in CUTS:
                    self.hits[ranking, cut] += hit(rank, cut)
                    self.gains[ranking, cut] += gain(rank, cut)

    def means(self) -> dict[str, float]:
        """Means per event, as `scored_hr@10`; empty without events."""
        if not self.events:
            return {}
        values: dict[str, float] = {}
        for ranking in RANKINGS:
            for cut in CUTS:
                values[f"{ranking}_hr@{cut}"] = self.hits[ranking, cut] / self.events
                values[f"{ranking}_ndcg@{cut}"] = self.gains[ranking, cut] / self.events
        return values

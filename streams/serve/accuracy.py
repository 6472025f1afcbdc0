"""Running accuracy, from the ranks that published lists tell of: hits and gains over the last interactions, in three rankings.

The same measures as `model.hit` and `model.gain`, written once more because importing `model` would bring torch into this process;
a test holds them together.
"""

import math
from collections import Counter, deque
from typing import Any

RANKINGS = {"scored": "rank_scored", "published": "rank_published", "popularity": "rank_popularity"}
CUTS = (10, 100)
_EVERY = 25  # interactions between two points of the curve
_POINTS = 240


def hit(rank: int | None, cut: int) -> int:
    """1 when the rank is among the first `cut`."""
    return int(rank is not None and rank <= cut)


def gain(rank: int | None, cut: int) -> float:
    """NDCG of a single relevant item: 1 / log2(rank + 1) among the first `cut`, else 0."""
    return 1 / math.log2(rank + 1) if rank is not None and rank <= cut else 0.0


class Accuracy:
    """Means over the last `length` interactions, and a curve of them."""

    def __init__(self, length: int) -> None:
        self.events = 0
        self.points: deque[dict[str, Any]] = deque(maxlen=_POINTS)
        self._length = length
        self._last: deque[dict[str, int | None]] = deque()
        self._sums: Counter[str] = Counter()

    def add(self, last: dict[str, Any], at: int) -> None:
        """Count one interaction with its ranks; an older worker's lists have no rank by popularity and are left out."""
        if not all(field in last and _is_rank(last[field]) for field in RANKINGS.values()):
            return
        ranks = {ranking: last[field] for ranking, field in RANKINGS.items()}
        self.events += 1
        self._last.append(ranks)
        self._count(ranks, 1)
        if len(self._last) > self._length:
            self._count(self._last.popleft(), -1)
        if self.events % _EVERY == 0:
            self.points.append({"events": self.events, "at": at, **self.means()})

    def means(self) -> dict[str, float]:
        """`scored_hr@10` and the like; empty before the first interaction."""
        size = len(self._last)
        return {name: max(0.0, total / size) for name, total in self._sums.items()} if size else {}

    def _count(self, ranks: dict[str, int | None], sign: int) -> None:
        for ranking, rank in ranks.items():
            for cut in CUTS:
                self._sums[f"{ranking}_hr@{cut}"] += sign * hit(rank, cut)
                self._sums[f"{ranking}_ndcg@{cut}"] += sign * gain(rank, cut)  # type: ignore[assignment] # a Counter may hold floats


def _is_rank(value: object) -> bool:
    return value is None or (isinstance(value, int) and value >= 1)

"""What people took lately, for users without a list: counts by item that halve every few days of event time."""

import heapq
from collections.abc import Set

from streams.records import DAY_MS

_SHOWN = 1_000  # the longest list that can be asked for
_LOOK_SECONDS = 5.0
_RESCALE = 500.0  # half-lives, before a weight comes near the largest float


class Popularity:
    """Counts grow with event time instead of all others shrinking, which ranks the same."""

    def __init__(self, half_life_days: float) -> None:
        self._half_life_ms = half_life_days * DAY_MS
        self._origin: int | None = None
        self._weights: dict[str, float] = {}
        self._ranked: list[tuple[str, float]] = []
        self._ranked_at = 0.0

    def add(self, name: str, at: int) -> None:
        """Count one interaction."""
        if self._origin is None:
            self._origin = at
        age = (at - self._origin) / self._half_life_ms
        if age > _RESCALE:
            self._weights = {name: weight * 2.0**-age for name, weight in self._weights.items()}
            self._origin, age = at, 0.0
        self._weights[name] = self._weights.get(name, 0.0) + 2.0 ** max(age, -_RESCALE)

    def top(self, now: float) -> list[tuple[str, float]]:
        """Items and their share of all counts, largest first; looked up anew every few seconds of `now` (monotonic)."""
        if not self._ranked or now - self._ranked_at > _LOOK_SECONDS:
            total = sum(self._weights.values()) or 1.0
            best = heapq.nlargest(_SHOWN, self._weights.items(), key=lambda one: (one[1], one[0]))
            self._ranked = [(name, weight / total) for name, weight in best]
            self._ranked_at = now
        return self._ranked

    def without(self, left_out: Set[str], size: int, now: float) -> list[tuple[str, float]]:
        """The first `size` that are not left out."""
        return [one for one in self.top(now) if one[0] not in left_out][:size]

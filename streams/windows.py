"""The window of a user: his posts since his last interaction, as sums of topics per network.

Legend: N networks, K topics.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.records import DAY_MS

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Window:
    """Topic sums and post counts; until the first interaction kept a day each, because the first window reaches back only so far.

    `posts_N` counts all posts of the window, `sums_NK` only those with evidence of a topic.
    """

    sums_NK: Floats
    posts_N: NDArray[np.int32]
    days: dict[int, "Window"] = field(default_factory=dict)

    @classmethod
    def empty(cls, networks: int, topics: int) -> "Window":
        """A window without posts."""
        return cls(np.zeros((networks, topics), np.float32), np.zeros(networks, np.int32))

    def add(self, network: int, counts_K: Floats | None) -> None:
        """Count one post; `counts_K` is what it adds to the topic sums, None without evidence."""
        self.posts_N[network] += 1
        if counts_K is not None:
            self.sums_NK[network] += counts_K

    def add_first(self, at: int, network: int, counts_K: Floats | None, reach_days: int) -> None:
        """Count one post of a user without interactions; days beyond reach are forgotten."""
        day = at // DAY_MS
        if day not in self.days:
            self.days[day] = Window.empty(*self.sums_NK.shape)
            newest = max(self.days)
            self.days = {key: self.days[key] for key in sorted(self.days) if key >= newest - reach_days}
        if day in self.days:
            self.days[day].add(network, counts_K)

    def merged(self, at: int, reach_days: int) -> "Window":
        """This window as it stands at `at`, the daily sums within reach added up."""
        total = Window(self.sums_NK.copy(), self.posts_N.copy())
        for day, window in self.days.items():
            if day >= (at - reach_days * DAY_MS) // DAY_MS:
                total.sums_NK += window.sums_NK
                total.posts_N += window.posts_N
        return total

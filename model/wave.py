"""What goes into a ranking and what comes out of it, as values.

Legend: B users of the wave (all distinct), M length of x, H hidden, I items, n past steps a user has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.blend.posts import ByTopic, posts_of
from model.blend.terms import Terms
from model.errors import ModelError
from model.memory import Memory
from model.step import Step

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Steps of distinct users, to be ranked together."""

    users: tuple[str, ...]
    x_BM: Floats
    g_B: NDArray[np.float64]
    memories: tuple[Memory, ...]
    at: tuple[int, ...] = ()
    "epoch milliseconds of each ranking; preset `full` needs it"
    past: tuple[tuple[str, ...], ...] = ()
    "items each user took last, newest last; preset `full` needs them"

    def __post_init__(self) -> None:
        if len(set(self.users)) != len(self.users):
            raise ModelError(
                f"a wave of {len(self.users)} steps has {len(set(self.users))} users; put a user's second step in the next wave"
            )
        if not len(self.users) == len(self.x_BM) == len(self.g_B) == len(self.memories):
            raise ModelError(
                f"a wave of {len(self.users)} users, {len(self.x_BM)} x, {len(self.g_B)} g, {len(self.memories)} memories; "
                "each user needs one of each"
            )

    def posted(self) -> Floats:
        """What the post head of preset `full` sees of each user: his window and the windows before it (model/blend/posts.py)."""
        return _posted(self)

    @classmethod
    def of(
        cls, entries: Sequence[tuple[str, Step, Memory]], at: Sequence[int] = (), past: Sequence[Sequence[str]] = ()
    ) -> "Wave":
        """The wave of (user, step, memory) triples; ModelError without any."""
        if not entries:
            raise ModelError("a wave of no steps; at least 1 is needed")
        users, steps, memories = zip(*entries, strict=True)
        return cls(users, np.stack([one.x_M for one in steps]), np.array([one.g for one in steps], np.float64), memories,
                   tuple(at), tuple(tuple(one) for one in past))  # fmt: skip


@lru_cache(maxsize=2)
def _posted(wave: Wave) -> Floats:
    """Kept, because what is ranked is learned soon."""
    return posts_of(wave.x_BM, [one.past_x for one in wave.memories])


@dataclass(frozen=True, slots=True, eq=False)
class Advanced:
    """Where the cell has moved the users of a wave."""

    h_BH: Floats
    "after the step, float16 values"
    C_BH: Floats
    "after the step"
    h_A_BH: Floats
    "what attention has read from the past"
    attention: tuple[Floats, ...]
    "each user's weights over his past, oldest first: (n,)"
    past: int
    "past steps kept"

    def advanced(self, row: int, step: Step, memory: Memory) -> Memory:
        """The memory of the user in row `row`, one step on."""
        return memory.after(step, self.h_BH[row], self.C_BH[row], self.past)


@dataclass(frozen=True, slots=True, eq=False)
class Ranked(Advanced):
    """The same with scores, aligned to `Recommender.items`: logits before the tanh, or those of the blend."""

    scores_BI: Floats
    terms: Terms | None = None
    "what sums to the blend's scores"
    posts: ByTopic | None = None
    "what the part `posts` is made of, in preset `full`"

    def without_scores(self) -> Advanced:
        """What learning reads of it, without the scores, which are large."""
        return Advanced(self.h_BH, self.C_BH, self.h_A_BH, self.attention, self.past)

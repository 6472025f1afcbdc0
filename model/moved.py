"""What the posts of an open window moved: the score less what it would be without them.

For each network the strongest topics are taken out of the window one after the other, what is left filling it again, as if the user
had not written on them; at last he is silent there. Each step is a difference, so with those of the topics that are not named the
topics of a network sum to the network's.

Legend: B users of a wave, R rows, n items, N networks, K topics, V windows with something taken out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import ModelConfig
from model.step import shares
from model.wave import Floats

_NAMED = 3
Doubles = NDArray[np.float64]
Cells = Callable[[Floats], Tensor]
"windows (B, V, M) that take the place of the users' own -> h (B, V, H)"
Scored = Callable[[Sequence[int], Tensor], Floats]
"users of some rows (R), and h (R, H) -> scores of the items (R, n)"


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What the posts on one network add to the scores of some items."""

    by_n: Doubles
    topics: dict[int, Doubles]
    "the part (n,) of each of the strongest topics, strongest first; what they leave of `by_n` is that of the others"

    def of(self, places: Sequence[int]) -> "Moved":
        """The same for some of the items."""
        chosen = list(places)
        return Moved(self.by_n[chosen], {topic: part_n[chosen] for topic, part_n in self.topics.items()})


@dataclass(frozen=True, slots=True, eq=False)
class _Silenced:
    """Windows of one user with more and more of one network taken out."""

    network: str
    topics: tuple[int, ...]
    x_VM: Floats
    "without the first topic, without the first two, ...; in the last row the network is silent"


def moved(x_BM: Floats, config: ModelConfig, cells: Cells, scored: Scored) -> list[dict[str, Moved]]:
    """For each user of a wave, by network with posts; all windows are scored at once."""
    silenced = [list(_silenced(x_M, config)) for x_M in x_BM]
    if not any(silenced):
        return [{} for _ in x_BM]
    windows = [np.vstack([x_M, *(one.x_VM for one in parts)]) for x_M, parts in zip(x_BM, silenced, strict=True)]
    there_BV = np.arange(max(map(len, windows))) < np.array([[len(one)] for one in windows])
    x_BVM = np.zeros((*there_BV.shape, x_BM.shape[1]), np.float32)
    x_BVM[there_BV] = np.vstack(windows)
    user_R, _ = np.nonzero(there_BV)
    scores = iter(scored(user_R.tolist(), cells(x_BVM)[torch.from_numpy(there_BV)]).astype(np.float64))
    return [dict(_differences(next(scores), parts, scores)) for parts in silenced]


def _differences(whole_n: Doubles, parts: Sequence[_Silenced], scores: Iterator[Doubles]) -> Iterator[tuple[str, Moved]]:
    for one in parts:
        score_Vn = np.vstack([whole_n, *(next(scores) for _ in one.x_VM)])
        by_topic = zip(one.topics, score_Vn[:-1] - score_Vn[1:], strict=False)
        yield one.network, Moved(whole_n - score_Vn[-1], dict(by_topic))


def _silenced(x_M: Floats, config: ModelConfig) -> Iterator[_Silenced]:
    x_NK = x_M.reshape(len(config.networks), -1)
    for place, (network, x_K) in enumerate(zip(config.networks, x_NK, strict=True)):
        strongest = [int(topic) for topic in np.argsort(-x_K, kind="stable") if x_K[topic] > 0]
        if not strongest:
            continue
        taken_out = [strongest[:count] for count in range(1, 1 + min(_NAMED, len(strongest)))]
        windows = np.repeat(x_NK[None], len(taken_out) + (len(strongest) > _NAMED), axis=0)
        windows[-1, place] = 0.0
        for window_NK, topics in zip(windows, taken_out, strict=False):
            left_K = x_K.copy()
            left_K[topics] = 0.0
            window_NK[place] = shares(left_K[None])[0]
        yield _Silenced(network, tuple(strongest[:_NAMED]), windows.reshape(len(windows), -1))

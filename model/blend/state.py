"""All of a blend as arrays by name, and back: one table says what there is."""

from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.blend.features import Statistics
from model.blend.heads import Head
from model.blend.view import View
from model.errors import CheckpointError

if TYPE_CHECKING:
    from model.blend.blend import Blend

_HEAD, _APART = ("W_IH", "b_I", "G_I"), ("step_PI", "h_PH")
_ARRAYS = (
    "statistics.trend.counts_SI", "statistics.trend.recent_RI", "statistics.trend.first_I", "statistics.trend.last_I",
    "statistics.trend.unit_S", "statistics.trend.unit_R",
    "statistics.neighbours.pairs.item_IN", "statistics.neighbours.pairs.weight_IDN", "statistics.neighbours.next.item_IN",
    "statistics.neighbours.next.weight_IDN", "statistics.neighbours.count_I", "statistics.peers.item_UN", "statistics.peers.at_UN",
    "statistics.tastes.age_U2", "statistics.peers.count_U", "statistics.peers.user_IT", "statistics.peers.count_I",
    "statistics.trail.profile_UD",
    "statistics.texts.count_IW", "statistics.texts.profile_UW", "statistics.history.turn_I", "statistics.influence.user_U2",
    "statistics.influence.item_I2",
    "weights.weight_CW", "weights.curvature_CWW",
)  # fmt: skip
Arrays = dict[str, NDArray[Any]]


def write(blend: "Blend") -> Arrays:
    """Everything, by name."""
    statistics = blend.statistics
    heads = _heads(statistics)
    found: Arrays = {}
    for name, head in heads.items():
        parts = {**{part: getattr(head, part) for part in _HEAD}, **dict(zip(_APART, head.apart, strict=True))}
        found |= {f"{name}.{part}": one.numpy() for part, one in parts.items()}
    found |= {name: attrgetter(name)(blend) for name in _ARRAYS}
    found |= {"trend.at": np.array([statistics.trend.at]), "history": statistics.history.entries()}
    return found | {"view": blend.view.V_HD.numpy()}


def read(blend: "Blend", found: Mapping[str, NDArray[Any]]) -> None:
    """Put everything in its place; CheckpointError where a part is missing."""
    statistics = blend.statistics
    try:
        for name, head in _heads(statistics).items():
            for part in _HEAD:
                setattr(head, part, torch.from_numpy(found[f"{name}.{part}"]))
            head.set_apart(*(torch.from_numpy(found[f"{name}.{part}"]) for part in _APART))
        for name in _ARRAYS:
            owner, _, attribute = name.rpartition(".")
            setattr(attrgetter(owner)(blend), attribute, found[name])
        statistics.trend.at = int(found["trend.at"][0])
        statistics.history.restore(found["history"])
        blend.view = View(torch.from_numpy(found["view"]))
    except KeyError as error:
        raise CheckpointError(f"the checkpoint lacks {error} of preset full; use an older one") from error
    statistics.rows = len(statistics.heads[0].b_I)


def _heads(statistics: Statistics) -> dict[str, Head]:
    """All heads by name."""
    found = {"posts": statistics.posts}
    for name, heads in (("head", statistics.heads), ("trail", statistics.trail.heads)):
        found |= {f"{name}{row}": one for row, one in enumerate(heads)}
    return found

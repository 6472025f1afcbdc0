"""All of a recommender as a checkpoint's state, and back: one table says what there is."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from model.baselines.popularity import Popularity
from model.blend.blend import Blend
from model.checkpoint import State
from model.ids import Ids

if TYPE_CHECKING:
    from model.parameters import Parameters


def write(one: "Parameters") -> State:
    """Everything that learning changes or depends on."""
    tensors = {f"weight.{name}": parameter.detach() for name, parameter in one.network.named_parameters()}
    tensors |= {f"second.{name}": moment for name, moment in one.moments.second.items()}
    tensors |= {
        "updates": one.moments.count, "user_updates": one.moments.user_count_U, "user_sum": one.user_sum_k,
        "popularity": torch.from_numpy(one.popularity.counts_I),
    }  # fmt: skip
    for part in (one.blend, one.second):
        tensors |= part.state() if part is not None else {}
    facts = {
        "users": one.users.names(), "users_stalest_first": one.users.stalest_first(),
        "items": one.items.names(), "items_stalest_first": one.items.stalest_first(),
        "popularity_at": one.popularity.at, "lessons": one.lessons, "version": one.version,
    }  # fmt: skip
    return State(one.config, tensors, facts)


def read(one: "Parameters", state: State) -> None:
    """Put everything in its place in a recommender of the state's config. KeyError where a part is missing."""
    config, tensors, facts = state.config, state.tensors, state.facts
    one.users = Ids.restored(config.users_cap, facts["users"], facts["users_stalest_first"])
    one.items = Ids.restored(config.items_cap, facts["items"], facts["items_stalest_first"])
    for name, _ in list(one.network.named_parameters()):
        setattr(one.network, name, nn.Parameter(tensors[f"weight.{name}"]))
        one.moments.second[name] = tensors[f"second.{name}"]
    one.moments.count, one.moments.user_count_U = tensors["updates"], tensors["user_updates"]
    one.popularity = Popularity(tensors["popularity"].numpy(), facts["popularity_at"])
    one.lessons, one.version, one.user_sum_k = facts["lessons"], facts["version"], tensors["user_sum"]
    if one.blend is not None:
        one.blend = Blend.restored(tensors, 2 * config.width, config.without)
    if one.second is not None:
        one.second.restore(tensors)

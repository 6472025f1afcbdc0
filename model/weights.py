"""The weights of a network by the names of the paper, as numpy arrays.

    E_user (users, k)   Y (M, k): a block of K rows for each network   W_r (I, H)   b_r (I)
    W_g (H, k)   U_g (H, H)   b_g (H)     for each gate g of i, f, o, c, Ai, Ac
    E_item (I, k)                         where the item taken before is an input (preset full)

U_Ai and U_Ac multiply h_A, the other U multiply h. Rows of E_user and W_r are those of `Recommender.users` and `.items`.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import ModelError
from model.network import NAMES, WHOLE, Network

Weights = dict[str, NDArray[np.floating]]


def named(network: Network) -> dict[str, Tensor]:
    """Views of all weights, by name."""
    parameters = {name: one.detach() for name, one in network.named_parameters()}
    H = network.config.hidden
    views = {name: parameters[name] for name in (*WHOLE, *(("E_item",) if network.config.looks_back else ()))}
    for name, place in NAMES.items():
        views[name] = parameters[place.parameter][place.first * H : (place.first + 1) * H]
    return views


def set_named(network: Network, weights: Mapping[str, NDArray[np.floating]]) -> None:
    """Overwrite the named weights; ModelError on an unknown name or a wrong shape, before anything is changed."""
    views = named(network)
    for name, array in weights.items():
        if name not in views:
            raise ModelError(f"no weight is called {name}; there are {', '.join(sorted(views))}")
        if tuple(views[name].shape) != np.shape(array):
            raise ModelError(f"{name} has shape {tuple(views[name].shape)}, not {np.shape(array)}; give an array of that shape")
    for name, array in weights.items():
        views[name].copy_(torch.tensor(array))

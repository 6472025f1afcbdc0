"""A second device without one: tensors there wrap the processor's, which does what is to be done with them.

As on a real device, tensors of two devices in one operation are an error, and numpy sees none of them. Torch takes one such device in
a process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = "elsewhere"
_MOVES = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)


def register() -> None:
    """To be called before anything is differentiated: torch counts its devices then."""
    backend_registration._setup_privateuseone_for_python_backend(DEVICE)


@contextmanager
def usable() -> Iterator[None]:
    """Tensors can be made there, and moved there and back."""
    _stand_in()
    mode: Any = _Mode
    with mode(), enable_python_dispatcher():  # the latter for GRU and LSTM: the processor has no operation for one step of them
        yield


class _Elsewhere(Tensor):
    own: Tensor
    "where its values are"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override] # noqa: ANN401
        return _do(operation, args, kwargs or {})


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's
    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - torch's
        return _do(operation, args, kwargs or {})


def _wrapped(own: Tensor) -> Tensor:
    like: Any = {"strides": own.stride(), "storage_offset": own.storage_offset(), "dtype": own.dtype}
    made: Any = Tensor._make_wrapper_subclass(_Elsewhere, own.shape, device=torch.device(DEVICE, 0), **like)
    made.own = own
    return made  # type: ignore[no-any-return]


def _do(operation: Any, args: Any, kwargs: Any) -> Any:  # noqa: ANN401 - torch's
    given: list[Tensor] = []
    tree_map(lambda one: given.append(one) if isinstance(one, Tensor) else None, (args, kwargs))
    there = {id(one.own): one for one in given if isinstance(one, _Elsewhere)}
    strangers = [one for one in given if one.dim() and not isinstance(one, _Elsewhere)]  # a lone number may be of any device
    assert not (there and strangers) or operation in _MOVES, f"{operation} of tensors of two devices"
    device = kwargs.get("device")
    is_there = bool(there) if device is None else torch.device(device).type == DEVICE

    def after(one: Any) -> Any:  # noqa: ANN401 - torch's
        if not is_there or not isinstance(one, Tensor):
            return one
        return there[id(one)] if id(one) in there else _wrapped(one)  # what was changed in place stays what it is

    own = kwargs if device is None else {**kwargs, "device": "cpu"}
    args, own = tree_map(lambda one: one.own if isinstance(one, _Elsewhere) else one, (args, own))
    return tree_map(after, operation(*args, **own))


def _stand_in() -> None:
    """For what a device of Python's cannot do: draw with a generator of its own, make tensors of lists, move a net."""
    torch_: Any = torch
    made, generator = torch.tensor, torch.Generator
    torch_.tensor = lambda data, device="cpu", **how: made(data, **how).to(device)
    torch_.Generator = lambda _="cpu": generator()
    nn.Module.to = _moved  # type: ignore[method-assign, assignment]


def _moved(net: nn.Module, device: str) -> nn.Module:
    for module in net.modules():
        for name, one in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(one.detach().to(device)))
    return net

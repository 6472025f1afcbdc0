"""The systems of a comparison, by name."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from model.baselines.rivals import RIVALS
from model.blend.parts import NAMES
from model.compared import Compared
from model.contract import Ranker
from streams.errors import SettingsError

PROPOSED: Mapping[str, Mapping[str, Any]] = {"paper": {}, "full": {"preset": "full", "logits": "identity"}}
ABLATED = "paper"  # preset full has no online rate to vary either
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "noho": {"second_order": False}, "noat": {"attention": False}, "notif": {"time_gates": False},
}  # fmt: skip
PARTS: Mapping[str, Mapping[str, Any]] = {f"full-without-{part}": {**PROPOSED["full"], "without": (part,)} for part in NAMES}
_OWN = {**PROPOSED, **ABLATIONS, **PARTS}


@dataclass(frozen=True, slots=True)
class Size:
    """Settings that all systems share which have them."""

    hidden: int = 128
    factors: int = 64
    epochs: int = 60
    patience: int = 15
    "of the systems here preset `paper` stands still the longest before it gets better: about 18 epochs on congress"
    device: str = "cpu"


def reference(chosen: Sequence[str]) -> str:
    """The preset that the others are compared with, unless another is named: the last one proposed that takes part."""
    return [one for one in PROPOSED if one in chosen or one == "paper"][-1]


def names() -> tuple[str, ...]:
    """All systems that take part unless others are named, the proposed ones first; PARTS only by name."""
    return (*PROPOSED, *ABLATIONS, *RIVALS)


def known(name: str) -> None:
    """Raise SettingsError for a name that is neither a system's nor a class's that offers what a system must."""
    if name in names() or name in PARTS:
        return
    if ":" not in name:
        raise SettingsError(f"no system {name!r}; choose of {', '.join((*names(), *PARTS))}, or give package.module:Class")
    _loaded(name)


def make(name: str, size: Size, seed: int, **settings: Any) -> Ranker:  # noqa: ANN401 - each system has its own settings
    """A system that is not fitted yet; settings it does not know are an error, sizes it does not have are not."""
    if name in _OWN:
        own = {"hidden": size.hidden, "factors": size.factors, **_OWN[name], **settings}
        return Compared(settings=own, seed=seed, epochs=size.epochs, patience=size.patience, device=size.device)
    factory = RIVALS[name] if name in RIVALS else _loaded(name)
    shared = {
        "hidden": size.hidden, "embedding": size.factors, "epochs": size.epochs, "patience": size.patience, "device": size.device,
        "seed": seed,
    }  # fmt: skip
    has = _parameters(name)
    return factory(**{key: value for key, value in shared.items() if key in has}, **settings)


def variants(name: str) -> Sequence[Mapping[str, Any]]:
    """The settings that are tried on the validation part; at least one, and one only for what adapts its own rates."""
    return ({},) if name == "full" or name in PARTS else getattr(_class(name), "variants", None) or ({},)


def fits_a_net(name: str) -> bool:
    """Whether it is fitted in epochs, which takes minutes; others take seconds, or a minute or two."""
    return "epochs" in _parameters(name)


def online_settings(name: str) -> frozenset[str]:
    """Those that do not enter `fit`, so that one fit serves all their values."""
    return frozenset(getattr(_class(name), "online_settings", ()))


def _class(name: str) -> Any:  # noqa: ANN401 - a class or a partial of one
    found = Compared if name in _OWN else RIVALS[name] if name in RIVALS else _loaded(name)
    return found.func if isinstance(found, partial) else found


def _parameters(name: str) -> set[str]:
    """Of the class and of those it is made from, because `**settings` hides the latter's."""
    made = _class(name)
    kin = [one for one in getattr(made, "__mro__", (made,)) if one is not object]
    return {parameter for one in kin for parameter in inspect.signature(one).parameters}


def _loaded(name: str) -> Callable[..., Ranker]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"no system {name!r} ({error}); give package.module:Class of something that can be imported") from error
    missing = [method for method in ("fit", "rank", "advance", "learn") if not callable(getattr(found, method, None))]
    if missing:
        raise SettingsError(f"{name} has no {', '.join(missing)}; model/contract.py says what a system must offer")
    made: Callable[..., Ranker] = found
    return made

"""What the model is compared with."""

from collections.abc import Callable, Mapping

from model.contract import Ranker

RIVALS: Mapping[str, Callable[..., Ranker]] = {}

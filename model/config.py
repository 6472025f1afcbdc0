"""What defines a model. The defaults are those of the paper, and of ALGORITHMS 7.3 where the paper is silent."""

import math
from dataclasses import dataclass

from model.blend.parts import NAMES as PARTS
from model.errors import ModelError

_CHOICES = {
    "preset": ("paper", "full"),
    "logits": ("tanh", "identity"),
    "loss": ("ce", "bce"),
    "frequencies": ("hard", "soft"),
    "dtype": ("float32", "float64"),
}
_MAX_PAST = 256  # a slot of the stored ring is one byte


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Frozen with the weights; a checkpoint carries it."""

    networks: tuple[str, ...]
    "source networks, in the order of their blocks in x"
    topics: int
    "topics K of each network; 0 without posts"
    factors: int = 100
    "embedding size k"
    hidden: int = 400
    "LSTM size h"
    past: int = 50
    "past steps L that attention sees, in training and serving"
    tau_seconds: float = 7 * 86_400.0
    "time constant of the gates: g = exp(-gap / tau)"
    preset: str = "paper"
    "paper: learned online through the whole net; full: the net frozen under a blend that learns (identity logits)"
    previous_item: bool = True
    "preset full: the item the user took before is one more column of the pooled input"
    without: tuple[str, ...] = ()
    "parts of preset full that are left out; model/blend/parts.py names them"
    logits: str = "tanh"
    "what stands before the softmax of eq. 8: tanh, or identity"
    loss: str = "ce"
    "categorical cross-entropy, or eq. 9 as printed (bce)"
    second_order: bool = True
    "the pair term of eq. 2; off = NoHO"
    attention: bool = True
    "attention over past steps; off = NoAt"
    time_gates: bool = True
    "factors g and 1 - g; off = NoTIF"
    dropout: float = 0.35
    "drop probability of v and h in offline training"
    frequencies: str = "hard"
    "what a post adds to x: its likeliest topic (hard) or its posterior (soft)"
    soft_floor: float = 0.05
    "smaller posterior entries count as zero"
    online_rate: float = 0.001
    "Adam's rate in online updates"
    online_iterations: int = 1
    "updates of one lesson; fewer when the loss falls by less than 1 %"
    clip_norm: float = 5.0
    "gradients are clipped to this global norm"
    users_cap: int = 1_000_000
    "users with a row of their own; above it the stalest gives his away"
    items_cap: int = 1_000_000
    "items with a row of their own; above it the stalest gives its away"
    dtype: str = "float32"
    "of all weights; float64 for checks to the last digit"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ModelError(f"{name} = {getattr(self, name)!r}; choose one of {', '.join(allowed)}")
        unknown = set(self.without) - set(PARTS)
        if unknown:
            raise ModelError(f"without = {', '.join(sorted(unknown))}; preset full has the parts {', '.join(PARTS)}")
        for name in ("factors", "hidden", "past", "online_iterations", "users_cap", "items_cap"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} = {getattr(self, name)}; at least 1 is needed")
        if self.topics < 0 or self.past > _MAX_PAST:
            raise ModelError(f"topics = {self.topics}, past = {self.past}; topics >= 0 and past <= {_MAX_PAST} are needed")
        if not (math.isfinite(self.tau_seconds) and self.tau_seconds > 0):
            raise ModelError(f"tau_seconds = {self.tau_seconds}; a positive number is needed")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout = {self.dropout}; a probability below 1 is needed")
        if not (math.isfinite(self.online_rate) and self.online_rate >= 0):
            raise ModelError(f"online_rate = {self.online_rate}; a number of at least 0 is needed")
        if not 0 <= self.soft_floor < 1:
            raise ModelError(f"soft_floor = {self.soft_floor}; a share below 1 is needed")
        if not self.clip_norm > 0:
            raise ModelError(f"clip_norm = {self.clip_norm}; a positive number is needed (inf = no clipping)")
        if self.preset == "full" and self.logits != "identity":
            raise ModelError(f"logits = {self.logits!r} in preset full; its heads need identity")
        if len(set(self.networks)) != len(self.networks):
            raise ModelError(f"networks = {self.networks}; each needs a name of its own")

    @property
    def looks_back(self) -> bool:
        """Whether the network reads the item taken before."""
        return self.preset == "full" and self.previous_item

    @property
    def width(self) -> int:
        """M = networks * topics, the length of x."""
        return len(self.networks) * self.topics

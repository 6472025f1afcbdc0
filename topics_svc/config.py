"""Hyper-parameters of a fit."""

import math
from dataclasses import dataclass, fields

from topics_svc.errors import ConfigError

_LEAST = {
    "topics": 1, "sweeps": 1, "average_last": 1, "seed": 0, "min_posts": 1, "max_words": 1, "max_memory_mb": 1, "optimise_every": 0,
    "wide_sweeps": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TopicConfig:
    """How to fit; the defaults are the reference implementation's where it has them."""

    topics: int = 60
    """K."""
    alpha: float = 0.5
    """Symmetric Dirichlet prior of an author's topics."""
    beta: float = 0.01
    """Symmetric Dirichlet prior of a topic's words."""
    beta_background: float = 0.01
    """Symmetric Dirichlet prior of the background words."""
    gamma: float = 20.0
    """Symmetric Beta prior of the switch between topic word and background word."""
    sweeps: int = 100
    """Gibbs sweeps at most."""
    wide_sweeps: int = 15
    """Sweeps over half as many topics again that come before, so that no two themes share a topic; 0 = none."""
    average_last: int = 10
    """Point estimates are averaged over this many last sweeps."""
    plateau: float = 0.0
    """Stop when ten sweeps raise the mean log-likelihood by less than this share of itself; 0 = always all sweeps."""
    optimise_every: int = 0
    """Re-estimate alpha and beta (Minka's fixed point) every so many sweeps; 0 = keep them."""
    seed: int = 0
    """Same posts, same config, same seed: same result, on any machine."""
    min_posts: int = 2
    """A word of fewer posts is left out."""
    max_share: float = 0.5
    """A word of a greater share of the posts goes to the learned stop list, unless it is in fewer than 20 posts."""
    max_words: int = 50_000
    """Vocabulary cap V; the words of the most posts stay."""
    stop_languages: tuple[str, ...] = ("en",)
    """Built-in stop lists to use; none are needed, the background distribution and `max_share` do the same work."""
    split_hashtags: bool = False
    """Whether a CamelCase hashtag also counts as its words."""
    max_memory_mb: int = 4096
    """A corpus whose tokens and counts need more is refused."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} = {value!r}; give a whole number of at least {least}")
        for name in ("alpha", "beta", "beta_background", "gamma"):
            _check_real(name, getattr(self, name), 0.0, math.inf)
        _check_real("max_share", self.max_share, 0.0, 1.0, closed=True)
        if self.plateau != 0:
            _check_real("plateau", self.plateau, 0.0, 1.0)
        self._check_ranges()

    def _check_ranges(self) -> None:
        from topics_svc.stop_words import LANGUAGES

        if self.topics > 32_767:
            raise ConfigError(f"topics = {self.topics}; give at most 32767")
        if self.seed >= 1 << 64:
            raise ConfigError(f"seed = {self.seed}; give a number below 2**64")
        unknown = sorted(set(self.stop_languages) - set(LANGUAGES))
        if unknown or isinstance(self.stop_languages, str):
            raise ConfigError(f"stop_languages = {self.stop_languages!r}; choose from {', '.join(sorted(LANGUAGES))}")

    def as_dict(self) -> dict[str, object]:
        """Field to value, as JSON knows them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "stop_languages": list(self.stop_languages)}


def _check_real(name: str, value: object, low: float, high: float, *, closed: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{name} = {value!r}; give a finite number")
    if not low < value or value > high or (value == high and not closed):
        raise ConfigError(f"{name} = {value!r}; give a number above {low:g}" + (f" and up to {high:g}" if high < math.inf else ""))

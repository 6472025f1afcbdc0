"""Hyper-parameters."""

import math

import pytest

from topics_svc import ConfigError, TopicConfig


def test_defaults() -> None:
    """The defaults are the reference implementation's."""
    config = TopicConfig()
    assert (60, 0.5, 0.01, 0.01, 20.0, 100) == (
        config.topics, config.alpha, config.beta, config.beta_background, config.gamma, config.sweeps,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("topics", 0), ("topics", 2.5), ("topics", True), ("topics", 40_000), ("sweeps", 0), ("average_last", 0), ("seed", -1),
        ("seed", 1 << 64), ("min_posts", 0), ("max_words", 0), ("max_memory_mb", 0), ("optimise_every", -1), ("alpha", math.nan),
        ("alpha", 0.0), ("alpha", -1.0), ("alpha", math.inf), ("alpha", "0.5"), ("beta", 0.0), ("beta_background", math.nan),
        ("gamma", 0.0), ("max_share", 0.0), ("max_share", 1.5), ("plateau", -0.1), ("plateau", math.nan), ("plateau", 1.0),
        ("stop_languages", ("xx",)), ("stop_languages", "en"),
    ],
)  # fmt: skip
def test_impossible(name: str, value: object) -> None:
    """A hyper-parameter outside its range is refused with its name and value."""
    with pytest.raises(ConfigError, match=f"^{name} = "):
        TopicConfig(**{name: value})  # type: ignore[arg-type]

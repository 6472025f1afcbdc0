"""A small line of real parts for tests: two networks, four topics, nothing trained."""

from functools import cache

from model import ModelConfig, Recommender
from streams.line import Line
from streams.records import Interaction, Post, Source
from streams.settings import LineSettings
from streams.state import Users
from topics_svc import TopicConfig, TopicService, fit

CONFIG = ModelConfig(networks=("twitter", "gplus"), topics=4, factors=5, hidden=6, past=3, tau_seconds=3600.0)
DAY = 86_400_000
TEXTS = ("goal match striker", "oven bread butter", "rocket orbit moon", "guitar chord song")


@cache  # fitting them takes longer than most tests
def topics() -> TopicService:
    """Four clear topics."""
    posts = [(f"user{number % 6}", TEXTS[number % 4]) for number in range(80)]
    return fit(posts, TopicConfig(topics=4, sweeps=30, average_last=5, min_posts=1, max_share=1.0, stop_languages=()))


def line(**settings: int | str) -> Line:
    """A line that knows the items a to d and the users ann and bob."""
    recommender = Recommender(CONFIG, ("ann", "bob"), "abcd", seed=3)
    return Line(recommender, topics(), LineSettings.model_validate(settings), Users(CONFIG))


def took(user: str, item: str, at: int, offset: int = 0) -> Interaction:
    """An interaction."""
    return Interaction(user, item, at, Source("events", 0, offset))


def posted(user: str, text: str, at: int, offset: int = 0, network: str = "twitter") -> Post:
    """A post."""
    return Post(user, network, at, text, Source("tweets", 0, offset))

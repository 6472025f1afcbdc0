"""From a data folder to cases: the paper's activity filters, the split, the topics, and altered posts for "what do posts add"."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from streams.errors import DataError
from streams.evaluate.cases import Cases, cases, topics_of
from streams.folder import Folder, Part, split
from streams.records import Interaction, Post
from streams.settings import Settings
from streams.train import networks_of
from topics_svc import TopicConfig, TopicService

ALL_POSTS, NO_POSTS, SWAPPED = "all", "none", "swapped"
WITHOUT = "without "  # followed by the name of a network


@dataclass(frozen=True, slots=True)
class Filters:
    """Who and what is too quiet to take part; the paper's are 10 and 5 posts, 10 interactions, and 10 takers an item."""

    interactions: int = 0
    "of a user"
    posts: tuple[tuple[str, int], ...] = ()
    "of a user, by network"
    takers: int = 0
    "interactions with an item"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which data, and what is done to them."""

    by_time: bool = False
    "cut everybody at one moment instead of each user at his own"
    filters: Filters = Filters()
    topics: int = 60
    sweeps: int = 100
    posts: str = ALL_POSTS
    "all; none; without NETWORK; swapped: each user has another user's posts"
    seed: int = 0


def read(folder: Folder, inputs: Inputs, settings: Settings, topics: TopicService | None = None) -> Cases:
    """The cases of a folder; DataError when nothing is left to evaluate.

    `topics`: those of the same inputs with all posts, where there are some already; else they are fitted to them.
    """
    settings = settings.model_copy(update={"networks": networks_of(folder, settings)})
    parts = split(folder, by_time=inputs.by_time, keep=_kept(folder, inputs.filters))
    networks = tuple(settings.networks) if folder.has("posts") else ()
    if networks and topics is None:  # fitted to all posts, so that only what the model reads differs
        topics = topics_of(parts, TopicConfig(topics=inputs.topics, sweeps=inputs.sweeps, seed=inputs.seed))
    return cases(altered(parts, inputs), folder.items(), networks if topics else (), topics, settings)


def altered(parts: Iterable[Part], inputs: Inputs) -> list[Part]:
    """The same records with some posts left out, or with the posts of other users."""
    parts = list(parts)
    if inputs.posts == ALL_POSTS:
        return parts
    if inputs.posts == SWAPPED:
        given = _swapped([one.record.user for one in parts if isinstance(one.record, Post)], inputs.seed)
        return [
            replace(one, record=replace(one.record, user=given[one.record.user])) if isinstance(one.record, Post) else one
            for one in parts
        ]
    gone = inputs.posts.removeprefix(WITHOUT)
    return [one for one in parts if isinstance(one.record, Interaction) or (inputs.posts != NO_POSTS and one.record.network != gone)]


def _swapped(authors: Iterable[str], seed: int) -> Mapping[str, str]:
    """Another user for each; a cycle through all of them in random order, so that nobody keeps his own."""
    names = list(dict.fromkeys(authors))
    order = np.random.default_rng(seed).permutation(len(names))
    return {names[one]: names[other] for one, other in zip(order, np.roll(order, 1), strict=True)}


def _kept(folder: Folder, filters: Filters) -> tuple[set[str], set[str]] | None:
    """Users and items that pass; leaving some out may make others too quiet, so it goes on until nothing changes."""
    if filters == Filters():
        return None
    taken = [(one.user, one.item) for one in folder.interactions()]
    posts = Counter((one.user, one.network) for one in folder.posts()) if filters.posts else Counter()
    while True:
        users, items = Counter(user for user, _ in taken), Counter(item for _, item in taken)
        kept = [
            (user, item)
            for user, item in taken
            if users[user] >= filters.interactions and items[item] >= filters.takers
            and all(posts[user, network] >= least for network, least in filters.posts)
        ]  # fmt: skip
        if len(kept) == len(taken):
            break
        taken = kept
    if not taken:
        raise DataError(f"{folder.path}: no interaction passes the filters; lower them")
    return {user for user, _ in taken}, {item for _, item in taken}

"""How a ranking becomes the Top-K list that people read (DESIGN section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import Memory, Ranked, Recommender, Step, Wave, top_k
from streams.reasons import reasons
from streams.records import Last, Recommendation, Source
from streams.windows import Window

_EXPLAINED = 10
_TOPICS_SHOWN = 5
_STEPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Request:
    """A list to be made: of whom, why, and everything it depends on, frozen."""

    user: str
    trigger: str
    source: Source
    at: int
    step: Step
    memory: Memory
    past: tuple[str, ...]
    "items taken last, newest last, where the preset looks at them"
    owned: frozenset[str]
    window: Window
    gap_seconds: float | None
    last: Last | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What all lists of a moment share: the model, their length and the rows never shown."""

    recommender: Recommender
    size: int
    retired: Sequence[int]


def recommendations(listing: Listing, requests: Sequence[Request], wave: Wave, ranked: Ranked) -> list[Recommendation]:
    """The lists of requests, in the order of the wave that was ranked for them; owned and retired items are left out."""
    best = [_best(listing, request, scores_I) for request, scores_I in zip(requests, ranked.scores_BI, strict=True)]
    explained = [own[:_EXPLAINED] for own in best]
    moved = listing.recommender.moved_by_posts(wave, explained)
    whys = reasons(ranked, explained, moved, listing.recommender.config.networks)
    return [_recommendation(listing, one, ranked, row, best[row], whys[row]) for row, one in enumerate(requests)]


def _best(listing: Listing, request: Request, scores_I: NDArray[np.float32]) -> list[int]:
    excluded = [*listing.recommender.items.rows(request.owned), *listing.retired]
    return top_k(listing.recommender.varied(scores_I, excluded, listing.size), listing.size, excluded)


def _recommendation(
    listing: Listing, request: Request, ranked: Ranked, row: int, best: list[int], whys: list[dict[str, Any]]
) -> Recommendation:
    recommender = listing.recommender
    scores, name = ranked.scores_BI[row, best].tolist(), recommender.items.name
    entries: list[dict[str, Any]] = [{"item": name(item), "score": score} for item, score in zip(best, scores, strict=True)]
    for entry, why in zip(entries, whys, strict=False):
        entry["why"] = why
    return Recommendation(
        id=str(request.source),
        user=request.user,
        at=request.at,
        trigger=request.trigger,
        items=entries,
        window=summary(request.window, request.gap_seconds, recommender.config.networks),
        attention=_attention(ranked, row),
        last=request.last,
        model={
            "version": recommender.version,
            "preset": recommender.config.preset,
            "lessons": recommender.lessons,
        },
    )


def summary(window: Window, gap_seconds: float | None, networks: Sequence[str]) -> dict[str, Any]:
    """A window as people read it: the gap it spans, posts and strongest topics by network."""
    posts, topics = {}, {}
    for index, network in enumerate(networks):
        posts[network] = int(window.posts_N[index])
        sums_K = window.sums_NK[index]
        strongest = np.argsort(-sums_K, kind="stable")[:_TOPICS_SHOWN]
        topics[network] = [[int(topic), round(float(sums_K[topic]), 4)] for topic in strongest if sums_K[topic] > 0]
    return {"gap_seconds": gap_seconds, "posts": posts, "topics": topics}


def _attention(ranked: Ranked, row: int) -> list[tuple[int, float]]:
    """The past steps that weigh most, as (steps ago, weight); of equal ones the latest."""
    newest_first = ranked.attention[row][::-1]
    strongest = np.argsort(-newest_first, kind="stable")[:_STEPS_SHOWN]
    return [(int(step) + 1, float(newest_first[step])) for step in strongest]

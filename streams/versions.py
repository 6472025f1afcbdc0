"""The versions of a model that an artifact keeps: as trained, and the checkpoints of its workers (DESIGN section 9).

A version ranks from when it was written to when the next was; HR by version comes from the lists that Kafka still holds, each of which
tells the ranks of the interaction before it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model import CheckpointError, Lesson, Recommender, checkpoint, lesson_of
from streams import restore, tail
from streams.assemble import name_of
from streams.checkpoint import mark_of
from streams.connection import admin
from streams.errors import ArtifactError, BrokerError
from streams.settings import Settings
from streams.tally import Tally

TRAINED = "trained"
_LOOK_SECONDS = 0.5
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """One of them; `following` is the offset of the first lesson that it has not learned."""

    name: str
    path: Path
    written_at: int
    "epoch milliseconds"
    lessons: int
    following: int
    users: int
    items: int
    preset: str
    ours: bool
    "whether it belongs to this artifact"


def kept(artifact: Path) -> list[Version]:
    """All that can be read, oldest first; those that cannot are named in the log."""
    trained, _ = Recommender.load(artifact / "model")
    name = name_of(trained)
    found = []
    for path in [artifact / "model", *sorted((artifact / "online").glob("[0-9]*"))]:
        try:
            found.append(_version(path, name))
        except CheckpointError as error:
            _logger.warning("version %s cannot be used: %s", path.name, error)
    return found


def _version(path: Path, artifact: str) -> Version:
    state, extra = checkpoint.read(path)
    trained = path.name == "model"
    return Version(
        name=TRAINED if trained else path.name,
        path=path,
        written_at=round(path.stat().st_mtime * 1000),
        lessons=state.facts["lessons"],
        following=int(extra.get("next_lesson", 0)),
        users=len(state.facts["users"]),
        items=len(state.facts["items"]),
        preset=state.config.preset,
        ours=trained or extra.get("artifact") == artifact,
    )


def named(versions: Sequence[Version], name: str) -> Version:
    """The version of this name, or of the only one that ends so."""
    found = [one for one in versions if one.name == name] or [one for one in versions if one.name.endswith(name)]
    if len(found) != 1:
        raise ArtifactError(f"{len(found)} versions are called {name!r}; there are {', '.join(one.name for one in versions)}")
    return found[0]


def live(versions: Sequence[Version], lessons_end: int) -> Version:
    """The one that a worker that starts now would start from."""
    return next(one for one in reversed(versions) if one.ours and (one.name == TRAINED or one.following <= lessons_end))


async def accuracy(versions: Sequence[Version], settings: Settings) -> dict[str, Tally]:
    """Accuracy of each version, by the lists that Kafka still holds."""
    tallies = {one.name: Tally() for one in versions}
    async for record in tail.last(settings, [settings.kafka.recommendations], None):
        one = tail.fields(record) or {}
        last = one.get("last")
        if one.get("trigger") != "interaction" or not isinstance(last, dict):
            continue
        version = max((each for each in versions if _since(each) <= record.timestamp), key=_since)
        tallies[version.name].add([_Ranks(last.get("rank_scored"), last.get("rank_published"), last.get("rank_popularity"))])
    return tallies


def _since(one: Version) -> int:
    """When it began to rank; before all checkpoints it was the trained one."""
    return -1 if one.name == TRAINED else one.written_at


@dataclass(frozen=True, slots=True)
class _Ranks:
    rank_scored: int | None
    rank_published: int | None
    rank_popularity: int | None


def differences(one: Version, other: Version) -> dict[str, Any]:
    """What changed from one version to another: names that came and went, and how far each tensor moved, relative to its size."""
    (a, _), (b, _) = checkpoint.read(one.path), checkpoint.read(other.path)
    moved = {}
    for name in sorted(a.tensors.keys() & b.tensors.keys()):
        moved[name] = _moved(a.tensors[name].double().numpy(), b.tensors[name].double().numpy())
    names = {}
    for kind in ("users", "items"):
        before, after = set(a.facts[kind]), set(b.facts[kind])
        names[kind] = {"new": len(after - before), "gone": len(before - after)}
    return {
        "from": one.name, "to": other.name, "lessons": other.lessons - one.lessons, **names,
        "moved": dict(sorted(moved.items(), key=lambda entry: -entry[1])),
    }  # fmt: skip


def _moved(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    """|b - a| / |a| over the rows that both have; what is no number (not known yet) counts as 0."""
    common = tuple(slice(min(sizes)) for sizes in zip(a.shape, b.shape, strict=True))
    before, after = (np.where(np.isfinite(one[common]), one[common], 0.0) for one in (a, b))
    size = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / size if size else float(np.any(after != before))


@dataclass(frozen=True, slots=True)
class Learned:
    """A lesson that was learned again: its offset, when it was written, of how many interactions, the loss before its update."""

    offset: int
    at: int
    interactions: int
    loss: float


async def log(version: Version, artifact: str, settings: Settings) -> AsyncIterator[Learned]:
    """The lessons since a version, learned once more from it. BrokerError when Kafka has deleted some of them."""
    recommender, _ = Recommender.load(version.path)
    begin, _ = await restore.lessons_range(settings)
    if begin > version.following:
        raise BrokerError(
            f"Kafka has deleted the lessons before {begin}, and version {version.name} ends at {version.following}; take a newer one"
        )
    async for record in restore.lessons(settings, artifact, version.following):
        lesson = lesson_of(record.value)
        if not isinstance(lesson, Lesson):
            recommender.replay(record.value)
            continue
        yield Learned(record.offset, record.timestamp, len(lesson.users), recommender.learn(lesson))


async def oldest_complete(versions: Sequence[Version], settings: Settings) -> Version:
    """The oldest version whose later lessons Kafka still has all of: it deletes those that no kept checkpoint needs."""
    begin, _ = await restore.lessons_range(settings)
    found = next((one for one in versions if one.ours and one.following >= begin), None)
    if found is None:
        raise BrokerError(f"Kafka's lessons begin at {begin}, after all versions kept; the next checkpoint is one to look from")
    return found


async def back_to(version: Version, artifact: Path, settings: Settings) -> Path:
    """Make a version the one that the next start takes, as if nothing had been learned since; gives its new checkpoint.

    The users keep what they did: rows and owned items stay. Raises BrokerError while a worker runs.
    """
    await _nobody_works(settings)
    cluster = await restore.cluster_id(settings)
    _, end = await restore.lessons_range(settings)
    trained, _ = Recommender.load(artifact / "model")
    recommender, _ = Recommender.load(version.path)
    # Sorts after what there is of the same lesson, so that the next start takes it.
    number = len(list((artifact / "online").glob(f"{end:017d}*")))
    path = artifact / "online" / f"{end:017d}-{number:03d}-back-to-{version.name.partition('-')[0]}"
    recommender.save(path, {**mark_of(name_of(trained), cluster, settings), "next_lesson": end})
    return path


async def _nobody_works(settings: Settings) -> None:
    """Kafka keeps the place of a stopped worker until its session has run out, so this waits as long before it believes in one."""
    group, deadline = settings.kafka.group, time.monotonic() + settings.worker.session_timeout_ms / 1000 + 1
    async with admin(settings.kafka) as client:
        while members := len((await client.describe_consumer_groups([group]))[0].groups[0][5]):
            if time.monotonic() > deadline:
                raise BrokerError(f"{members} worker(s) of group {group} run, with the weights in memory; stop them first")
            await asyncio.sleep(_LOOK_SECONDS)


def summary(tally: Tally) -> dict[str, float]:
    """Events and means of a tally, the few that tell the most."""
    means = tally.means()
    chosen: Iterable[str] = ("scored_hr@10", "scored_hr@100", "popularity_hr@10", "popularity_hr@100")
    return {"events": tally.events, **{name: means[name] for name in chosen if name in means}}

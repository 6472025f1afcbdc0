"""Training: the topics, then the net on each user's steps, then one pass through the line over everything but the test part.

In that pass the interactions of the training part only feed memories and statistics, those of the validation part are learned
online; so the artifact starts the worker where the data end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from model import EpochReport, ModelConfig, ModelError, Recommender, Step, fit
from streams import assemble
from streams.errors import DataError
from streams.folder import TEST, TRAINING, VALIDATION, Folder, Part, on_log, split
from streams.items import known
from streams.line import Line, drive
from streams.records import Interaction, Post
from streams.settings import Settings
from streams.state import Users
from streams.tally import Tally
from topics_svc import TopicConfig, TopicError, TopicService
from topics_svc import fit as fit_topics

Steps = dict[str, list[tuple[Step, str]]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: configurations of both models (networks and tau are taken from the data) and the offline fit."""

    topics: TopicConfig
    model: ModelConfig
    epochs: int
    patience: int
    learning_rate: float
    seed: int
    device: str
    precision: str = "auto"
    resume: Path | None = None
    "file that keeps an unfinished fit"


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to know how it goes."""

    sweep: Callable[[int, float, float], None]
    epoch: Callable[[EpochReport], None]
    pass_over: Callable[[Iterator[Part], int], Iterator[Part]]


def networks_of(folder: Folder, settings: Settings) -> dict[str, str]:
    """Network to Kafka topic: the settings' where they know all of the data's networks, else one named after each."""
    found = Counter(one.network for one in folder.posts())
    if set(found) <= set(settings.networks):
        return settings.networks
    return {name: settings.networks.get(name, f"{name}-posts") for name in sorted(found)}


def train(folder: Folder, out: Path, settings: Settings, plan: Plan, watch: Watch) -> dict[str, object]:
    """Fit on a data folder and write the artifact; gives the accuracy on the validation part and what was read."""
    settings = settings.model_copy(update={"networks": networks_of(folder, settings)})
    parts = [one for one in on_log(split(folder), settings) if one.part != TEST]
    if not any(isinstance(one.record, Interaction) for one in parts):
        raise DataError(f"{folder.path} has no user with two interactions or more; there is nothing to train on")
    try:
        topics = _fit_topics(parts, plan.topics, watch)
        config = replace(
            plan.model,
            networks=tuple(settings.networks),
            topics=topics.topics if topics else 0,
            tau_seconds=mean_gap_seconds(parts) or plan.model.tau_seconds,
        )
        training, validation = gathered(parts, config, topics, settings)
        recommender = fit(
            training, validation, config, epochs=plan.epochs, patience=plan.patience, seed=plan.seed,
            learning_rate=plan.learning_rate, device=plan.device, progress=watch.epoch,
            precision=plan.precision, resume=plan.resume, catalogue=list(folder.items()),
        )
    except (ModelError, TopicError) as error:
        raise DataError(f"cannot train on {folder.path}: {error}") from error
    recommender.know(known(folder.items().values()))
    line = Line(recommender, topics, settings.line, Users(config), publishes=False)
    tally = run_through(line, watch.pass_over(iter(parts), len(parts)))
    assemble.save(out, line, settings)
    return {
        "users": len(line.users), "items": len(recommender.items), "posts": sum(isinstance(one.record, Post) for one in parts),
        "interactions": sum(isinstance(one.record, Interaction) for one in parts), "tau_seconds": config.tau_seconds,
        "validation": tally.means(),
    }


def _fit_topics(parts: list[Part], config: TopicConfig, watch: Watch) -> TopicService | None:
    posts = [(f"{one.record.user}\t{one.record.network}", one.record.text)
             for one in parts if isinstance(one.record, Post) and one.part == TRAINING]  # fmt: skip
    return fit_topics(posts, config, watch.sweep) if posts else None


def mean_gap_seconds(parts: Iterable[Part]) -> float:
    """Mean time between two consecutive interactions of a user in the training part; 0 where there are none."""
    last: dict[str, int] = {}
    gaps = []
    for one in parts:
        if isinstance(one.record, Interaction) and one.part == TRAINING:
            if one.record.user in last:
                gaps.append((one.record.at - last[one.record.user]) / 1000)
            last[one.record.user] = one.record.at
    return sum(gaps) / len(gaps) if gaps else 0.0


def gathered(
    parts: list[Part], config: ModelConfig, topics: TopicService | None, settings: Settings
) -> tuple[Steps, Steps]:
    """Every user's steps with the items taken, of the training and of the validation part, from the line's own gather."""
    line = Line(Recommender(config), topics, settings.line, Users(config), publishes=False)
    steps: dict[str, Steps] = {TRAINING: defaultdict(list), VALIDATION: defaultdict(list)}
    for one in parts:
        line.gather(one.record)
        if isinstance(one.record, Interaction):
            steps[one.part][one.record.user].append((line.wave.pop(one.record.user).step, one.record.item))
    return dict(steps[TRAINING]), dict(steps[VALIDATION])


def run_through(line: Line, parts: Iterator[Part]) -> Tally:
    """Stream training and validation part through the line; the accuracy of the latter."""
    learned = set()

    def records() -> Iterator[Post | Interaction]:
        for one in parts:
            if one.part == VALIDATION:
                learned.add(one.record.source)
            yield one.record

    line.learns = lambda interaction: interaction.source in learned
    tally = Tally()
    for output in drive(line, records()):
        tally.add(one for one in output.taken if one.learned)
    return tally

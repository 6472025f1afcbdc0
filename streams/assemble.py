"""From an artifact folder to a line, and back.

    DIR/settings.toml   networks and Kafka topics of the data the artifact was trained on
    DIR/topics/         Twitter-LDA (absent where there were no posts)
    DIR/model/          weights, optimizer, ids, statistics, config
    DIR/users.rows      every user as of the end of the training data
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from model import ModelError, Recommender
from streams.catalogue import Catalogue
from streams.errors import ArtifactError
from streams.line import Line
from streams.rows import read_rows, write_rows
from streams.settings import LineSettings, Settings
from streams.state import Users
from topics_svc import TopicError, TopicService

_NO_TOPICS = "none"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `crossnet train` made; `name` tells the rows and lessons of one artifact from those of another."""

    name: str
    recommender: Recommender
    topics: TopicService | None
    users: Users


def load(path: Path, settings: LineSettings) -> Artifact:
    """The artifact in a folder; ArtifactError when it is missing, broken, or its parts do not belong together.

    Its topics may be others than those it was trained on when they were refitted from them and are near enough.
    """
    if not (path / "model").is_dir():
        raise ArtifactError(f"no artifact in {path}; make one with `crossnet train DATA --out {path}`")
    try:
        recommender, extra = Recommender.load(path / "model")
        topics = TopicService.load(path / "topics") if recommender.config.topics else None
    except (ModelError, TopicError) as error:
        raise ArtifactError(str(error)) from error
    _check_topics(path, topics, str(extra.get("topics")), settings.topics_distance)
    users = Users(recommender.config, settings.decoded_kept)
    for key, value in read_rows(path / "users.rows"):
        users.load_base(key, value)
    users.finish()
    return Artifact(name_of(recommender), recommender, topics, users)


def name_of(trained: Recommender) -> str:
    """What tells an artifact from others: the fingerprint of its model as trained."""
    return trained.state_hash()[:16]


def _check_topics(path: Path, topics: TopicService | None, trained_on: str, limit: float) -> None:
    found = topics.fingerprint if topics else _NO_TOPICS
    moved = topics.moved_from(trained_on) if topics else float(trained_on != _NO_TOPICS)
    if moved is None:
        raise ArtifactError(
            f"the model in {path} was trained on topics {trained_on}, but {path}/topics are {found}, not even refitted from them; "
            "put the right topics there or train again"
        )
    if moved > limit:
        raise ArtifactError(
            f"the topics in {path} are refitted and moved by {moved:.3f}, more than the {limit} of line.topics_distance; "
            "put the old ones back, raise the limit, or train again"
        )
    if moved:
        _log.warning("the topics in %s are refitted; mean distance %.3f from those the model was trained on", path, moved)


def save(path: Path, line: Line, settings: Settings) -> None:
    """Write a line's topics, model and users as an artifact."""
    path.mkdir(parents=True, exist_ok=True)
    if line.topics is not None:
        line.topics.save(path / "topics")
    line.recommender.save(path / "model", {"topics": line.topics.fingerprint if line.topics else _NO_TOPICS})
    write_rows(path / "users.rows", line.users.all_rows())
    networks = "\n".join(f'"{name}" = "{kafka_topic}"' for name, kafka_topic in settings.networks.items())
    (path / "settings.toml").write_text(f"[networks]\n{networks}\n", encoding="utf-8")


def line_of(artifact: Artifact, settings: Settings) -> Line:
    """The line that starts where the artifact's data ended. Raises ArtifactError when the networks differ."""
    networks = artifact.recommender.config.networks
    if tuple(settings.networks) != networks:
        raise ArtifactError(
            f"the artifact was trained on networks {', '.join(networks)}, the settings name {', '.join(settings.networks)}; "
            "use the artifact's own settings.toml or train again"
        )
    config = artifact.recommender.config
    if settings.line.wave > min(config.users_cap, config.items_cap):
        raise ArtifactError(
            f"line.wave = {settings.line.wave} is more than the artifact's caps ({config.users_cap} users, {config.items_cap} items), "
            "so two names of one lesson would share a row; set it lower or train with larger caps"
        )
    return Line(artifact.recommender, artifact.topics, settings.line, artifact.users, Catalogue(settings.line.retired_kept))

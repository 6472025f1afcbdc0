"""Words that say what a topic is about, where an artifact with topics was named; without one, topics stay numbers."""

from collections.abc import Mapping
from pathlib import Path

from streams.errors import ArtifactError

_WORDS = 5


def load(artifacts: Path | None) -> Mapping[int, list[str]]:
    """The label words of every topic. Raises ArtifactError for a broken artifact."""
    if artifacts is None or not (artifacts / "topics").is_dir():
        return {}
    from topics_svc import TopicError, TopicService

    try:
        service = TopicService.load(artifacts / "topics")
    except TopicError as error:
        raise ArtifactError(str(error)) from error
    return {topic: service.labels(topic, _WORDS) for topic in range(service.topics)}

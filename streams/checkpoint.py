"""Checkpoints of a running worker: the recommender as of a lesson offset, the newest few kept (DESIGN section 9).

    DIR/online/00000000000123456/     the offset of the next lesson
"""

import logging
import shutil
import time
from pathlib import Path

from model import ModelError, Recommender
from streams.settings import WorkerSettings

_logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one artifact on one Kafka cluster."""

    def __init__(self, folder: Path, artifact: str, cluster: str, settings: WorkerSettings) -> None:
        self._folder, self._settings = folder / "online", settings
        self._mark: dict[str, str | int] = {"artifact": artifact, "cluster": cluster}
        self._written_at = time.monotonic()
        self._written_interactions = 0

    def newest(self, lessons_end: int) -> tuple[Recommender, int] | None:
        """The newest checkpoint that fits, and the offset of the lesson that follows it; broken ones are named and skipped."""
        for path in sorted(self._folder.glob("[0-9]*"), reverse=True):
            try:
                recommender, extra = Recommender.load(path)
            except ModelError as error:
                _logger.warning("checkpoint %s cannot be used: %s", path.name, error)
                continue
            following = int(extra["next_lesson"])
            if all(extra.get(key) == value for key, value in self._mark.items()) and following <= lessons_end:
                return recommender, following
        return None

    def is_due(self, interactions: int) -> bool:
        """Whether enough has gone by since the last one; `interactions` is how many this worker has learned."""
        new = interactions - self._written_interactions
        late = time.monotonic() - self._written_at > self._settings.checkpoint_seconds
        return new > 0 and (late or new >= self._settings.checkpoint_interactions)

    def write(self, recommender: Recommender, next_lesson: int, interactions: int) -> None:
        """Write one atomically and delete those beyond the number kept."""
        recommender.save(self._folder / f"{next_lesson:017d}", {**self._mark, "next_lesson": next_lesson})
        self._written_at, self._written_interactions = time.monotonic(), interactions
        for path in sorted(self._folder.glob("[0-9]*"))[: -self._settings.checkpoints_kept]:
            shutil.rmtree(path)


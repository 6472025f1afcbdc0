"""Checkpoints of a running worker: the recommender as of a lesson offset, the newest few kept (DESIGN section 9).

    DIR/online/00000000000123456/     the offset of the next lesson
"""

import logging
import shutil
import time
from pathlib import Path

from model import ModelError, Recommender
from streams.faults import point
from streams.settings import WorkerSettings

_logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one artifact on one Kafka cluster."""

    def __init__(self, folder: Path, artifact: str, cluster: str, settings: WorkerSettings) -> None:
        self._folder, self._settings = folder / "online", settings
        self._mark: dict[str, str | int] = {"artifact": artifact, "cluster": cluster}
        self._tried_at = time.monotonic()
        self._tried_interactions = 0
        self.broken = 0
        self.oldest: int | None = None  # the first lesson that a kept checkpoint may need

    def newest(self, lessons_end: int) -> tuple[Recommender, int] | None:
        """The newest checkpoint that fits, and the offset of the lesson that follows it; broken ones are named and skipped."""
        for path in self._ours()[::-1]:
            try:
                recommender, extra = Recommender.load(path)
            except ModelError as error:
                self.broken += 1
                _logger.warning("checkpoint %s is skipped for the one before: %s", path.name, error)
                continue
            following = int(extra["next_lesson"])
            if all(extra.get(key) == value for key, value in self._mark.items()) and following <= lessons_end:
                return recommender, following
        return None

    def is_due(self, interactions: int) -> bool:
        """Whether enough has gone by since the last try; `interactions` is how many this worker has learned."""
        new = interactions - self._tried_interactions
        late = time.monotonic() - self._tried_at > self._settings.checkpoint_seconds
        return new > 0 and (late or new >= self._settings.checkpoint_interactions)

    def write(self, recommender: Recommender, next_lesson: int, interactions: int, loss: float) -> bool:
        """Write one atomically and delete those beyond the number kept; False, and a line in the log, where that is not possible."""
        self._tried_at, self._tried_interactions = time.monotonic(), interactions
        facts: dict[str, str | int] = {
            "next_lesson": next_lesson, "written_at": int(time.time() * 1000), "interactions": interactions, "loss": f"{loss:.6g}",
        }  # fmt: skip
        point("checkpoint.before")
        try:
            recommender.save(self._folder / f"{next_lesson:017d}", {**self._mark, **facts})
            kept = self._ours()
            for path in kept[: -self._settings.checkpoints_kept]:
                shutil.rmtree(path)
        except OSError as error:
            _logger.warning("no checkpoint could be written to %s (%s); learning goes on, a restart will replay more lessons",
                            self._folder, error.strerror)  # fmt: skip
            return False
        # A version that was gone back to has words after the number.
        self.oldest = int(kept[-self._settings.checkpoints_kept :][0].name.partition("-")[0])
        point("checkpoint.after")
        return True

    def _ours(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*"))

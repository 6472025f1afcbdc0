"""Checkpoints of a running worker: the recommender as of a lesson offset, the newest few kept (DESIGN section 9).

    DIR/online/00000000000123456/     the offset of the next lesson
"""

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from model import ModelError, Recommender
from model.checkpoint import extra_of
from streams.settings import Settings, WorkerSettings

_logger = logging.getLogger(__name__)


def mark_of(artifact: str, cluster: str, settings: Settings) -> dict[str, str]:
    """What tells the log of lessons that a checkpoint's number means."""
    return {"artifact": artifact, "cluster": cluster, "lessons": settings.kafka.lessons}


class Checkpoints:
    """The checkpoints of one artifact on one log of lessons."""

    def __init__(self, folder: Path, mark: Mapping[str, str], settings: WorkerSettings) -> None:
        self._folder, self._settings, self._mark = folder / "online", settings, mark
        self._tried_at = time.monotonic()
        self._tried_interactions = 0
        self._broken: set[Path] = set()
        self.oldest = 0  # the first lesson that a start may need, should all but one of the kept ones be broken
        self.kept = 0  # as of the last one written

    @property
    def broken(self) -> int:
        """How many were skipped because they cannot be read."""
        return len(self._broken)

    def newest(self, lessons_end: int) -> tuple[Recommender, int] | None:
        """The newest checkpoint that fits, and the offset of the lesson that follows it; broken ones are named and skipped."""
        for path in self.paths()[::-1]:
            try:
                recommender, extra = Recommender.load(path)
            except ModelError as error:
                self._broken.add(path)
                _logger.warning("checkpoint %s is skipped for the one before: %s", path.name, error)
                continue
            following = int(extra["next_lesson"])
            if following <= lessons_end:
                return recommender, following
        return None

    def is_due(self, interactions: int) -> bool:
        """Whether enough has gone by since the last try; `interactions` is how many this worker has learned."""
        new = interactions - self._tried_interactions
        late = time.monotonic() - self._tried_at > self._settings.checkpoint_seconds
        return new > 0 and (late or new >= self._settings.checkpoint_interactions)

    def write(self, recommender: Recommender, next_lesson: int, interactions: int, loss: float) -> bool:
        """Write one atomically and delete those beyond the number kept; False, and a line in the log, where it cannot be done."""
        self._tried_at, self._tried_interactions = time.monotonic(), interactions
        facts: dict[str, str | int] = {
            "next_lesson": next_lesson, "written_at": int(time.time() * 1000), "interactions": interactions, "loss": f"{loss:.6g}",
        }  # fmt: skip
        path = self._folder / f"{next_lesson:017d}"
        if path.exists() and not self._is_ours(path):
            _logger.warning("no checkpoint is written over %s, which is of another log of lessons; give each worker group a copy "
                            "of the artifact", path)  # fmt: skip
            return False
        try:
            recommender.save(path, {**self._mark, **facts})
            self._broken.discard(path)
            # Those that cannot be read are not counted: a start may need the one before, and the lessons after it.
            readable = [one for one in self.paths() if one not in self._broken]
            oldest, *newer = readable[-self._settings.checkpoints_kept :]
            self.kept = 1 + len(newer)
            for one in self.paths():
                if one < oldest:
                    shutil.rmtree(one)
            for leftover in self._folder.glob(".[0-9]*"):  # of a worker that was killed while it wrote
                shutil.rmtree(leftover)
        except OSError as error:
            _logger.warning("no checkpoint could be written to %s (%s); learning goes on, a restart will replay more lessons",
                            self._folder, error.strerror)  # fmt: skip
            return False
        # Where fewer are kept than should be, the artifact is the one before: it needs every lesson.
        # A version that was gone back to has words after the number.
        self.oldest = int(oldest.name.partition("-")[0]) if self.kept == self._settings.checkpoints_kept else 0
        return True

    def paths(self) -> list[Path]:
        """Those of this log, oldest first, and broken ones: others may stand beside them, and their numbers mean nothing here."""
        return [path for path in sorted(self._folder.glob("[0-9]*")) if self._is_ours(path)]

    def _is_ours(self, path: Path) -> bool:
        try:
            extra = extra_of(path)
        except ModelError:
            return True
        return all(extra.get(key) == value for key, value in self._mark.items())

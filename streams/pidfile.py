"""A pid file that cannot lie: locked for as long as the process lives.

The started process inherits the lock and the lock ends with it, however it ends. So a stale pid, or one that meanwhile
belongs to another program, is never mistaken for a running process, and two starts at once cannot both succeed.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class PidFile:
    """The process of one pid file, with a few numbers about it ("pid", then what `start` was given)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Held so that a process started and stopped by one program leaves no zombie.
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> list[int] | None:
        """Pid and numbers of the process; None when there is none."""
        try:
            with self._path.open("rb") as file:
                if _lock(file.fileno()):
                    return None
                return [int(number) for number in file.read().split()] or None
        except FileNotFoundError:
            return None

    def start(self, command: Sequence[str], log: Path, *numbers: int) -> subprocess.Popen[bytes] | None:
        """Start a process that says everything to `log` and that ctrl-C does not reach; None when one is there already."""
        self._reap()
        with self._path.open("a+b") as file, log.open("wb") as said:
            # Whoever looks at the file holds the lock for a moment; that is not a process.
            if not within(1.0, lambda: _lock(file.fileno())):
                return None
            file.truncate(0)
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(file.fileno(),),  # the lock lives as long as the process
                start_new_session=True,
            )
            file.write(b" ".join(b"%d" % number for number in (self._process.pid, *numbers)))
        return self._process

    @property
    def code(self) -> int | None:
        """Exit code of what this object started last; None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self, seconds: float) -> bool:
        """Ask it to stop, kill it when it does not within `seconds`; False when there was none."""
        running = self.running()
        if running is not None:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.kill(running[0], sign)
                except ProcessLookupError:
                    break
                if within(seconds, lambda: self.running() is None):
                    break
            self._path.unlink(missing_ok=True)
        self._reap()
        return running is not None

    def _reap(self) -> None:
        if self._process is not None and self.running() is None:
            self._process.wait()
            self._process = None


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait for a condition; False when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _lock(descriptor: int) -> bool:
    """Take the lock; False when a live process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Named points at which a test kills the process, to see that nothing is lost exactly there.

Off unless CROSSNET_FAULT names one: `transaction.inside:3` kills at the third time that this point is passed.
"""

import os
import signal
from collections import Counter

VARIABLE = "CROSSNET_FAULT"
POINTS = (
    "restore.inside", "learn.after", "lists.before", "lists.after", "transaction.before", "transaction.inside", "transaction.after",
    "checkpoint.before", "checkpoint.after", "lessons.deleted",
)  # fmt: skip

_NAME, _, _TIMES = os.environ.get(VARIABLE, "").partition(":")
_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Kill the process when this is the point that was asked for."""
    if name != _NAME:
        return
    _passed[name] += 1
    if _passed[name] == int(_TIMES or 1):
        os.kill(os.getpid(), signal.SIGKILL)

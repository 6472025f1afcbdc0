"""Named points at which a test kills or freezes the process, to see that nothing is lost exactly there.

Off unless CROSSNET_FAULT names one: `transaction.inside:3` kills at the third time that this point is passed,
`transaction.inside:3:STOP` sends SIGSTOP.
"""

import os
import signal
from collections import Counter

VARIABLE = "CROSSNET_FAULT"
POINTS = (
    "restore.inside", "rank.before", "rank.inside", "rank.after", "advance.before", "advance.inside", "advance.after",
    "learn.before", "learn.inside", "learn.after", "recommend.before", "recommend.inside", "recommend.after", "lists.before",
    "lists.inside", "lists.after", "transaction.before", "transaction.inside", "transaction.after", "checkpoint.before",
    "checkpoint.inside", "checkpoint.after", "lessons.deleted",
)  # fmt: skip

_NAME, _TIMES, _SIGNAL = [*os.environ.get(VARIABLE, "").split(":"), "", ""][:3]
_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Send the process the signal when this is the point that was asked for."""
    if name != _NAME:
        return
    _passed[name] += 1
    if _passed[name] == int(_TIMES or 1):
        os.kill(os.getpid(), signal.Signals["SIG" + (_SIGNAL or "KILL")])

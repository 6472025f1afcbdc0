"""Dead letters that Kafka still holds, counted by reason from their headers; the newest few to be shown."""

from collections import Counter, deque
from typing import Any

from aiokafka import ConsumerRecord

_SHOWN = 20
_REASONS = 50  # a header may say anything; a count for each of many would grow without bound
_ERROR_CHARACTERS = 300


class DeadLetters:
    """Counts and the newest, without their values: these are as they came, and may be a megabyte each."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()
        self.newest: deque[dict[str, Any]] = deque(maxlen=_SHOWN)

    def take(self, record: ConsumerRecord) -> None:
        """Count one."""
        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        reason = headers.get("reason", "none given")[:80]
        self.by_reason[reason if reason in self.by_reason or len(self.by_reason) < _REASONS else "other"] += 1
        source = "-".join(headers.get(name, "?")[:250] for name in ("kafka_topic", "partition", "offset"))
        self.newest.append(
            {"reason": reason, "error": headers.get("error", "")[:_ERROR_CHARACTERS], "source": source, "at": record.timestamp}
        )

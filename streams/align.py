"""Event-time order over several Kafka partitions (DESIGN section 6).

Kafka orders records inside a partition only. The aligner holds one queue per assigned partition and releases the lowest
`(at, interactions before posts, kafka_topic, partition, offset)` once every partition has a record or is known to be idle. It reads
no clock and no Kafka: the caller says who is idle.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator

from streams.records import DeadLetter, Forget, Interaction, Post

Held = Post | Interaction | DeadLetter | Forget
Partition = tuple[str, int]
_Order = tuple[int, int, str, int, int]


class Aligner:
    """Queues of one worker; `limit` bounds the records held."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[Partition, deque[Held]] = {}
        self._heads: list[tuple[_Order, Partition]] = []
        self._waiting: set[Partition] = set()  # assigned, empty, not known to be idle
        self._last_at = 0
        self.held = 0
        self.forced = 0  # released above the limit, without waiting
        self.inversions = 0  # released below a time that had been released before

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Hold these partitions and no others; what is held of those that stay is kept."""
        kept = {partition: self._queues.get(partition, deque()) for partition in partitions}
        self._queues = kept
        self._waiting = {partition for partition, queue in kept.items() if not queue}
        self._heads = [(_order(queue[0]), partition) for partition, queue in kept.items() if queue]
        heapq.heapify(self._heads)
        self.held = sum(len(queue) for queue in kept.values())

    def put(self, record: Held) -> None:
        """Hold a record of an assigned partition."""
        partition = (record.source.kafka_topic, record.source.partition)
        queue = self._queues[partition]
        queue.append(record)
        self.held += 1
        if len(queue) == 1:
            self._waiting.discard(partition)
            heapq.heappush(self._heads, (_order(record), partition))

    def set_idle(self, partition: Partition) -> None:
        """Nothing is to be expected of this partition for now; its next record ends that."""
        self._waiting.discard(partition)

    def set_busy(self, partition: Partition) -> None:
        """A record of this partition is on its way: wait for it."""
        if not self._queues[partition]:
            self._waiting.add(partition)

    @property
    def idle(self) -> frozenset[Partition]:
        """Assigned partitions that hold nothing and are not waited for."""
        return frozenset(one for one, queue in self._queues.items() if not queue and one not in self._waiting)

    @property
    def waiting(self) -> frozenset[Partition]:
        """Assigned partitions that hold the others back."""
        return frozenset(self._waiting)

    @property
    def drained(self) -> bool:
        """Nothing is held and nothing is expected."""
        return not self._heads and not self._waiting

    def release(self) -> Iterator[Held]:
        """Records in event-time order, as far as it is certain (or the limit demands)."""
        while self._heads and (not self._waiting or self.held > self._limit):
            self.forced += bool(self._waiting)
            yield self._pop()

    def _pop(self) -> Held:
        partition = heapq.heappop(self._heads)[1]
        queue = self._queues[partition]
        record = queue.popleft()
        self.held -= 1
        if queue:
            heapq.heappush(self._heads, (_order(queue[0]), partition))
        else:
            self._waiting.add(partition)
        if not isinstance(record, DeadLetter | Forget):
            self.inversions += record.at < self._last_at
            self._last_at = max(self._last_at, record.at)
        return record


def _order(record: Held) -> _Order:
    source = record.source
    # What has no time leaves as soon as it is at the head of its partition.
    at = -1 if isinstance(record, DeadLetter | Forget) else record.at
    return (at, isinstance(record, Post), source.kafka_topic, source.partition, source.offset)

"""Event-time order over several Kafka partitions (DESIGN section 6).

Kafka orders records inside a partition only. The aligner holds one queue per assigned partition and releases the lowest
`(at, interactions before posts, kafka_topic, partition, offset)` once no partition can still have a lower one: each has a record, or
was asked again after this one came and had nothing more. It reads no clock and no Kafka: the caller says when a record came and when
a partition was asked; both are moments of one clock.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from math import inf

from streams.records import DeadLetter, Forget, Interaction, Post

Held = Post | Interaction | DeadLetter | Forget
Partition = tuple[str, int]
_Order = tuple[int, int, str, int, int]
_MORE = -inf  # a partition has more than was read of it, or nobody has asked yet


class Aligner:
    """Queues of one worker; `limit` bounds the records held."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queues: dict[Partition, deque[tuple[Held, float]]] = {}
        self._heads: list[tuple[_Order, Partition]] = []
        self._asked: dict[Partition, float] = {}
        self._certain: float | None = None  # the earliest time that an empty partition was last asked at; None = not known now
        self._last_at = 0
        self.held = 0
        self.forced = 0  # released above the limit, without waiting
        self.inversions = 0  # released below a time that had been released before

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Hold these partitions and no others; what is held of those that stay is kept, and all must be asked anew."""
        self._queues = {partition: self._queues.get(partition, deque()) for partition in partitions}
        self._asked = dict.fromkeys(self._queues, _MORE)
        self._certain = None
        self._heads = [(_order(queue[0][0]), partition) for partition, queue in self._queues.items() if queue]
        heapq.heapify(self._heads)
        self.held = sum(len(queue) for queue in self._queues.values())

    def put(self, record: Held, due: float = 0.0) -> None:
        """Hold a record of an assigned partition until every partition without one has been asked at or after `due`."""
        partition = (record.source.kafka_topic, record.source.partition)
        queue = self._queues[partition]
        queue.append((record, due))
        self.held += 1
        if len(queue) == 1:
            heapq.heappush(self._heads, (_order(record), partition))
            self._certain = None

    def asked(self, partition: Partition, at: float | None) -> None:
        """A partition was asked at this time, and all that it had then has been put; None = it has more, which is on its way."""
        self._asked[partition] = _MORE if at is None else at
        self._certain = None

    @property
    def drained(self) -> bool:
        """Nothing is held, and no partition is known to have more."""
        return not self._heads and self._certain_until() > _MORE

    def release(self) -> Iterator[Held]:
        """Records in event-time order, as far as it is certain (or the limit demands)."""
        while self._heads:
            partition = self._heads[0][1]
            certain = self._queues[partition][0][1] <= self._certain_until()
            if not certain and self.held <= self._limit:
                return
            self.forced += not certain
            yield self._pop()

    def _certain_until(self) -> float:
        if self._certain is None:
            self._certain = min((self._asked[one] for one, queue in self._queues.items() if not queue), default=inf)
        return self._certain

    def _pop(self) -> Held:
        (_, partition) = self._heads[0]
        queue = self._queues[partition]
        record, _ = queue.popleft()
        self.held -= 1
        if queue:
            heapq.heapreplace(self._heads, (_order(queue[0][0]), partition))
        else:
            heapq.heappop(self._heads)
            if self._certain is not None:
                self._certain = min(self._certain, self._asked[partition])
        if not isinstance(record, DeadLetter | Forget):
            self.inversions += record.at < self._last_at
            self._last_at = max(self._last_at, record.at)
        return record


def in_order(records: Iterable[Held]) -> list[Held]:
    """Records of which no more come, each partition's in its own order, in the order that a worker meets them."""
    aligner = Aligner(limit=1 << 62)
    kept = list(records)
    partitions = {(one.source.kafka_topic, one.source.partition) for one in kept}
    aligner.assign(partitions)
    for partition in partitions:
        aligner.asked(partition, inf)
    for record in kept:
        aligner.put(record)
    return list(aligner.release())


def _order(record: Held) -> _Order:
    source = record.source
    # What has no time leaves as soon as it is at the head of its partition.
    at = -1 if isinstance(record, DeadLetter | Forget) else record.at
    return (at, isinstance(record, Post), source.kafka_topic, source.partition, source.offset)

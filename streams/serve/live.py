"""The live stream: what has arrived since the last tick, as server-sent events to everybody who looks.

A frame is encoded once and goes to a bounded queue each: whoever does not read loses frames, not our memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from streams.records import encode

_TICK_SECONDS = 0.5
_QUEUE = 8
_SHOWN = 12  # lists in one frame; the rest is only counted
_RECENT = 30

Told = tuple[dict[str, Any], int]  # a list's fields and when it was published


def frame(event: str, data: object) -> bytes:
    """One server-sent event."""
    return b"event: " + event.encode() + b"\ndata: " + encode(data) + b"\n\n"


class Live:
    """Lists are told to it, frames come out of it; `figures` gives what a frame says beside them, `curve` what only the first has.

    `short` says a list in a few words; titles are looked up then, because those of a list may arrive after it.
    """

    def __init__(
        self, short: Callable[[Told], dict[str, Any]], figures: Callable[[], dict[str, Any]],
        curve: Callable[[], list[dict[str, Any]]], limit: int,
    ) -> None:  # fmt: skip
        self._short, self._figures, self._curve, self._limit = short, figures, curve, limit
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._new: deque[Told] = deque(maxlen=_SHOWN)
        self._recent: deque[Told] = deque(maxlen=_RECENT)
        self.dropped = 0

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._queues)

    @property
    def is_full(self) -> bool:
        """Whether another stream would be one too many."""
        return len(self._queues) >= self._limit

    def told(self, one: Told) -> None:
        """A list has arrived."""
        self._new.append(one)
        self._recent.append(one)

    @contextmanager
    def stream(self) -> Iterator[asyncio.Queue[bytes]]:
        """The frames of one stream, the first one with what there is already."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)
        queue.put_nowait(frame("start", {"curve": self._curve(), **self._said(self._recent)}))
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    def _said(self, lists: Iterable[Told]) -> dict[str, Any]:
        return {"lists": [self._short(one) for one in lists], **self._figures()}

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            new, self._new = self._new, deque(maxlen=_SHOWN)
            if self._queues:
                self._send(frame("tick", self._said(new)))

    def close(self) -> None:
        """End every stream: an empty frame is its last."""
        self._send(b"")

    def _send(self, data: bytes) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
                self.dropped += 1
            queue.put_nowait(data)

"""Promises of streams/serve/live.py."""

import asyncio
from typing import Any

from streams.serve.live import Live


def _live(limit: int = 2) -> Live:
    return Live(lambda told: {"user": told[0]["user"]}, lambda: {"users": 1}, lambda: [{"events": 25}], limit)


def test_a_stream_starts_with_what_is_there_and_is_told_the_rest() -> None:
    """The first frame has the recent lists and the curve; a tick has what is new."""

    async def play() -> list[bytes]:
        live = _live()
        live.told(({"user": "ann"}, 0))
        with live.stream() as frames:
            ticking = asyncio.ensure_future(live.run())
            live.told(({"user": "bob"}, 0))
            got = [await frames.get(), await frames.get()]
            ticking.cancel()
        return got

    start, tick = asyncio.run(play())
    assert b'event: start\ndata: {"curve":[{"events":25}],"lists":[{"user":"ann"}],"users":1}\n\n' == start
    assert b'event: tick\ndata: {"lists":[{"user":"ann"},{"user":"bob"}],"users":1}\n\n' == tick


def test_who_does_not_read_loses_frames_and_holds_nobody_up() -> None:
    """A queue stays at its bound, the oldest frames are dropped and counted, and the end of the stream still arrives last."""

    async def play() -> tuple[int, int, list[bytes]]:
        live = _live()
        with live.stream() as frames:
            for _ in range(100):
                live._send(b"frame")
            live.close()
            size = frames.qsize()
            return size, live.dropped, [frames.get_nowait() for _ in range(size)]

    size, dropped, frames = asyncio.run(play())
    assert (8, 94, b"") == (size, dropped, frames[-1])


def test_streams_are_counted_and_limited() -> None:
    """At the limit `is_full` says so; a closed stream makes room."""

    async def play() -> list[Any]:
        live = _live(limit=1)
        with live.stream():
            inside = (len(live), live.is_full)
        return [inside, (len(live), live.is_full)]

    assert [(1, True), (0, False)] == asyncio.run(play())

"""The read side as one process: Kafka in, HTTP out, until a signal (DESIGN section 12)."""

import asyncio
import logging
import signal
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from streams.serve.door import listen
from streams.serve.events import Events
from streams.serve.guard import guard
from streams.serve.readside import ReadSide
from streams.serve.routes import OPEN_PATHS, Routes
from streams.settings import Settings

_logger = logging.getLogger(__name__)
_STOP_SECONDS = 2.0


async def serve(settings: Settings, labels: Mapping[int, list[str]]) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError for an address that cannot be had or must not be."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    readside, events = ReadSide(settings, labels), Events(settings)
    # Compressed bodies are refused: a few bytes may stand for gigabytes.
    runner = web.AppRunner(
        application(settings, readside, events), access_log=None, keepalive_timeout=settings.serve.request_seconds,
        lingering_time=1.0, auto_decompress=False, shutdown_timeout=_STOP_SECONDS, logger=_http_logger(),
    )  # fmt: skip
    await runner.setup()
    listening, address = await listen(runner, settings.serve, readside.telemetry)
    _logger.info("serving %s", address)
    tasks = [asyncio.ensure_future(loop()) for loop in readside.work()]
    try:
        stopped = asyncio.ensure_future(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()  # a loop ends by an error of ours only; the process then ends with it
    finally:
        listening.close()
        readside.live.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(events.stop(), _STOP_SECONDS)
        await runner.cleanup()


def application(settings: Settings, readside: ReadSide, events: Events) -> web.Application:
    """The routes behind the guard."""
    before = guard(settings.serve, readside.telemetry, OPEN_PATHS)
    app = web.Application(middlewares=[before], client_max_size=settings.serve.body_bytes)
    Routes(readside, events, settings).add_to(app)
    return app


def _http_logger() -> logging.Logger:
    """aiohttp's, but silent about clients that do not speak HTTP: they get 400, and nobody here can mend them."""
    logger = logging.getLogger("aiohttp.server")
    logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return logger

"""What stands at which path."""

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from streams.errors import BrokerError
from streams.records import InvalidRecord
from streams.serve.document import MAX_EXCLUDED, MAX_SIZE, document
from streams.serve.events import Events
from streams.serve.guard import identity
from streams.serve.readside import ReadSide
from streams.serve.replies import Refused, headers, reply, text
from streams.settings import Settings

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {"/" if file.name == "index.html" else f"/{file.name}": file for file in sorted(_PAGE.iterdir())}
OPEN_PATHS = frozenset({*_STATIC, "/healthz", "/readyz", "/openapi.json"})
_SIZE = 10  # items of a list when nobody says how many
_UNREAD_BYTES = 65_536  # some twenty frames
_WRITE_SECONDS = 15.0  # a stream whose client takes nothing for so long is closed


class Routes:
    """The handlers; each gives an answer or raises Refused."""

    def __init__(self, readside: ReadSide, events: Events, settings: Settings) -> None:
        self._readside, self._events, self._settings = readside, events, settings.serve
        self._document = document(settings.networks, settings.kafka.target, needs_token=bool(settings.serve.token_file))

    def add_to(self, app: web.Application) -> None:
        """Register every path."""
        add = app.router.add_get
        for path, file in _STATIC.items():
            add(path, _static(file.read_bytes(), _TYPES[file.suffix]))
        add("/recommendations/{user}", self.recommendations)
        add("/users/{user}", self.user)
        add("/items/{item}", self.item)
        add("/figures", self.figures)
        add("/live", self.live, allow_head=False)  # aiohttp would send the stream all the same
        add("/healthz", self.healthz)
        add("/readyz", self.readyz)
        add("/metrics", self.metrics)
        add("/openapi.json", self.openapi)
        app.router.add_post("/events/{network}", self.event)

    async def recommendations(self, request: web.Request) -> web.Response:
        """A user's list."""
        user = identity(request.match_info["user"], "user")
        if not request.query_string:
            return reply(self._readside.answers.recommendations(user, _SIZE, frozenset()))
        query = request.query
        exclude = query.getall("exclude", [])
        if len(exclude) > MAX_EXCLUDED:
            raise Refused(422, "bad-exclude", f"{len(exclude)} items to exclude; at most {MAX_EXCLUDED} are allowed")
        left_out = frozenset(identity(name, "exclude") for name in exclude)
        return reply(self._readside.answers.recommendations(user, _size(query.get("n", str(_SIZE))), left_out))

    async def user(self, request: web.Request) -> web.Response:
        """What a user's list stands on."""
        return _found(self._readside.answers.user(identity(request.match_info["user"], "user")), "user")

    async def item(self, request: web.Request) -> web.Response:
        """An item."""
        return _found(self._readside.answers.item(identity(request.match_info["item"], "item")), "item")

    async def figures(self, _: web.Request) -> web.Response:
        """Running figures."""
        return reply({**self._readside.figures(), "curve": self._readside.curve()})

    async def event(self, request: web.Request) -> web.Response:
        """Take an event to Kafka."""
        network = request.match_info["network"]
        if network not in self._events.networks:
            raise Refused(404, "unknown-network", f"events go to {', '.join(self._events.networks)}")
        value = await self._body(request)
        try:
            written = await self._events.write(network, value)
        except InvalidRecord as error:
            raise Refused(422, error.reason, str(error)) from error
        except BrokerError as error:
            raise Refused(503, "kafka", str(error)) from error
        self._readside.telemetry.produced.labels(network).inc()
        return reply(written, 202)

    async def _body(self, request: web.Request) -> bytes:
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise Refused(415, "not-json", "send Content-Type: application/json, not compressed")
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                return await request.read()
        except TimeoutError as error:
            raise Refused(408, "slow", f"no whole body within {self._settings.request_seconds:g} s") from error

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Lists and figures as they come."""
        live = self._readside.live
        if live.is_full:
            raise Refused(503, "streams", f"{len(live)} streams are open; come back later")
        response = web.StreamResponse(headers=headers("text/event-stream"))
        await response.prepare(request)
        _keep_short(request.transport)
        with live.stream() as frames:
            while data := await frames.get():
                try:
                    async with asyncio.timeout(_WRITE_SECONDS):
                        await response.write(data)
                except (TimeoutError, ConnectionError):
                    if request.transport is not None:
                        request.transport.abort()
                    break
        return response

    async def healthz(self, _: web.Request) -> web.Response:
        """Whether the process answers."""
        return text("alive")

    async def readyz(self, _: web.Request) -> web.Response:
        """Whether lists are up to date."""
        reason = self._readside.not_ready()
        return text(reason or "ready", 503 if reason else 200)

    async def metrics(self, _: web.Request) -> web.Response:
        """For Prometheus."""
        return web.Response(body=self._readside.exposition(), headers=headers(_EXPOSITION))

    async def openapi(self, _: web.Request) -> web.Response:
        """The OpenAPI document."""
        return reply(self._document)


def _keep_short(transport: asyncio.Transport | None) -> None:
    """Of a client that does not read, the kernel would keep megabytes, and its silence would show late."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)


def _static(body: bytes, content_type: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers(f"{content_type}; charset=utf-8", "no-cache"))

    return handler


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_SIZE):
        raise Refused(422, "bad-n", f"n = {text[:40]!r}; 1 to {MAX_SIZE} are allowed")
    return int(text)


def _found(answer: Mapping[str, object] | None, what: str) -> web.Response:
    if answer is None:
        raise Refused(404, f"unknown-{what}", f"nothing is known of this {what}")
    return reply(answer)

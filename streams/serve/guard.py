"""What stands before every answer: who may ask, how much, and how errors look.

Pages of other sites cannot write through a visitor's browser: an event must say `Content-Type: application/json`, which a browser
sends to another site only after asking, and on loopback only the names of loopback are answered (DNS rebinding).
"""

import hmac
import ipaddress
import logging
import time
from collections.abc import Set
from functools import cache, lru_cache
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.errors import SettingsError
from streams.records import MAX_ID_BYTES
from streams.serve.replies import Refused, refusal
from streams.serve.telemetry import ServeTelemetry
from streams.settings import ServeSettings

_logger = logging.getLogger(__name__)
_TOKEN_CHARACTERS = 16


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(settings: ServeSettings) -> str | None:
    """The token that requests must bring. Raises SettingsError beyond loopback without one, and for a file without a good one."""
    if not settings.token_file:
        if not (settings.insecure or is_loopback(settings.host)):
            raise SettingsError(
                f"serve.host = {settings.host!r} can be reached from outside; name a --token-file that every request must know, "
                "or say --insecure when something in front of it asks for one"
            )
        return None
    try:
        token = Path(settings.token_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"serve.token_file = {settings.token_file!r} cannot be read: {error}") from error
    if len(token) < _TOKEN_CHARACTERS or not token.isascii() or any(character.isspace() for character in token):
        raise SettingsError(
            f"{settings.token_file} has no token of at least {_TOKEN_CHARACTERS} ASCII characters without spaces; "
            f"`openssl rand -hex 32 > {settings.token_file}` makes one"
        )
    return token


def identity(value: str, name: str) -> str:
    """An id from a path or query, of 1 to 256 bytes. Raises Refused."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise Refused(422, "bad-id", f"{name} is not UTF-8") from error
    if not 1 <= size <= MAX_ID_BYTES:
        raise Refused(422, "bad-id", f"{name} has {size} bytes; 1 to {MAX_ID_BYTES} are allowed")
    return value


def guard(settings: ServeSettings, telemetry: ServeTelemetry, open_paths: Set[str]) -> Middleware:
    """The one middleware: admits, counts, and gives every error the same look. Raises SettingsError, see `token_of`.

    `open_paths` ask for no token: they tell nothing of anybody.
    """
    token = token_of(settings)
    only_loopback = is_loopback(settings.host)
    # Routes and statuses are few; looking a label up anew costs as much as finding a list.
    requests = cache(lambda route, status: telemetry.requests.labels(route, str(status)))
    seconds = cache(telemetry.seconds.labels)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        needed = None if route in open_paths else token
        response = await _answer(request, handler, needed, only_loopback=only_loopback)
        requests(route, response.status).inc()
        if isinstance(response, web.Response):  # a stream lasts as long as somebody looks
            seconds(route).observe(time.perf_counter() - started)
        return response

    return middleware


async def _answer(request: web.Request, handler: Handler, token: str | None, *, only_loopback: bool) -> web.StreamResponse:
    try:
        _admit(request, token, only_loopback=only_loopback)
        return await handler(request)
    except Refused as error:
        response = refusal(error.status, error.reason, str(error))
    except web.HTTPException as error:
        response = refusal(error.status, error.reason.lower().replace(" ", "-"), _MESSAGES.get(error.status, error.reason))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except ConnectionError:
        raise
    except Exception:
        _logger.exception("a request for %s failed", request.match_info.route.resource)
        response = refusal(500, "internal", "an error of ours; it stands in the log")
    if response.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _admit(request: web.Request, token: str | None, *, only_loopback: bool) -> None:
    if only_loopback and not is_loopback(_host_name(request.host)):
        raise Refused(421, "wrong-host", "this server answers to the names of loopback only")
    if token is not None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            raise Refused(401, "no-token", "send the header Authorization: Bearer TOKEN")


_MESSAGES = {
    404: "nothing is here; /openapi.json says what is",
    405: "this path takes other methods, see Allow",
    413: "the body is too large; serve.body_bytes is the limit",
}


def _host_name(host: str) -> str:
    """Without the port."""
    return host if host.endswith("]") else host.rsplit(":", 1)[0]

"""How answers look: JSON or text with the same headers on all, and errors as data."""

from aiohttp import web

from streams.records import encode

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def headers(content_type: str, cache: str = "no-store") -> dict[str, str]:
    """The headers of every answer."""
    return {**_HEADERS, "Cache-Control": cache, "Content-Type": content_type}


_JSON = headers("application/json")
_TEXT = headers("text/plain; charset=utf-8")


def reply(value: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=encode(value), status=status, headers=_JSON)


def text(body: str, status: int = 200) -> web.Response:
    """An answer of one line."""
    return web.Response(body=f"{body}\n".encode(), status=status, headers=_TEXT)


def refusal(status: int, reason: str, message: str) -> web.Response:
    """An error as every error looks."""
    return reply({"error": reason, "message": message}, status)


class Refused(Exception):
    """A request that is answered with an error: `status`, a label and a sentence."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

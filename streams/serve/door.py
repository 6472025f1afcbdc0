"""The listening socket: so many connections and no more, so that whoever opens thousands only meets a closed door."""

import asyncio

from aiohttp import web

from streams.errors import SettingsError
from streams.serve.telemetry import ServeTelemetry
from streams.settings import ServeSettings


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def listen(runner: web.AppRunner, settings: ServeSettings, telemetry: ServeTelemetry) -> tuple[asyncio.Server, str]:
    """Listen for the application of a runner; gives the socket's server and its address."""
    server = runner.server
    if server is None:
        raise RuntimeError("the runner is not set up")

    def protocol() -> asyncio.BaseProtocol:
        open_now = len(server.connections)
        telemetry.connections.set(open_now)
        return _Closed() if open_now >= settings.connections else server()

    try:
        listening = await asyncio.get_running_loop().create_server(protocol, settings.host, settings.port, backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); set serve.port to a free one"
        ) from error
    host, port = listening.sockets[0].getsockname()[:2]
    return listening, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

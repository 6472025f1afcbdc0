"""The worker's own small HTTP server: /metrics for Prometheus, /healthz and /readyz for whoever restarts things."""

from collections.abc import Callable

from aiohttp import web

from streams.errors import SettingsError
from streams.settings import WorkerSettings

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Web:
    """Serves until it is stopped; `not_ready` gives the reason or None."""

    def __init__(self, settings: WorkerSettings, exposition: Callable[[], bytes], not_ready: Callable[[], str | None]) -> None:
        self._settings = settings
        app = web.Application()

        async def metrics(_: web.Request) -> web.Response:
            return web.Response(body=exposition(), headers={"Content-Type": _EXPOSITION})

        async def healthz(_: web.Request) -> web.Response:
            return web.Response(text="alive\n")

        async def readyz(_: web.Request) -> web.Response:
            reason = not_ready()
            return web.Response(text=f"{reason or 'ready'}\n", status=503 if reason else 200)

        app.router.add_get("/metrics", metrics)
        app.router.add_get("/healthz", healthz)
        app.router.add_get("/readyz", readyz)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> str:
        """Listen; gives the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {self._settings.host}:{self._settings.port} ({error.strerror}); set worker.port to a free one"
            ) from error
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

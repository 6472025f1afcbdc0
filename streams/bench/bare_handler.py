"""The peer of the serve bench: an aiohttp handler that answers a constant and does nothing else."""

import sys

from aiohttp import web


def main() -> None:
    """Serve so many bytes of JSON on a port of loopback until killed: PORT BYTES."""
    port, size = int(sys.argv[1]), int(sys.argv[2])
    body = b'"' + b"x" * (size - 2) + b'"'

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/recommendations/{user}", handler)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()

"""`crossnet serve`: lists over HTTP, and a live page."""

import asyncio
from pathlib import Path

import click

from streams.cli.options import for_artifacts, log_options


@click.command()
@click.option("--artifacts", type=click.Path(path_type=Path), help="Folder made by `crossnet train`: networks, and words for topics.")
@click.option("--bootstrap", help="host:port of a broker.")
@click.option("--host", help="Address to listen on; beyond loopback only with --token-file or --insecure.")
@click.option("--port", type=int, help="Port to listen on; 0 = any free one.")
@click.option("--token-file", help="File with a token that every request must bring.")
@click.option("--insecure", is_flag=True, default=None, help="Listen beyond loopback without a token.")
@log_options
def command(
    artifacts: Path | None, bootstrap: str | None, host: str | None, port: int | None, token_file: str | None, *, insecure: bool | None
) -> None:
    """Serve lists from Kafka over HTTP, with a live page at /, until stopped.

    Example: crossnet serve --artifacts artifacts/congress
    """
    options = {"serve.host": host, "serve.port": port, "serve.token_file": token_file, "serve.insecure": insecure}
    settings = for_artifacts(artifacts, bootstrap, options)

    from streams.serve import labels
    from streams.serve.server import serve

    asyncio.run(serve(settings, labels.load(artifacts)))

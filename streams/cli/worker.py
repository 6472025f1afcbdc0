"""`crossnet worker`: events in, Top-K lists out, learning on the way."""

import sys
from pathlib import Path

import click

from streams.cli.options import for_artifacts, log_options, one_count_of_threads
from streams.collector import uncollected

_SWITCH_SECONDS = 0.0005


@click.command()
@click.option("--artifacts", required=True, type=click.Path(path_type=Path), help="Folder made by `crossnet train`.")
@click.option("--from", "start", default="latest", type=click.Choice(["latest", "earliest"]), help="Where a fresh group starts.")
@click.option("--bootstrap", help="host:port of a broker.")
@click.option("--port", type=int, help="Port of /metrics, /healthz and /readyz.")
@log_options
def command(artifacts: Path, start: str, bootstrap: str | None, port: int | None) -> None:
    """Read events, publish lists and learn until stopped.

    Example: crossnet worker --artifacts artifacts/congress --from earliest
    """
    settings = for_artifacts(artifacts, bootstrap, {"worker.port": port})

    one_count_of_threads(settings)
    # Torch gives the interpreter away at each of its many small operations; waiting 5 ms to get it back doubles the time of a wave.
    sys.setswitchinterval(_SWITCH_SECONDS)

    with uncollected():  # of what importing takes, it would be a fifth
        from streams.worker import Worker

        worker = Worker(artifacts, settings, earliest=start == "earliest")
    sys.exit(worker.run())

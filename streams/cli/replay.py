"""`crossnet replay`: a data folder to Kafka, or through the line without Kafka."""

import asyncio
import json
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from streams.cli.options import for_artifacts
from streams.folder import Folder


def _pace(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    del context, parameter
    if value == "max":
        return None
    try:
        pace = float(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor max") from error
    if not 0 < pace < float("inf"):
        raise click.BadParameter(f"{value} records a second; give a positive number or max")
    return pace


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--artifacts", type=click.Path(path_type=Path), help="Folder made by `crossnet train`: names the Kafka topics.")
@click.option("--split", "part", default="test", show_default=True, type=click.Choice(["train", "validation", "test", "all"]))
@click.option("--rate", default="max", show_default=True, callback=_pace, help="Records a second, or max.")
@click.option("--offline", is_flag=True, help="No Kafka: run the records through the line and print the accuracy.")
@click.option("--bootstrap", help="host:port of a broker.")
def command(data: Path, artifacts: Path | None, part: str, rate: float | None, *, offline: bool, bootstrap: str | None) -> None:
    """Send the records of DATA to Kafka in time order.

    Example: crossnet replay ../data/congress --artifacts artifacts/congress --split test --rate max
    """
    from streams import replay

    settings = for_artifacts(artifacts, bootstrap)
    folder = Folder(data)
    parts = replay.chosen(folder, part)
    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        if offline:
            if artifacts is None:
                raise click.UsageError("--offline needs --artifacts DIR")
            from streams import assemble

            line = assemble.line_of(assemble.load(artifacts, settings.line), settings)
            bar = progress.add_task("interactions", total=None)
            tally = replay.offline(line, parts, settings, lambda count: progress.advance(bar, count))
            summary: dict[str, object] = {"interactions": tally.events, **tally.means()}
        else:
            bar = progress.add_task("records", total=len(parts))
            items = asyncio.run(replay.send_items(folder, settings))
            asyncio.run(replay.to_kafka(parts, settings, rate, lambda count: progress.advance(bar, count)))
            summary = {"records": len(parts), "items": items}
    click.echo(json.dumps({**summary, "seconds": round(time.monotonic() - started, 1)}))

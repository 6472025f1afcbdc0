"""`crossnet replay`: a data folder to Kafka, or through the line without Kafka."""

import asyncio
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from streams.cli.options import bootstrap_option, for_artifacts, json_option, moment, one_count_of_threads, say
from streams.errors import DataError
from streams.folder import Folder


def _rate(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    return None if value == "max" else _positive(context, parameter, value)


def _positive(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    del context, parameter
    if value is None:
        return None
    try:
        pace = float(value.removesuffix("x"))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no number") from error
    if not 0 < pace < float("inf"):
        raise click.BadParameter(f"{value}; give a positive number")
    return pace


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--artifacts", type=click.Path(path_type=Path), help="Folder made by `crossnet train`: names the Kafka topics.")
@click.option(
    "--split", "part", type=click.Choice(["train", "validation", "test", "all"]),
    help="Which part of DATA; the last 20 % of each user (test), or all with --from or --to.",
)  # fmt: skip
@click.option("--from", "begin", callback=moment, help="Only events from this time on: 2023-03-01, 2023-03-01T12:00 or epoch ms.")
@click.option("--to", "end", callback=moment, help="Only events before this time.")
@click.option("--rate", default="max", show_default=True, callback=_rate, help="Records a second, or max.")
@click.option("--speed", callback=_positive, help="Instead of --rate: so many times the data's own pace, as in 10x.")
@click.option("--offline", is_flag=True, help="No Kafka: run the records through the line and print the accuracy.")
@bootstrap_option
@json_option
def command(
    data: Path, artifacts: Path | None, part: str | None, begin: int | None, end: int | None, rate: float | None, speed: float | None,
    *, offline: bool, bootstrap: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Send the records of DATA to Kafka in time order.

    Example: crossnet replay ../data/congress --artifacts artifacts/congress --from 2024-03-01 --to 2024-03-08 --speed 3600x
    """
    if rate is not None and speed is not None:
        raise click.UsageError("--rate and --speed exclude each other; give one")
    settings = for_artifacts(artifacts, bootstrap)
    if offline:
        one_count_of_threads(settings)
    from streams import replay

    folder = Folder(data)
    sliced = begin is not None or end is not None
    parts = replay.between(replay.chosen(folder, part or ("all" if sliced else "test")), begin, end)
    if not parts:
        raise DataError(f"no records of {data} in this slice; widen --from and --to, or choose another --split")
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
            pace = replay.at_rate(rate) if rate is not None else None
            if speed is not None:
                pace = replay.at_speed(speed, begin if begin is not None else parts[0].record.at)
            asyncio.run(replay.to_kafka(parts, settings, pace, lambda count: progress.advance(bar, count)))
            summary = {"records": len(parts), "items": items}
    say({**summary, "seconds": round(time.monotonic() - started, 1)}, as_json=as_json)

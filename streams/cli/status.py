"""`crossnet status`: workers, partitions, lag and readiness in one screen."""

import asyncio
import dataclasses
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option
from streams.errors import CrossnetError
from streams.settings import Settings
from streams.status import Place, Seen, Status, look

_SHOWN = 12  # partitions of one Kafka topic
_WIDTH = 110  # of a screen in a file or pipe


@click.command()
@click.option("--worker", "addresses", multiple=True, help="host:port of a worker's /metrics; repeatable [worker.host and port].")
@click.option("--watch", is_flag=True, help="Look again and again, until ctrl-C.")
@click.option("--every", default=2.0, type=click.FloatRange(0.1), show_default=True, help="Seconds between two looks of --watch.")
@artifacts_option
@bootstrap_option
@json_option
def command(
    addresses: Sequence[str], every: float, artifacts: Path | None, bootstrap: str | None, *, watch: bool, as_json: bool
) -> None:
    """Show who is in the group, how far each input partition is read, and what the workers say of themselves.

    Exit code 1 when a worker is not ready or nobody is in the group. With --watch --json one object a look, in a pipe one screen.

    Example: crossnet status --worker 127.0.0.1:9464 --worker 127.0.0.1:9465 --watch
    """
    settings = for_artifacts(artifacts, bootstrap)
    where = addresses or (f"{settings.worker.host}:{settings.worker.port}",)
    for one in where:
        if not one.rpartition(":")[2].isdigit():
            raise click.BadParameter(f"{one!r} is not host:port", param_hint="--worker")
    if watch:
        _watch(settings, where, every, as_json=as_json)
        return
    found = asyncio.run(look(settings, where))
    if as_json:
        click.echo(json.dumps(_facts(found)))
    else:
        Console(width=None if sys.stdout.isatty() else _WIDTH).print(_screen(found))
    sys.exit(1 if found.problems() else 0)


def _watch(settings: Settings, addresses: Sequence[str], every: float, *, as_json: bool) -> None:
    if as_json:
        while True:
            click.echo(json.dumps(_facts(asyncio.run(look(settings, addresses)))))
            time.sleep(every)
    if not sys.stdout.isatty():
        console = Console(width=_WIDTH)
        while True:
            console.print(_looked(settings, addresses))
            time.sleep(every)
    with Live(Text("looking ..."), screen=True, auto_refresh=False) as live:
        while True:
            live.update(_looked(settings, addresses), refresh=True)
            time.sleep(every)


def _looked(settings: Settings, addresses: Sequence[str]) -> Group | Text:
    """A broker that is away is something to be watched, too."""
    try:
        return _screen(asyncio.run(look(settings, addresses)))
    except CrossnetError as error:
        return Text(f"! {error}", style="red")


def _facts(found: Status) -> dict[str, object]:
    return {**dataclasses.asdict(found), "lag": found.lag, "problems": found.problems()}


def _screen(found: Status) -> Group:
    head = f"Kafka {found.bootstrap}, {found.brokers} broker(s)   group {found.group} {found.state}   lag {found.lag:,}"
    problems = [Text(f"! {one}", style="red") for one in found.problems()] or [Text("all ready", style="green")]
    return Group(Text(head, style="bold"), _members(found), _partitions(found.partitions), _workers(found.workers), *problems)


def _members(found: Status) -> Table:
    table = Table("member", "host", "partitions", title="group", title_justify="left")
    for one in found.members:
        table.add_row(escape(one.name), escape(one.host), str(one.partitions))
    return table


def _partitions(places: Sequence[Place]) -> Table:
    """One row for each Kafka topic: its partitions' lags beside each other."""
    table = Table("Kafka topic", "end", "committed", "lag", "lag by partition", title="input", title_justify="left")
    by_topic: defaultdict[str, list[Place]] = defaultdict(list)
    for one in places:
        by_topic[one.kafka_topic].append(one)
    for name, own in by_topic.items():
        lags = " ".join(f"{one.lag:,}" for one in own[:_SHOWN]) + (" ..." if len(own) > _SHOWN else "")
        total = sum(one.lag for one in own)
        table.add_row(name, f"{sum(one.end for one in own):,}", f"{sum(one.committed or 0 for one in own):,}", f"{total:,}", lags)
    return table


def _workers(workers: Sequence[Seen]) -> Table:
    """One column for each worker."""
    table = Table("worker", *(one.address for one in workers), title="workers", title_justify="left")
    table.add_row("ready", *("no" if one.not_ready else "yes" for one in workers))
    for name in dict.fromkeys(name for one in workers for name in one.figures):
        table.add_row(name.replace("_", " "), *(_figure(one.figures.get(name)) for one in workers))
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if (value == int(value) and value > 1) or value == 0 else f"{value:.3f}"

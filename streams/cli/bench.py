"""`crossnet bench`: figures, with --json one object each."""

from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table

from streams.cli.options import json_option, one_count_of_threads, say
from streams.settings import load

_SHOWN = ("fault", "times", "lost", "doubled", "well", "seconds_to_recover")  # of a fault; 80 columns hold no more


@click.group()
def command() -> None:
    """Measure this machine; every figure stands beside a peer of the same run.

    Example: crossnet bench step
    """


@command.command()
@json_option
def serve(*, as_json: bool) -> None:
    """Measure lists a second over HTTP with 100,000 users in memory, against a bare aiohttp handler.

    Example: crossnet bench serve --json
    """
    from streams.bench import serve as bench

    say(bench.run(), as_json=as_json)


@command.command()
@click.option("--preset", default="paper", show_default=True, type=click.Choice(["paper", "full"]), help="Which model.")
@json_option
def step(preset: str, *, as_json: bool) -> None:
    """Measure rank + learn at paper size: preset paper against a naive step, preset full by the number of items.

    Example: crossnet bench step --preset full --json
    """
    from streams.bench import full, step

    say(full.run() if preset == "full" else step.run(), as_json=as_json)


@command.command()
@json_option
def topics(*, as_json: bool) -> None:
    """Measure Gibbs sweeps and fold-in.

    Example: crossnet bench topics --json
    """
    from streams.bench import topics as bench

    say(bench.run(), as_json=as_json)


@command.command()
@json_option
def train(*, as_json: bool) -> None:
    """Measure one offline epoch at paper size, in both precisions, against one written plainly.

    Example: crossnet bench train --json
    """
    from streams.bench import train as bench

    say(bench.run(), as_json=as_json)


@command.command()
@click.option("--preset", default="full", show_default=True, type=click.Choice(["paper", "full"]), help="Which model.")
@click.option("--paper-size", is_flag=True, help="h=400 and 13,829 items instead of h=128 and 1,000.")
@click.option("--posts", default=40_000, show_default=True, help="In the backlog of posts.")
@click.option("--interactions", default=6_000, show_default=True, help="In the backlog of interactions.")
@click.option("--seconds", default=20, show_default=True, help="How long latency is measured.")
@json_option
def worker(preset: str, posts: int, interactions: int, seconds: int, *, paper_size: bool, as_json: bool) -> None:
    """Measure posts and interactions through Kafka, against a bare Faust agent, and latency at 100 events a second.

    Example: crossnet bench worker --json
    """
    from streams.bench import worker as bench

    say(bench.run(posts, interactions, seconds, preset=preset, paper_size=paper_size), as_json=as_json)


@command.command()
@click.option("--users", default=2_536, show_default=True, help="Users with 50 past steps at h=400.")
@json_option
def recover(users: int, *, as_json: bool) -> None:
    """Measure how soon a killed worker is ready again, and the memory of a user.

    Example: crossnet bench recover --users 100000 --json
    """
    from streams.bench import recover as bench

    say(bench.run(users), as_json=as_json)


@command.command()
@click.option("--minutes", default=60.0, show_default=True, help="How long.")
@json_option
def memory(minutes: float, *, as_json: bool) -> None:
    """Measure the worker's memory under full load, with more users than it keeps.

    Example: crossnet bench memory --minutes 10 --json
    """
    from streams.bench import memory as bench

    say(bench.run(minutes), as_json=as_json)


@command.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long; each fault strikes at least once.")
@click.option("--fault", "only", multiple=True, help="Only this one, as the table names it; may be given again.")
@json_option
def faults(minutes: float, only: tuple[str, ...], *, as_json: bool) -> None:
    """Strike the worker and the broker again and again, and compare what is left with an undisturbed run.

    Exit code 1 where something was lost, doubled, uncounted or unexplained.

    Example: crossnet bench faults --minutes 30 --json
    """
    one_count_of_threads(load())  # the audit learns again what the workers have learned

    from streams.bench import faults as bench

    found = bench.run(minutes, only)
    if as_json:
        say(found, as_json=True)
    else:
        _print_rows(found["faults"])
    if not found["well"]:
        raise SystemExit(1)


def _print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """What fits a terminal, then all that is known of what is not well."""
    table, console = Table(*(name.replace("_", " ") for name in _SHOWN)), Console()
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row[name]) for name in _SHOWN))
    console.print(table)
    for row in rows:
        if not row["well"]:
            console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items()), markup=False)

"""`crossnet model`: the versions an artifact keeps, what changed, and back to an older one."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from streams.cli.options import bootstrap_option, for_artifacts, json_option, one_count_of_threads, plain, told
from streams.connection import why
from streams.errors import ArtifactError
from streams.settings import Settings

if TYPE_CHECKING:  # torch is loaded with it, before `log` has said with how many threads
    from streams.versions import Learned, Version

_ROWS = 20  # of a log
_ARTIFACTS = click.option(
    "--artifacts", required=True, type=click.Path(path_type=Path), help="Folder made by `crossnet train`; its workers' checkpoints."
)


@click.group()
def command() -> None:
    """Show the versions of a model that are kept, compare them, go back to one.

    Example: crossnet model info --artifacts artifacts/congress
    """


@command.command()
@_ARTIFACTS
@bootstrap_option
@json_option
def info(artifacts: Path, bootstrap: str | None, *, as_json: bool) -> None:
    """List the versions kept, which of them a start would take, and HR by version from the lists that Kafka holds.

    Without Kafka only what the folder tells.

    Example: crossnet model info --artifacts artifacts/congress --json
    """
    settings = for_artifacts(artifacts, bootstrap)
    kept = _kept(artifacts)
    rows = asyncio.run(_info(kept, settings))
    if as_json:
        click.echo(json.dumps({"artifact": str(artifacts), "preset": kept[0].preset, "versions": rows}))
        return
    table = Table("version", "written", "lessons", "users", "items", "", "ranked", "HR@10", "popularity", "HR@100", "popularity")
    for one in rows:
        rates = [_rate(one.get(name)) for name in ("scored_hr@10", "popularity_hr@10", "scored_hr@100", "popularity_hr@100")]
        counts = [f"{one[name]:,}" for name in ("lessons", "users", "items")]
        marks = "live" if one["live"] else ""
        table.add_row(one["name"], told(one["written_at"]), *counts, marks, f"{one.get('events', 0):,}", *rates)
    Console(width=None if Console().is_terminal else 130).print(table)


async def _info(kept: "list[Version]", settings: Settings) -> list[dict[str, Any]]:
    rows = [
        {name: getattr(one, name) for name in ("name", "written_at", "lessons", "users", "items", "following", "ours")} for one in kept
    ]
    if await why(settings.kafka) is not None:
        return [{**row, "live": None} for row in rows]
    from streams import restore, versions

    _, end = await restore.lessons_range(settings)
    live = versions.live(kept, end)
    tallies = await versions.accuracy(kept, settings)
    return [{**row, "live": row["name"] == live.name, **versions.summary(tallies[row["name"]])} for row in rows]


@command.command()
@click.argument("one")
@click.argument("other")
@_ARTIFACTS
@json_option
def diff(one: str, other: str, artifacts: Path, *, as_json: bool) -> None:
    """Say what changed from version ONE to version OTHER: lessons, users and items, and how far each part moved.

    Example: crossnet model diff trained 340 --artifacts artifacts/congress
    """
    from streams import versions

    kept = _kept(artifacts)
    found = versions.differences(versions.named(kept, one), versions.named(kept, other))
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{found['from']} -> {found['to']}: {found['lessons']:+,} lessons")
    for kind in ("users", "items"):
        click.echo(f"{kind}: {found[kind]['new']:,} new, {found[kind]['gone']:,} gone")
    for name, moved in found["moved"].items():
        click.echo(f"  {moved:8.2%}  {name}")


@command.command()
@click.argument("version")
@_ARTIFACTS
@bootstrap_option
@json_option
def rollback(version: str, artifacts: Path, bootstrap: str | None, *, as_json: bool) -> None:
    """Go back to VERSION: the next start takes its weights, as if nothing had been learned since. Workers must be stopped.

    What the users did stays. The versions in between are kept; going back to one of them undoes this.

    Example: crossnet model rollback trained --artifacts artifacts/congress
    """
    from streams import versions

    settings = for_artifacts(artifacts, bootstrap)
    path = asyncio.run(versions.back_to(versions.named(_kept(artifacts), version), artifacts, settings))
    click.echo(json.dumps({"live": path.name}) if as_json else f"{path.name} is live from the next start on")


@command.command()
@click.option("--since", help="The version whose weights learn them again; the oldest whose later lessons Kafka still has.")
@_ARTIFACTS
@bootstrap_option
@json_option
def log(since: str | None, artifacts: Path, bootstrap: str | None, *, as_json: bool) -> None:
    """Show the lessons since a version and the loss before each update, by learning them again; at most 20 rows, all with --json.

    Example: crossnet model log --since 20001 --artifacts artifacts/congress
    """
    settings = for_artifacts(artifacts, bootstrap)
    one_count_of_threads(settings)  # that of the worker, so that it gets the same losses

    from streams import versions

    kept = _kept(artifacts)
    version = versions.named(kept, since) if since else asyncio.run(versions.oldest_complete(kept, settings))
    lessons = asyncio.run(_log(version, artifacts, settings))
    if as_json:
        for one in lessons:
            click.echo(json.dumps({"offset": one.offset, "at": one.at, "interactions": one.interactions, "loss": one.loss}))
        return
    size = max(1, -(-len(lessons) // _ROWS))
    for start in range(0, len(lessons), size):
        some = lessons[start : start + size]
        count = sum(one.interactions for one in some)
        loss = sum(one.loss * one.interactions for one in some) / count
        click.echo(f"{told(some[0].at)}  offset {some[0].offset:8,}  {len(some):6,} lessons  {count:7,} interactions  loss {loss:.4f}")
    click.echo(f"{len(lessons):,} lessons since {version.name}")


async def _log(version: "Version", artifacts: Path, settings: Settings) -> "list[Learned]":
    from model import Recommender
    from streams import versions
    from streams.assemble import name_of

    name = name_of(Recommender.load(artifacts / "model")[0])
    return [one async for one in versions.log(version, name, settings)]


def _kept(artifacts: Path) -> "list[Version]":
    from model import ModelError
    from streams import versions

    try:
        return versions.kept(artifacts)
    except ModelError as error:
        raise ArtifactError(plain(error)) from error


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

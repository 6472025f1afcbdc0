"""`crossnet dead-letters`: what could not be used, why, and once more."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from streams import dead_letters
from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option, moment, plain, told
from streams.dead_letters import Choice, Letter
from streams.records import Source
from streams.settings import Settings

_VALUE = 100  # characters of a value on its line


@click.group()
def command() -> None:
    """List, show and requeue dead letters: input records that could not be used.

    Example: crossnet dead-letters list --reason future
    """


def _choosing(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that say which letters are meant."""
    for option in reversed((
        click.option("--reason", help="Only this reason, such as not-json or future."),
        click.option("--kafka-topic", help="Only those that came from this Kafka topic."),
        click.option("--from", "begin", callback=moment, help="Only from this time on (of the letter; ISO 8601)."),
        click.option("--to", "end", callback=moment, help="Only before this time."),
        artifacts_option, bootstrap_option, json_option,
    )):  # fmt: skip
        verb = option(verb)
    return verb


@command.command(name="list")
@_choosing
@click.option("--last", "count", default=20, type=click.IntRange(0), show_default=True, help="So many of the newest, a line each.")
def list_command(
    reason: str | None, kafka_topic: str | None, begin: int | None, end: int | None, artifacts: Path | None, bootstrap: str | None,
    count: int, *, as_json: bool,
) -> None:  # fmt: skip
    """List those that are open, newest last, and how many there are of each reason; exit code 1 where there are any.

    Example: crossnet dead-letters list --reason future --from 2026-01-31
    """
    settings = for_artifacts(artifacts, bootstrap)
    letters = asyncio.run(dead_letters.open_letters(settings, Choice(reason, kafka_topic, begin, end)))
    shown = letters[max(0, len(letters) - count) :]
    if as_json:
        facts = [_facts(one) for one in shown]
        click.echo(json.dumps({"open": len(letters), "reasons": dead_letters.counts(letters), "letters": facts}))
    else:
        for one in shown:
            value = plain((one.letter.value or b"").decode("utf-8", "replace"))[:_VALUE]
            click.echo(f"{told(one.at)}  {one.place}  {one.letter.reason:14}  {one.letter.source}  {value}")
        click.echo(_summary(letters))
    sys.exit(1 if letters else 0)


@command.command()
@click.argument("place")
@artifacts_option
@bootstrap_option
@json_option
def show(place: str, artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Show the one at PLACE, as `list` names it, whole: reason, error, source, key and value.

    Example: crossnet dead-letters show dead-letters-0-17
    """
    settings = for_artifacts(artifacts, bootstrap)
    letter = asyncio.run(dead_letters.at(settings, _place(place)))
    if letter is None:
        click.echo(f"no dead letter at {place}; `crossnet dead-letters list` names those there are", err=True)
        sys.exit(1)
    facts = {**_facts(letter), "value": (letter.letter.value or b"").decode("utf-8", "replace")}
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name:8} {told(value) if name == 'at' else plain(value)}")


@command.command()
@_choosing
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--force", is_flag=True, help="Also those that today's rules would refuse again.")
def requeue(
    reason: str | None, kafka_topic: str | None, begin: int | None, end: int | None, artifacts: Path | None, bootstrap: str | None,
    *, dry_run: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Send open ones to where they came from, as they came, once their cause is mended.

    Those that today's rules would refuse again are left, unless forced; exit code 1 where some are.

    Example: crossnet dead-letters requeue --reason future --dry-run
    """
    settings = for_artifacts(artifacts, bootstrap)
    result = asyncio.run(_requeue(settings, Choice(reason, kafka_topic, begin, end), dry_run=dry_run, force=force))
    if as_json:
        click.echo(json.dumps(result))
    else:
        verb = "would be sent" if dry_run else "sent"
        click.echo(f"{result['sent']:,} {verb}, {result['left']:,} left that would be refused again")
    sys.exit(1 if result["left"] else 0)


async def _requeue(settings: Settings, choice: Choice, *, dry_run: bool, force: bool) -> dict[str, int]:
    letters = await dead_letters.open_letters(settings, choice)
    good, bad = dead_letters.readable(letters, settings, force=force)
    if good and not dry_run:
        await dead_letters.requeue(good, settings)
    return {"sent": len(good), "left": len(bad)}


def _place(text: str) -> Source:
    name, _, offset = text.rpartition("-")
    name, _, partition = name.rpartition("-")
    if not (name and partition.isdigit() and offset.isdigit()):
        raise click.BadParameter(f"{text!r} is no place such as dead-letters-0-17", param_hint="PLACE")
    return Source(name, int(partition), int(offset))


def _facts(one: Letter) -> dict[str, Any]:
    letter = one.letter
    key = None if letter.key is None else letter.key.decode("utf-8", "replace")
    return {
        "place": str(one.place), "at": one.at, "reason": letter.reason, "error": letter.error,
        "source": str(letter.source), "key": key,
    }  # fmt: skip


def _summary(letters: list[Letter]) -> str:
    each = ", ".join(f"{count:,} {reason}" for reason, count in dead_letters.counts(letters).items())
    return f"{len(letters):,} open" + (f": {each}" if each else "")

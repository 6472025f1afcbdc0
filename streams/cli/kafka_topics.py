"""`crossnet kafka-topics`: the Kafka topics of the contract."""

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

import click

from streams import acls, kafka_topics
from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option


@click.group()
def command() -> None:
    """Create or check the Kafka topics of the contract, all inputs with one partition count.

    Example: crossnet kafka-topics check --artifacts artifacts/congress
    """


@command.command()
@artifacts_option
@bootstrap_option
@json_option
def create(artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Make those that are missing; exit code 1 when one that is there differs.

    Example: crossnet kafka-topics create --artifacts artifacts/congress
    """
    settings = for_artifacts(artifacts, bootstrap)
    made = asyncio.run(kafka_topics.create(settings))
    differences = asyncio.run(kafka_topics.check(settings))
    _report(differences, f"created {', '.join(made)}" if made else "all there", {"created": made}, as_json=as_json)


@command.command()
@artifacts_option
@bootstrap_option
@json_option
def check(artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Say what differs, one line each; exit code 1 when something does.

    Example: crossnet kafka-topics check --artifacts artifacts/congress
    """
    settings = for_artifacts(artifacts, bootstrap)
    differences = asyncio.run(kafka_topics.check(settings))
    names = [one.name for one in kafka_topics.wanted(settings)]
    _report(differences, "" if differences else f"{len(names)} Kafka topics fit", {"kafka_topics": names}, as_json=as_json)


@command.command(name="acls")
@click.argument("program", type=click.Choice(sorted(acls.PROGRAMS)))
@click.option("--user", help="Whose rights [the program's name].")
@artifacts_option
@bootstrap_option
@json_option
def acls_command(program: str, user: str | None, artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Print the least that a Kafka with an authorizer must allow PROGRAM, as commands of Kafka's own tool; changes nothing.

    `replay` stands for whatever produces events, `operate` for the verbs of an operator.

    Example: crossnet kafka-topics acls worker --user crossnet-worker --artifacts artifacts/congress
    """
    settings = for_artifacts(artifacts, bootstrap)
    rules = list(acls.PROGRAMS[program](settings))
    if as_json:
        click.echo(json.dumps({"user": user or program, "acls": [dataclasses.asdict(one) for one in rules]}))
        return
    for one in rules:
        click.echo(acls.command(one, user or program, settings.kafka.bootstrap))


def _report(differences: list[str], said: str, facts: dict[str, list[str]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**facts, "differences": differences}))
    else:
        for line in filter(None, [said, *differences]):
            click.echo(line)
    if differences:
        sys.exit(1)

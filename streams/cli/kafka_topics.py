"""`crossnet kafka-topics`: the Kafka topics of the contract."""

import asyncio
import logging
import sys
from pathlib import Path

import click

from streams import kafka_topics
from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts
from streams.settings import Settings


@click.group()
def command() -> None:
    """Create or check the Kafka topics of the contract, all inputs with one partition count."""
    # Without a broker aiokafka logs each attempt; our own sentence says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@command.command()
@artifacts_option
@bootstrap_option
def create(artifacts: Path | None, bootstrap: str | None) -> None:
    """Make those that are missing; exit code 1 when one that is there differs."""
    settings = for_artifacts(artifacts, bootstrap)
    made = asyncio.run(kafka_topics.create(settings))
    click.echo(f"created {', '.join(made)}" if made else "all there")
    _report(settings)


@command.command()
@artifacts_option
@bootstrap_option
def check(artifacts: Path | None, bootstrap: str | None) -> None:
    """Say what differs, one line each; exit code 1 when something does."""
    settings = for_artifacts(artifacts, bootstrap)
    _report(settings)
    click.echo(f"{len(kafka_topics.wanted(settings))} Kafka topics fit")


def _report(settings: Settings) -> None:
    differences = asyncio.run(kafka_topics.check(settings))
    for line in differences:
        click.echo(line)
    if differences:
        sys.exit(1)

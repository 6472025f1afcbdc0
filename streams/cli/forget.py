"""`crossnet forget`: the right to be forgotten."""

import asyncio
import json
from pathlib import Path

import click

from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option
from streams.connection import producer
from streams.errors import SettingsError
from streams.records import InvalidRecord, Source, forget
from streams.settings import Settings


@click.command()
@click.argument("user")
@artifacts_option
@bootstrap_option
@json_option
def command(user: str, artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Delete USER's state, list and row in the weights.

    A record without a value goes to every input Kafka topic, so that all that was written of him before is forgotten when the
    worker has read it. Kafka drops his rows and list with the next compaction, his lessons when newer checkpoints have replaced
    all kept ones; what the input topics and `dead-letters` still hold of him leaves by their retention, and the artifact's files
    when it is trained again.

    Example: crossnet forget user0140 --artifacts artifacts/mine
    """
    try:
        forget(user.encode(), Source("", 0, 0))
    except InvalidRecord as error:
        raise SettingsError(f"{user[:80]!r} is no user: {error}") from error
    settings = for_artifacts(artifacts, bootstrap)
    asyncio.run(_send(user, settings))
    if as_json:
        click.echo(json.dumps({"user": user, "kafka_topics": settings.input_topics()}))
        return
    click.echo(f"{user} will be forgotten once the worker has read it from {', '.join(settings.input_topics())}")


async def _send(user: str, settings: Settings) -> None:
    async with producer(settings.kafka) as client:
        for name in settings.input_topics():
            await client.send_and_wait(name, None, key=user.encode())

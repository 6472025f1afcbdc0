"""`crossnet broker`: a local single-node Apache Kafka."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from streams.broker import DEFAULT_PORT, Broker, Status
from streams.cli.options import json_option
from streams.kafka_jars import DEFAULT_DIR

_PATH = click.Path(path_type=Path, file_okay=False)
_DIR = click.option("--dir", "directory", type=_PATH, default=DEFAULT_DIR, help="Its folder [.crossnet/kafka of the checkout].")
_PORT = click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="Its port; 0 = any free one."
)


@click.group()
def command() -> None:
    """A local single-node Apache Kafka, loopback only. With CROSSNET_BOOTSTRAP set, that broker is used and none is started.

    Example: crossnet broker up
    """


@command.command()
@_DIR
@_PORT
@click.option("--fresh", is_flag=True, help="Delete its data first.")
@json_option
def up(directory: Path, port: int, *, fresh: bool, as_json: bool) -> None:
    """Start it, wait until it answers, print its address.

    Example: crossnet broker up --port 9092 --fresh
    """
    broker = Broker(directory, port)
    broker.up(fresh=fresh)
    _show(broker.status(), as_json=as_json)


@command.command()
@_DIR
@_PORT
@json_option
def status(directory: Path, port: int, *, as_json: bool) -> None:
    """Say whether it runs: exit code 0 when it does, 1 when not.

    Example: crossnet broker status
    """
    found = Broker(directory, port).status()
    _show(found, as_json=as_json)
    sys.exit(0 if found.running else 1)


@command.command()
@_DIR
@json_option
def down(directory: Path, *, as_json: bool) -> None:
    """Stop it; its data stays.

    Example: crossnet broker down
    """
    ran = Broker(directory).down()
    click.echo(json.dumps({"stopped": ran}) if as_json else "stopped" if ran else "no broker ran")


def _show(status: Status, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(status)))
        return
    whose = f"pid {status.pid}" if status.pid is not None else "not started here"
    click.echo(f"running {status.bootstrap} ({whose})" if status.running else f"stopped {status.bootstrap}")

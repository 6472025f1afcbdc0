"""`crossnet broker`: a local single-node Apache Kafka."""

import sys
from pathlib import Path

import click

from streams.broker import DEFAULT_DIR, DEFAULT_PORT, Broker, Status

_PATH = click.Path(path_type=Path, file_okay=False)
_DIR = click.option("--dir", "directory", type=_PATH, default=DEFAULT_DIR, help="Its folder [.crossnet/kafka of the checkout].")
_PORT = click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="Its port; 0 = any free one."
)


@click.group()
def command() -> None:
    """A local single-node Apache Kafka, loopback only. With CROSSNET_BOOTSTRAP set, that broker is used and none is started."""


@command.command()
@_DIR
@_PORT
@click.option("--fresh", is_flag=True, help="Delete its data first.")
def up(directory: Path, port: int, *, fresh: bool) -> None:
    """Start it, wait until it answers, print its address."""
    broker = Broker(directory, port)
    broker.up(fresh=fresh)
    click.echo(_line(broker.status()))


@command.command()
@_DIR
@_PORT
def status(directory: Path, port: int) -> None:
    """Say whether it runs: exit code 0 when it does, 1 when not."""
    found = Broker(directory, port).status()
    click.echo(_line(found))
    sys.exit(0 if found.running else 1)


@command.command()
@_DIR
def down(directory: Path) -> None:
    """Stop it; its data stays."""
    click.echo("stopped" if Broker(directory).down() else "no broker ran")


def _line(status: Status) -> str:
    whose = f"pid {status.pid}" if status.pid is not None else "not started here"
    return f"running {status.bootstrap} ({whose})" if status.running else f"stopped {status.bootstrap}"

"""`crossnet bench`: figures, one JSON line each."""

import json

import click


@click.group()
def command() -> None:
    """Measure this machine; every figure stands beside a peer of the same run.

    Example: crossnet bench step
    """


@command.command()
def serve() -> None:
    """Measure lists a second over HTTP with 100,000 users in memory, against a bare aiohttp handler."""
    from streams.bench import serve as bench

    click.echo(json.dumps(bench.run()))


@command.command()
def step() -> None:
    """Measure rank + learn at paper size, against a naive step."""
    from streams.bench import step as bench

    click.echo(json.dumps(bench.run()))


@command.command()
def topics() -> None:
    """Measure Gibbs sweeps and fold-in."""
    from streams.bench import topics as bench

    click.echo(json.dumps(bench.run()))


@command.command()
def train() -> None:
    """Measure one offline epoch at paper size, in both precisions of the output layer."""
    from streams.bench import train as bench

    click.echo(json.dumps(bench.run()))


@command.command()
def worker() -> None:
    """Measure posts and interactions through Kafka, against a bare Faust agent."""
    from streams.bench import worker as bench

    click.echo(json.dumps(bench.run()))

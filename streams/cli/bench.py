"""`crossnet bench`: figures, with --json one object each."""

import click

from streams.cli.options import json_option, say


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
@json_option
def step(*, as_json: bool) -> None:
    """Measure rank + learn at paper size, against a naive step.

    Example: crossnet bench step --json
    """
    from streams.bench import step as bench

    say(bench.run(), as_json=as_json)


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
    """Measure one offline epoch at paper size, in both precisions of the output layer.

    Example: crossnet bench train --json
    """
    from streams.bench import train as bench

    say(bench.run(), as_json=as_json)


@command.command()
@json_option
def worker(*, as_json: bool) -> None:
    """Measure posts and interactions through Kafka, against a bare Faust agent.

    Example: crossnet bench worker --json
    """
    from streams.bench import worker as bench

    say(bench.run(), as_json=as_json)

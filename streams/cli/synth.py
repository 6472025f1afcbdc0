"""`crossnet synth`: a seeded synthetic world as a data folder."""

from pathlib import Path

import click

from streams.cli.options import json_option, say
from streams.synth import World, write

_NORMAL = World()


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--users", default=_NORMAL.users, show_default=True, help="How many people.")
@click.option("--items", default=_NORMAL.items, show_default=True, help="How many items.")
@click.option("--days", default=_NORMAL.days, show_default=True, help="How long.")
@click.option("--interactions", default=_NORMAL.interactions, show_default=True, help="Of one user, on average.")
@click.option("--seed", default=_NORMAL.seed, show_default=True, help="Which world; the same seed gives the same bytes.")
@json_option
def command(out: Path, users: int, items: int, days: int, interactions: int, seed: int, *, as_json: bool) -> None:
    """Write a synthetic world to OUT: posts, events and items, a file each.

    Example: crossnet synth world --users 200 --seed 7
    """
    written = write(World(users=users, items=items, seed=seed, days=days, interactions=interactions), out)
    say({"out": str(out), "posts": written.posts, "interactions": written.events, "items": written.items}, as_json=as_json)

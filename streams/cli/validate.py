"""`crossnet validate`: all that is wrong with a data folder."""

import json
import sys
from pathlib import Path

import click

from streams.folder import Folder
from streams.validation import validate

_SHOWN = 100


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all problems and notes.")
def command(data: Path, *, as_json: bool) -> None:
    """List what is wrong with DATA, with line numbers and remedies; exit code 1 where there is something.

    Example: crossnet validate ../data/congress
    """
    found = validate(Folder(data))
    if as_json:
        click.echo(json.dumps({**found.counts, "problems": found.problems, "notes": found.notes}))
    else:
        for problem in found.problems[:_SHOWN]:
            click.echo(f"problem: {problem}")
        if len(found.problems) > _SHOWN:
            click.echo(f"... and {len(found.problems) - _SHOWN} more; --json lists all")
        for note in found.notes:
            click.echo(f"note: {note}")
        click.echo(", ".join(f"{count:,} {name}" for name, count in found.counts.items()))
    sys.exit(1 if found.problems else 0)

"""`crossnet doctor`: what this machine and this Kafka lack."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from streams import doctor
from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option

_SIGNS = {doctor.OK: ("ok", "green"), doctor.WARNING: ("warning", "yellow"), doctor.PROBLEM: ("problem", "red")}


@click.command()
@artifacts_option
@bootstrap_option
@json_option
def command(artifacts: Path | None, bootstrap: str | None, *, as_json: bool) -> None:
    """Look at Java, Maven, Docker, ports, disk, Kafka's version and topics, the producers' partitioner and clocks; name remedies.

    Exit code 1 where there is a problem; a warning is none.

    Example: crossnet doctor --artifacts artifacts/congress
    """
    findings = doctor.run(for_artifacts(artifacts, bootstrap), artifacts)
    problems = sum(one.state == doctor.PROBLEM for one in findings)
    if as_json:
        click.echo(json.dumps({"problems": problems, "findings": [dataclasses.asdict(one) for one in findings]}))
    else:
        for one in findings:
            word, colour = _SIGNS[one.state]
            click.echo(f"{click.style(f'{word:8}', fg=colour)} {one.what}: {one.said}")
            if one.remedy:
                click.echo(f"         -> {one.remedy}")
        click.echo("no problem" if not problems else f"{problems} problem{'s' * (problems > 1)}")
    sys.exit(1 if problems else 0)

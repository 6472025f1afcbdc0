"""The console script `crossnet`: one verb a file, imported only when it is called.

Importing torch takes seconds; `crossnet broker status` must not pay for it.
"""

import logging
import os
import sys
from importlib import import_module

import click

from streams.errors import CrossnetError

_VERBS = {
    "bench": ("streams.cli.bench", "Measure; one JSON line each."),
    "broker": ("streams.cli.broker", "A local single-node Apache Kafka."),
    "completion": ("streams.cli.completion", "Verbs and options completed by the shell."),
    "dead-letters": ("streams.cli.dead_letters", "What could not be used, why, and once more."),
    "doctor": ("streams.cli.doctor", "What this machine and this Kafka lack, with remedies."),
    "evaluate": ("streams.cli.evaluate", "Compare all systems on a data folder, by the paper's protocol."),
    "demo": ("streams.cli.demo", "The whole line on a synthetic world."),
    "forget": ("streams.cli.forget", "Delete what is known of a user."),
    "kafka-topics": ("streams.cli.kafka_topics", "Create or check the Kafka topics of the contract."),
    "model": ("streams.cli.model", "Versions kept, what changed, and back to an older one."),
    "replay": ("streams.cli.replay", "Send a data folder to Kafka, or run it offline."),
    "serve": ("streams.cli.serve", "Lists over HTTP, and a live page."),
    "status": ("streams.cli.status", "Workers, partitions, lag and readiness in one screen."),
    "tail": ("streams.cli.tail", "Lists and posts as they are on Kafka, readable."),
    "synth": ("streams.cli.synth", "Write a seeded synthetic data folder."),
    "topics": ("streams.cli.topics", "Fit, show and use Twitter-LDA topics."),
    "train": ("streams.cli.train", "Fit topics and model on a data folder."),
    "tune": ("streams.cli.tune", "Search hyper-parameters on the validation part."),
    "validate": ("streams.cli.validate", "List what is wrong with a data folder."),
    "worker": ("streams.cli.worker", "Events in, Top-K lists out, learning on the way."),
}


class _Verbs(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _VERBS:
            return None
        module = import_module(_VERBS[cmd_name][0])
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_VERBS.items())])


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crossnet")
def crossnet() -> None:
    """Online recommendation across social networks."""


def main() -> None:
    """Run the console script: a named error is one sentence on stderr and exit code 2."""
    # OpenMP's threads spin while they wait, which makes torch ten times slower on a busy machine. Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # aiokafka logs every attempt while a broker is away, thousands of lines; what comes of it is said once, by us.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        crossnet(standalone_mode=False)
    except CrossnetError as error:
        click.echo(f"crossnet: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("crossnet: stopped", err=True)
        sys.exit(130)

"""`crossnet completion`: verbs and options completed by the shell."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_CROSSNET_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what SHELL needs to complete verbs and options; bash 4.4 or newer.

    Example: crossnet completion bash > ~/.local/share/bash-completion/completions/crossnet
    """
    from streams.cli import crossnet

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(crossnet, {}, "crossnet", _VARIABLE).source())

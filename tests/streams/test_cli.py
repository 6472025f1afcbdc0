"""Every verb explains itself, with an example that it would accept, and speaks JSON."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli import crossnet
from tests.readme import commands

# They run until stopped and log JSON with --log-format; this one answers every line in JSON; this one prints a script.
_WITHOUT_JSON = {("worker",), ("serve",), ("topics", "infer"), ("completion",)}


def _verbs(command: click.Command = crossnet, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All verbs with their groups, as words."""
    if path:
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _verbs(found, (*path, name))


def _understood(line: str) -> click.Context:
    """Parse a command line as the console script would, without running it; click raises what it does not understand."""
    before_pipe = re.split(r"\s[|>#&]|\s2>", line)[0]
    words = shlex.split(before_pipe)[1:]
    command: click.Command = crossnet
    context = click.Context(crossnet)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"no such verb: {line}"
        command = found
    return command.make_context(command.name, words)


@pytest.mark.parametrize("path", list(_verbs()), ids=" ".join)
def test_help_explains_with_an_example(path: tuple[str, ...]) -> None:
    """`--help` works, has an example of this very verb, and the example is one that the verb accepts."""
    result = CliRunner().invoke(crossnet, [*path, "--help"], terminal_width=300)
    assert 0 == result.exit_code, result.output
    (example,) = re.findall(r"Example: (.*)", result.output)
    command = example[example.index("crossnet ") :]
    assert command.startswith(f"crossnet {' '.join(path)}")
    _understood(command)


def test_torch_is_loaded_once_threads_are_counted() -> None:
    """A verb that learns as the worker does says with how many threads before torch is loaded, so importing it must not load torch."""
    program = "import sys; from streams.cli import bench, model, replay, worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "False" == done.stdout.strip()


def test_a_log_is_learned_with_the_workers_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`model log` counts threads as the worker does, before it looks for versions."""
    for library in ("OMP", "MKL", "OPENBLAS"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "7")
    CliRunner().invoke(crossnet, ["model", "log", "--artifacts", str(tmp_path)])
    assert {"1"} == {os.environ[f"{library}_NUM_THREADS"] for library in ("OMP", "MKL", "OPENBLAS")}


@pytest.mark.parametrize("path", [one for one in _verbs() if one not in _WITHOUT_JSON], ids=" ".join)
def test_json_for_programs(path: tuple[str, ...]) -> None:
    """Every verb that prints something has --json."""
    command: click.Command = crossnet
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    if not isinstance(command, click.Group):
        assert "--json" in {option for one in command.params for option in one.opts}


@pytest.mark.parametrize("line", [one for one in commands() if one.startswith("crossnet ")])
def test_the_readme_shows_what_is_understood(line: str) -> None:
    """Each command of the README has a verb, options and arguments that exist."""
    _understood(line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    """The script for each shell names the console script and asks it."""
    result = CliRunner().invoke(crossnet, ["completion", shell])
    assert (0, True) == (result.exit_code, "_CROSSNET_COMPLETE" in result.output)


def test_the_shell_completes_verbs() -> None:
    """Asked as the script of bash asks, `crossnet dead` is completed."""
    words = {"_CROSSNET_COMPLETE": "bash_complete", "COMP_WORDS": "crossnet dead", "COMP_CWORD": "1"}
    program = "import sys; sys.argv = ['crossnet']; from streams.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=words, capture_output=True, text=True, check=False)
    assert "plain,dead-letters" == done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["nonsense"], 2), (["replay"], 2), (["broker", "status", "--dir", "/nonexistent"], 1), (["--version"], 0)]
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    """0 is well, 1 is that something is not as it should be, 2 is that the command cannot be carried out."""
    program = f"import sys; sys.argv = ['crossnet', *{arguments!r}]; from streams.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["train", "evaluate"])
@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_at_once(verb: str, device: str) -> None:
    """Before the data are looked at, with its name and what to give instead."""
    done = CliRunner().invoke(crossnet, [verb, "no-data", "--out", "made", "--device", device])
    assert 2 == done.exit_code
    assert f"'{device}' cannot be used here" in done.output

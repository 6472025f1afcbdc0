"""Options that several verbs share, and the settings they lead to."""

import functools
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ParamSpec

import click

from streams import logs
from streams.errors import ArtifactError
from streams.kafka_jars import ROOT
from streams.records import InvalidRecord, epoch_ms
from streams.settings import Settings, load

SETTINGS_FILE = ROOT / "deploy" / "settings.toml"

artifacts_option = click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    help="What `crossnet train --out` wrote; its networks and partitions are taken.",
)
bootstrap_option = click.option("--bootstrap", help="host:port of the broker.")


def for_artifacts(artifacts: Path | None, bootstrap: str | None = None, options: Mapping[str, Any] | None = None) -> Settings:
    """Settings of a verb: defaults, `deploy/settings.toml`, the artifact's `settings.toml`, environment, options.

    The artifact comes after the file, because what it was trained on decides which networks there are.
    Raises ArtifactError for a folder that is not there, SettingsError for a wrong setting.
    """
    files = [SETTINGS_FILE] if SETTINGS_FILE.exists() else []
    if artifacts is not None:
        if not artifacts.is_dir():
            raise ArtifactError(f"no artifact {artifacts}; make one with `crossnet train DATA --out {artifacts}`")
        own = artifacts / "settings.toml"
        files += [own] if own.exists() else []
    return load(*files, options={**(options or {}), "kafka.bootstrap": bootstrap})


def one_count_of_threads(settings: Settings) -> None:
    """Have weights learned with `worker.threads` threads in every thread of this process; torch must not be loaded yet.

    Sums over other parts differ in their last bits, and torch's own setting holds for the thread alone that makes it.
    """
    for library in ("OMP", "MKL", "OPENBLAS"):
        os.environ[f"{library}_NUM_THREADS"] = str(settings.worker.threads)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object (or one a line), for programs.")

_P = ParamSpec("_P")


def log_options(verb: Callable[_P, None]) -> Callable[_P, None]:
    """How a long-running verb logs, set up before it begins."""

    @click.option("--log-format", type=click.Choice(logs.FORMATS), default="text", envvar="CROSSNET_LOG_FORMAT", show_default=True)
    @click.option(
        "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", envvar="CROSSNET_LOG_LEVEL",
        show_default=True, help="Of crossnet's own lines; at info there is none for each event.",
    )
    @click.option("--log-users", is_flag=True, envvar="CROSSNET_LOG_USERS", help="Write user ids as they are, not as hashes.")
    @functools.wraps(verb)
    def with_logs(*args: Any, log_format: str, log_level: str, log_users: bool, **options: Any) -> None:  # noqa: ANN401 - click's
        logs.configure(log_format, log_level, users=log_users)
        verb(*args, **options)

    return with_logs  # type: ignore[return-value] # three options more than the verb has


def say(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a verb found: one JSON object, or its figures in one readable line."""
    if as_json:
        click.echo(json.dumps(result))
    else:
        for name, value in result.items():
            if isinstance(value, Mapping):
                click.echo(f"{name}: {_figures(value)}")
        click.echo(_figures({name: value for name, value in result.items() if not isinstance(value, Mapping)}))


def _figures(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {_readable(value)}" for name, value in values.items())


def _readable(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def moment(_: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """An option's ISO 8601 (UTC unless it says) or epoch milliseconds, as epoch milliseconds."""
    del parameter
    if value is None:
        return None
    try:
        return int(value) if value.isdigit() and len(value) > 4 else epoch_ms(value)
    except InvalidRecord as error:
        raise click.BadParameter(f"{value!r} is no time; give 2023-03-01, 2023-03-01T12:00 or epoch milliseconds") from error


def a_device(_: click.Context, parameter: click.Parameter, value: str) -> str:
    """A device that torch has here. Torch is loaded for another than the processor alone: it must not be before threads are set."""
    del parameter
    if value == "cpu":
        return value
    import torch

    try:
        torch.empty(0, device=value)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built for the processor alone
        said = str(error).split(". ")[0]
        raise click.BadParameter(f"{value!r} cannot be used here: {said}; give cpu, or a device that this machine has") from error
    return value


def told(at: int) -> str:
    """Epoch milliseconds for people."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(at)


def plain(value: object) -> str:
    """Text from events on a terminal: shown, but no control sequence of it obeyed."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(value))

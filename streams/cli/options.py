"""Options that several verbs share, and the settings they lead to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from streams.broker import ROOT
from streams.errors import ArtifactError
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

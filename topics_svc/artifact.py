"""A fitted model on disk: DIR/topics.safetensors (arrays) and DIR/topics.json (words, configuration, checksums). No pickle.

Written to a neighbouring directory first and renamed, so that a reader finds the old artifact or the new one, never half of one.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from topics_svc import tokens
from topics_svc.errors import ArtifactError

FORMAT, VERSION = "topics_svc", 1
ARRAYS, TEXT = "topics.safetensors", "topics.json"
Arrays = dict[str, NDArray[Any]]


def fingerprint(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, object]) -> str:
    """16 hex digits of everything that decides an inference: arrays, words, priors, and the tokenizer's version."""
    digest = hashlib.sha256(_canonical({**about, "tokenizer": tokens.VERSION}))
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def write(path: Path, arrays: Arrays, about: Mapping[str, object]) -> None:
    """Write an artifact, in place of the one at `path` if there is one.

    Raises ArtifactError where `path` is something else, OSError where the disk refuses.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and ((path / TEXT).exists() or not any(path.iterdir()))):
        raise ArtifactError(f"{path} exists and is no topics artifact; choose another place or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        packed = safetensors.numpy.save(arrays)
        stamp = {"format": FORMAT, "version": VERSION, "tokenizer": tokens.VERSION, "sha256": hashlib.sha256(packed).hexdigest()}
        body = {**about, **stamp}
        text = json.dumps({"checksum": hashlib.sha256(_canonical(body)).hexdigest(), **body}, ensure_ascii=False, indent=1)
        _write_through(fresh / ARRAYS, packed)
        _write_through(fresh / TEXT, text.encode())
        fresh.chmod(0o755)  # mkdtemp gives 0700; an artifact is read by other accounts
        _replace(path, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_through(file: Path, content: bytes) -> None:
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _replace(path: Path, fresh: Path) -> None:
    """Rename onto `path`; a directory with content cannot be renamed over, so the old one steps aside first."""
    if not path.exists():
        fresh.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and description of a whole, unaltered artifact; ArtifactError in one sentence otherwise."""
    path = Path(path)
    about = _read_text(path)
    if about.get("format") != FORMAT:
        raise ArtifactError(f"{path / TEXT} has format {about.get('format')!r}, not {FORMAT!r}; name what a topics fit wrote")
    version, tokenizer = about.get("version"), about.get("tokenizer")
    if version != VERSION:
        raise ArtifactError(f"{path} has version {version!r}, this program reads {VERSION}; use the one that wrote it or fit again")
    if tokenizer != tokens.VERSION:
        raise ArtifactError(f"{path} was made with tokenizer {tokenizer!r}, this program has {tokens.VERSION}: fit again")
    checksum = about.pop("checksum", None)
    if checksum != hashlib.sha256(_canonical(about)).hexdigest():
        raise ArtifactError(f"{path / TEXT} was altered (its checksum differs); copy the artifact again or fit again")
    return _read_arrays(path / ARRAYS, str(about.get("sha256"))), about


def _read_text(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise ArtifactError(f"no topics artifact at {path}; fit one first")
    try:
        about = json.loads((path / TEXT).read_bytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} has no {TEXT}; name a directory written by a topics fit") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path / TEXT} cannot be read ({error}); copy the artifact again or fit again") from error
    if not isinstance(about, dict):
        raise ArtifactError(f"{path / TEXT} is a JSON {type(about).__name__}; name a directory written by a topics fit")
    return about


def _read_arrays(file: Path, sha256: str) -> Arrays:
    try:
        packed = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file} cannot be read ({error}); copy the artifact again or fit again") from error
    if hashlib.sha256(packed).hexdigest() != sha256:
        raise ArtifactError(f"{file} is truncated or was altered (its checksum differs); copy the artifact again or fit again")
    try:
        return safetensors.numpy.load(packed)
    except SafetensorError as error:
        raise ArtifactError(f"{file} is no safetensors file ({error}); fit again") from error


def _canonical(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

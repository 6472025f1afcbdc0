"""Checkpoints: a folder of two files, written at once or not at all.

    tensors.safetensors   weights, moments, sums, popularity
    model.json            format, config, names of rows, counts, the caller's extra facts, checksums of both files
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from model.config import ModelConfig
from model.errors import CheckpointError, ModelError

_KIND, _FORMAT = "crossnet model", 1
_TENSORS, _FACTS = "tensors.safetensors", "model.json"
Extra = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class State:
    """All there is to a recommender: config, tensors by name, and plain facts."""

    config: ModelConfig
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def fingerprint(self) -> str:
        """SHA-256 over everything, in hex."""
        digest = hashlib.sha256(_json({"config": dataclasses.asdict(self.config), "facts": self.facts}))
        for name, tensor in sorted(self.tensors.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def write(folder: Path, state: State, extra: Mapping[str, str | int]) -> None:
    """Write a state to `folder`, which appears complete or stays as it was."""
    tensors = save({name: tensor.contiguous().clone() for name, tensor in state.tensors.items()})
    content = {"config": dataclasses.asdict(state.config), "facts": state.facts, "extra": dict(extra)}
    head = {"kind": _KIND, "format": _FORMAT, "sha256": {_TENSORS: _sha(tensors), "content": _sha(_json(content))}}
    partial, old = (folder.with_name(f".{folder.name}.{word}") for word in ("partial", "old"))
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        _write_through(partial / _TENSORS, tensors)
        _write_through(partial / _FACTS, _json({**head, "content": content}))
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)  # a full disk must not become fuller with each try
        raise
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def read(folder: Path) -> tuple[State, Extra]:
    """The state in `folder` and its extra facts; CheckpointError when it is missing, broken, newer or foreign."""
    try:
        facts, tensors = (folder / _FACTS).read_bytes(), (folder / _TENSORS).read_bytes()
    except OSError as error:
        raise CheckpointError(f"no checkpoint can be read in {folder} ({error.strerror}); give a folder that `save` wrote") from error
    head = _head(folder, facts)
    content = head["content"]
    if head["sha256"] != {_TENSORS: _sha(tensors), "content": _sha(_json(content))}:
        raise CheckpointError(f"the checkpoint in {folder} is cut or altered; use an older one")
    try:
        listed = {name: tuple(value) for name, value in content["config"].items() if isinstance(value, list)}
        config = ModelConfig(**{**content["config"], **listed})
        # Copies, because torch aligns its own memory and a file's bytes lie anywhere.
        return State(config, {name: one.clone() for name, one in load(tensors).items()}, content["facts"]), content["extra"]
    except (SafetensorError, TypeError, KeyError, ModelError) as error:
        raise CheckpointError(f"the checkpoint in {folder} does not fit this program ({error}); use the one that wrote it") from error


def extra_of(folder: Path) -> Extra:
    """The extra facts alone, without reading tensors; CheckpointError when they cannot be read."""
    try:
        found: Extra = _head(folder, (folder / _FACTS).read_bytes())["content"]["extra"]
    except (OSError, KeyError, TypeError) as error:
        raise CheckpointError(f"no checkpoint can be read in {folder} ({error!r}); give a folder that `save` wrote") from error
    return found


def _head(folder: Path, facts: bytes) -> dict[str, Any]:
    try:
        head = json.loads(facts)
    except ValueError as error:
        raise CheckpointError(f"{folder / _FACTS} is cut or altered ({error}); use an older checkpoint") from error
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise CheckpointError(f"{folder} holds something else than a {_KIND}; give a folder that `save` wrote")
    if head.get("format") != _FORMAT:
        raise CheckpointError(
            f"the checkpoint in {folder} has format {head.get('format')}, this program reads {_FORMAT}; use the newer one"
        )
    if not {"sha256", "content"} <= head.keys():
        raise CheckpointError(f"{folder / _FACTS} lacks its checksums or content; use an older checkpoint")
    return head


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

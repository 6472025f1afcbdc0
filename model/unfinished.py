"""An offline fit in one safetensors file after every epoch, so that a stopped one goes on to the very same result."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.config import ModelConfig
from model.errors import CheckpointError
from model.step import Step
from model.trainer import Best, Trainer

_FORMAT = "crossnet fit 2"
_STATE = ("step", "exp_avg", "exp_avg_sq")


def made_from(steps: Sequence[Mapping[str, Sequence[tuple[Step, str]]]], config: ModelConfig, *settings: object) -> str:
    """Hash of all that decides the result of a fit."""
    digest = hashlib.sha256(json.dumps([asdict(config), *map(str, settings)]).encode())
    for part in steps:
        for user, own in part.items():
            digest.update(json.dumps([user, [item for _, item in own], [step.g for step, _ in own]]).encode())
            for step, _ in own:
                digest.update(step.x_M.tobytes())
    return digest.hexdigest()


def save(file: Path, trainer: Trainer, best: Best, epoch: int, source: str) -> None:
    """Write it, atomically."""
    tensors = {f"rng.{name}": one.get_state() for name, one in (("order", trainer.order), ("dropped", trainer.dropped))}
    for name, parameter in trainer.network.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach()
        tensors |= {f"{key}.{name}": value for key, value in trainer.adam.state[parameter].items() if isinstance(value, Tensor)}
    for name, values in best.tensors.items():
        tensors |= {f"best{place}.{name}": value for place, value in enumerate(values)}
    about = {"of": source, "epoch": epoch, "best_epoch": best.epoch, "best_score": best.score, "best_updates": best.updates}
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    whole = {name: one.contiguous().to("cpu", copy=True) for name, one in tensors.items()}
    save_file(whole, fresh, {"format": _FORMAT, "about": json.dumps(about)})
    fresh.replace(file)


def load(file: Path, trainer: Trainer, source: str) -> tuple[Best, int]:
    """Put a saved state into a trainer; gives best and last epoch. CheckpointError for a file of another fit, or a damaged one."""
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dictionary
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}); remove it to start anew") from error
    about = json.loads(metadata.get("about", "{}"))
    if metadata.get("format") != _FORMAT or about.get("of") != source:
        raise CheckpointError(f"{file} is of another fit; give the same data and options, or remove it to start anew")
    trainer.order.set_state(tensors["rng.order"])
    trainer.dropped.set_state(tensors["rng.dropped"])
    names = [name for name, _ in trainer.network.named_parameters()]
    with torch.no_grad():
        for name, parameter in trainer.network.named_parameters():
            parameter.copy_(tensors[f"weight.{name}"])
    state = {place: {key: tensors[f"{key}.{name}"] for key in _STATE} for place, name in enumerate(names)}
    # Torch puts each where the device wants it, the counts too.
    trainer.adam.load_state_dict({"state": state, "param_groups": trainer.adam.state_dict()["param_groups"]})
    kept = {name: (tensors[f"best0.{name}"], tensors[f"best1.{name}"]) for name in names}
    score = (float(about["best_score"][0]), float(about["best_score"][1]))
    return Best(score, about["best_epoch"], kept, about["best_updates"]), about["epoch"]

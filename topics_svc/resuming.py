"""The state of an unfinished fit in one safetensors file, so that a stopped one goes on to the very same result."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from topics_svc import tokens
from topics_svc.errors import ArtifactError
from topics_svc.fitting import Chain
from topics_svc.gibbs import Priors

_FORMAT = "topics_svc chain 1"


def save(path: Path, chain: Chain) -> None:
    """Write the chain's state, atomically."""
    counts, mean = chain.sampler.counts, chain.mean
    arrays: dict[str, NDArray[Any]] = {
        "z_D": counts.z_D, "y_N": counts.y_N, "n_VK": mean.n_VK, "b_V": mean.b_V, "posts_K": mean.posts_K,
    }  # fmt: skip
    about = {
        "of": _fingerprint(chain), "bits": chain.sampler.bits.state, "priors": asdict(chain.sampler.priors),
        "likelihoods": chain.likelihoods, "last": chain.last, "averaged": mean.sweeps,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    safetensors.numpy.save_file(arrays, fresh, {"format": _FORMAT, "about": json.dumps(about)})
    fresh.replace(path)


def load(path: Path, chain: Chain) -> None:
    """Put a saved state into a chain of the same posts and configuration; ArtifactError where it is of others, or damaged."""
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); remove it to start anew") from error
    if metadata.get("format") != _FORMAT:
        raise ArtifactError(f"{path} is no unfinished fit of this version; choose another file, or remove it to start anew")
    about = json.loads(metadata["about"])
    if about["of"] != _fingerprint(chain):
        raise ArtifactError(f"{path} is of other posts or another configuration; give the same ones, or remove it to start anew")
    chain.sampler.start(arrays["z_D"], arrays["y_N"])
    chain.sampler.bits.state = about["bits"]
    chain.sampler.priors = Priors(**about["priors"])
    chain.likelihoods, chain.last = about["likelihoods"], about["last"]
    mean = chain.mean
    mean.n_VK, mean.b_V, mean.posts_K, mean.sweeps = arrays["n_VK"], arrays["b_V"], arrays["posts_K"], about["averaged"]


def _fingerprint(chain: Chain) -> str:
    """Of posts, configuration and tokenizer."""
    corpus = chain.sampler.corpus
    digest = hashlib.sha256(json.dumps([chain.config.as_dict(), tokens.VERSION, corpus.n_words]).encode())
    for array in (corpus.words_N, corpus.starts_D, corpus.authors_D):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

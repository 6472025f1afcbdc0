"""Offline fits on another device than the processor."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "case",
    [
        ["float32"], ["float32", "loss=bce"], ["bfloat16", "preset=full", "logits=identity"],
        *([one] for one in ("gru4rec", "sasrec", "clstm", "time-lstm-2")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_tensors_of_two_devices_never_meet(case: list[str]) -> None:
    """Not in training, validation or the optimizer; weights are learned there, and those of the best epoch are on the processor."""
    command = [sys.executable, "-m", "tests.model.elsewhere", *case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("in {'elsewhere'}, of {'cpu'}", 0) == (done.stdout, done.returncode), done.stderr

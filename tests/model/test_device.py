"""Offline fits on another device than the processor."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "case", [["float32"], ["float32", "loss=bce"], ["bfloat16", "preset=full", "logits=identity"]], ids=["paper", "bce", "full"]
)
def test_tensors_of_two_devices_never_meet(case: list[str]) -> None:
    """Not in training, validation or the optimizer; what is kept of the best epoch is on the processor."""
    command = [sys.executable, "-m", "tests.model.elsewhere", *case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("cpu", 0) == (done.stdout, done.returncode), done.stderr

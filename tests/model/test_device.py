"""Offline fits on another device than the processor."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (["float32"], "the same"), (["float32", "loss=bce"], "the same"), (["bfloat16", "preset=full", "logits=identity"], "alike"),
        (["gru4rec"], "alike"), (["sasrec"], "alike"), (["clstm"], "alike"), (["time-lstm-2"], "the same"),
    ],
    ids=str,
)  # fmt: skip
def test_a_fit_elsewhere_is_the_one_here(case: list[str], expected: str) -> None:
    """It learns there, resumes, tensors of two devices never meet, and losses, weights and second moments are the processor's."""
    command = [sys.executable, "-m", "tests.model.elsewhere", *case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (f"elsewhere: {expected}", 0) == (done.stdout, done.returncode), done.stderr

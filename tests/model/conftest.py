"""One torch thread: the models here are tiny, and a second thread on a busy machine waits more than it works."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)

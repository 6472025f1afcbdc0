"""What tests of every package share: the real data beside the checkout, and a stop that cleans up."""

import os
import signal
from pathlib import Path
from types import FrameType

import pytest

# As in `crossnet` itself: threads of two torch processes that spin while they wait slow each other down tenfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# As in a worker: other counts of threads give weights with other last bits. Read when torch and numpy are loaded.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Treat a polite kill like ctrl-C, so that fixtures stop the programs they started."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the real data sets: CROSSNET_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("CROSSNET_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CROSSNET_DATA to a folder that has it")
    return folder

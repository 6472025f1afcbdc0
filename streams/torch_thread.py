"""The one thread in which torch works beside the event loop: it alone reads and changes the weights."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np

from model import Lesson, Memory, ModelConfig, Recommender, Wave, make_step
from streams.faults import point
from streams.telemetry import Telemetry

_T = TypeVar("_T")


class TorchThread:
    """Runs one piece of work after the other, and tells telemetry how long each took."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._thread = ThreadPoolExecutor(1, "torch")

    async def run(self, stage: str, work: Callable[[], _T]) -> _T:
        """Do this piece of work there. It is a stage with fault points before it, while the thread is at it, and after it."""

        def timed() -> _T:
            with self.timed(stage):
                return work()

        point(f"{stage}.before")
        running = asyncio.get_running_loop().run_in_executor(self._thread, timed)
        point(f"{stage}.inside")
        done = await running
        point(f"{stage}.after")
        return done

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Observe how long the block takes, in whatever thread."""
        start = time.perf_counter()
        yield
        self._telemetry.stage.labels(stage).observe(time.perf_counter() - start)

    def warm_up(self, config: ModelConfig) -> None:
        """Load and compile what the first lesson needs, some seconds of it, beside the start instead of before the first list."""
        self._thread.submit(_learn_anything, config)

    def stop(self) -> None:
        """End the thread when its work is done."""
        self._thread.shutdown()


def _learn_anything(config: ModelConfig) -> None:
    small = replace(config, topics=1, factors=1, hidden=1)
    recommender, memory = Recommender(small, ["user"], ["item", "next"]), Memory.empty(small)
    wave = Wave.of([("user", make_step(np.ones((len(small.networks), 1), np.float32), None, small), memory)], [0], [("item",)])
    recommender.learn(Lesson.of(wave, recommender.rank(wave), [0], ("next",), (0,)))

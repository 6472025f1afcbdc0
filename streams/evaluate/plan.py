"""What to compare, and how: the jobs that there are.

The sweeps vary, on the first seed, k, the online rate, the posts, and the parts of preset `full`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.blend.parts import NAMES
from streams.evaluate import systems
from streams.evaluate.inputs import NO_POSTS, SWAPPED, WITHOUT, Inputs
from streams.evaluate.protocol import Protocol
from streams.evaluate.runs import Job

_RATES = (0.0, 1e-4)  # beside those that it is tuned by
FACTORS = (16, 32, 64, 128)
WHOLE = "full"
_SHOWN = {
    WHOLE: tuple((("without", (part,)),) for part in NAMES),
    systems.ABLATED: tuple((("online_rate", rate),) for rate in _RATES),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare, and how."""

    names: tuple[str, ...]
    seeds: int
    cuts: tuple[int, ...]
    inputs: Inputs
    size: systems.Size
    protocol: Protocol
    sweeps: bool
    "also vary k, the online rate, the posts and the parts"
    reference: str
    "the system that the others are compared with"

    @property
    def metric(self) -> str:
        """What they are compared by."""
        return f"ndcg@{self.cuts[-1]}"


def jobs_of(plan: Plan, networks: Sequence[str]) -> list[Job]:
    """Every system on every seed, then the sweeps on the first seed."""
    shown = _SHOWN if plan.sweeps else {}
    jobs = [
        Job(name, name, plan.inputs, plan.size, seed, shown=shown.get(name, ()) if seed == 0 else ())
        for seed in range(plan.seeds) for name in plan.names
    ]  # fmt: skip
    if plan.sweeps and plan.reference in plan.names:
        jobs += _sweeps(plan, networks)
    return jobs


def _sweeps(plan: Plan, networks: Sequence[str]) -> list[Job]:
    name = plan.reference
    first = Job(name, name, plan.inputs, plan.size, 0)
    jobs = [replace(first, name=f"{name} k={k}", size=replace(plan.size, factors=k)) for k in FACTORS if k != plan.size.factors]
    if networks:
        altered = [NO_POSTS, SWAPPED, *(WITHOUT + one for one in networks if len(networks) > 1)]
        jobs += [replace(first, name=f"{name}, posts: {posts}", inputs=replace(plan.inputs, posts=posts)) for posts in altered]
    return jobs

"""From ranks and lists to numbers: every metric by user, their means, and how sure a difference is (ALGORITHMS 6).

Legend: T interactions of the test part, U users, K length of a list, I items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.metrics.coverage import coverage
from model.metrics.diversity import diversity
from model.metrics.novelty import novelty, novelty_authors
from model.metrics.popularity_bias import popularity_rank
from model.metrics.significance import differences
from streams.evaluate.cases import TEST_PART, TRAIN_PART, Cases
from streams.evaluate.runs import Run

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """The test part of the cases, as arrays."""

    rows_T: NDArray[np.int64]
    user_T: NDArray[np.int64]
    users: int

    @classmethod
    def of(cls, cases: Cases) -> "Test":
        """That of these cases."""
        rows_T = np.flatnonzero(cases.part_E == TEST_PART)
        return cls(rows_T, np.array([cases.events[row].user for row in rows_T]), len(cases.users))

    def by_user(self, value_T: Doubles) -> Doubles:
        """Mean of a value over each user's interactions, (U,); NaN for a user without any."""
        count_U = np.bincount(self.user_T, minlength=self.users)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.bincount(self.user_T, value_T, self.users) / count_U)


def hits(rank: NDArray[np.int32], k: int) -> Doubles:
    """HR@k of each rank; rank 0 = not ranked."""
    return ((rank > 0) & (rank <= k)).astype(np.float64)


def gains(rank: NDArray[np.int32], k: int) -> Doubles:
    """NDCG@k of each rank."""
    return np.asarray(hits(rank, k) / np.log2(np.maximum(rank, 1) + 1.0))


def by_user(run: Run, cases: Cases, cuts: Sequence[int]) -> dict[str, Doubles]:
    """Metric to its value for each user, (U,)."""
    test = Test.of(cases)
    rank_T = run.rank_E[test.rows_T]
    values: dict[str, Doubles] = {}
    for k in cuts:
        values[f"hr@{k}"] = test.by_user(hits(rank_T, k))
        values[f"ndcg@{k}"] = test.by_user(gains(rank_T, k))
    return values


def mean_of(seeds: Sequence[Mapping[str, Doubles]]) -> dict[str, Doubles]:
    """Mean over seeds of each user's values."""
    return {name: np.mean([one[name] for one in seeds], axis=0) for name in seeds[0]}


def means(run: Run, cases: Cases, cuts: Sequence[int]) -> dict[str, float]:
    """Metric to its mean over users."""
    return {name: float(np.nanmean(value_U)) for name, value_U in by_user(run, cases, cuts).items()}


@cache  # results are written many times as runs come in
def over_all(run: Run, cases: Cases) -> dict[str, float]:
    """Metrics of a run's lists: means over users of diversity, novelty and popularity rank; coverage of them all."""
    test, about = Test.of(cases), _about(cases)
    lists_TK, k = run.lists_TK, run.lists_TK.shape[1]
    before, after = ([one[user] for user in test.user_T] for one in (about.before, about.after))
    values = {
        f"diversity@{k}": diversity(lists_TK, cases.vectors_ID),
        f"novelty@{k}": novelty(lists_TK, about.users_I, about.users),
        f"novelty_authors@{k}": novelty_authors(lists_TK, before, after),
        f"popularity_rank@{k}": popularity_rank(lists_TK, about.counts_I),
    }
    means_of = {name: float(np.nanmean(test.by_user(np.nan_to_num(value_T)))) for name, value_T in values.items()}
    return {**means_of, f"coverage@{k}": coverage(lists_TK, len(cases.items))}


@dataclass(frozen=True, slots=True, eq=False)
class _About:
    """Counts frozen at the end of the training part, and what each user took before and in the test part."""

    counts_I: NDArray[np.int64]
    users_I: NDArray[np.int64]
    users: int
    before: list[set[int]]
    after: list[set[int]]


@cache
def _about(cases: Cases) -> _About:
    counts_I, takers = np.zeros(len(cases.items), np.int64), set()
    before: list[set[int]] = [set() for _ in cases.users]
    after: list[set[int]] = [set() for _ in cases.users]
    for event, part in zip(cases.events, cases.part_E, strict=True):
        (after if part == TEST_PART else before)[event.user].add(event.item)
        if part == TRAIN_PART:
            counts_I[event.item] += 1
            takers.add((event.user, event.item))
    users_I = np.bincount([item for _, item in takers], minlength=len(cases.items))
    return _About(counts_I, users_I, len({user for user, _ in takers}), before, after)


def against(by_name: Mapping[str, Sequence[Mapping[str, Doubles]]], reference: str, metric: str) -> dict[str, dict[str, float | str]]:
    """Each system's difference to the reference in one metric, seeds averaged; empty while the reference is missing."""
    if reference not in by_name:
        return {}
    values = {name: mean_of(seeds)[metric] for name, seeds in by_name.items()}
    return {name: {"name": reference, **asdict(one)} for name, one in differences(values, reference).items()}

"""The paper's figures redrawn for the data at hand, and new ones; all from the runs' ranks.

Legend: T interactions of the test part, N networks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.contract import Event
from streams.evaluate.cases import TRAIN_PART, Cases
from streams.evaluate.charts import Chart
from streams.evaluate.runs import Run
from streams.evaluate.scores import Doubles, Test, gains, hits

_K = 100
_GAPS = ((0.0, "0"), (3600.0, "< 1 h"), (86_400.0, "< 1 d"), (7 * 86_400.0, "< 7 d"), (30 * 86_400.0, "< 30 d"), (np.inf, "longer"))
_POSTS = ((0, "0"), (1, "1"), (3, "2-3"), (10, "4-10"), (30, "11-30"), (np.inf, "more"))
_HISTORY = ((10, "<= 10"), (30, "11-30"), (100, "31-100"), (300, "101-300"), (np.inf, "more"))
_DENSITY = ((0.0, "0"), (0.02, "<= 2 %"), (0.05, "<= 5 %"), (0.1, "<= 10 %"), (0.2, "<= 20 %"), (np.inf, "more"))
Runs = Mapping[str, Run]


def over_time(runs: Runs, cases: Cases, title: str, says: str) -> Chart:
    """Figures 3 and 4: NDCG at a user's n-th test interaction, mean over the users who have that many, in blocks of n."""
    test = Test.of(cases)
    nth_T = _nth(test.user_T)
    edges = _edges(int(nth_T.max()))
    block_T = np.searchsorted(edges, nth_T, "left")
    blocks = range(len(edges))
    lines = {name: _means(gains(one.rank_E[test.rows_T], _K), block_T, len(edges)) for name, one in runs.items()}
    counts = [len(set(test.user_T[block_T == block])) for block in blocks]
    return Chart(title, says, "test interactions of a user, up to", f"NDCG@{_K}", edges, lines, counts)


def _nth(user_T: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 for a user's first interaction of the test part, 2 for his second."""
    seen: dict[int, int] = {}
    nth = []
    for user in user_T.tolist():
        seen[user] = seen.get(user, 0) + 1
        nth.append(seen[user])
    return np.array(nth)


def _edges(most: int) -> list[float]:
    """Up to twelve ends of blocks, evenly spaced."""
    return [float(one) for one in sorted({max(1, round(most * share / 12)) for share in range(1, 13)})]


def by_list_length(runs: Runs, cases: Cases) -> Chart:
    """The paper's text: HR@K for K from 10 to 100."""
    test = Test.of(cases)
    cuts = [float(k) for k in range(10, 101, 10)]
    lines = {
        name: [float(np.nanmean(test.by_user(hits(one.rank_E[test.rows_T], int(k))))) for k in cuts] for name, one in runs.items()
    }
    return Chart("Accuracy by length of the list", "HR@K, mean over users, as the list grows.", "K", "HR@K", cuts, lines)


def by_density(runs: Runs, cases: Cases) -> Chart:
    """Figure 5: accuracy against the share of topics in x that are not zero."""
    share = [float((event.step.x_M != 0).mean()) if len(event.step.x_M) else 0.0 for event in _test_events(cases)]
    return _grouped(
        runs, cases, np.array(share, np.float64), _DENSITY, "Figure 5: accuracy by density of x",
        "How full the input is, with and without the second-order layer.", "topics present in x",
    )  # fmt: skip


def by_gap(runs: Runs, cases: Cases) -> Chart:
    """Accuracy against the time since the user's interaction before."""
    gaps = [np.inf if event.gap_seconds is None else event.gap_seconds for event in _test_events(cases)]
    value_T = np.array(gaps, np.float64)
    return _grouped(runs, cases, value_T, _GAPS, "Accuracy by gap", "Time since the user's interaction before.", "gap")


def by_posts(runs: Runs, cases: Cases) -> Chart:
    """Accuracy against the number of posts in the window."""
    posts = cases.posts_EN[Test.of(cases).rows_T].sum(axis=1).astype(np.float64)
    return _grouped(runs, cases, posts, _POSTS, "Accuracy by posts in the window", "Posts since the interaction before.", "posts")


def by_history(runs: Runs, cases: Cases) -> Chart:
    """Accuracy against the number of a user's earlier interactions."""
    history = (_nth(np.array([event.user for event in cases.events]))[Test.of(cases).rows_T] - 1).astype(np.float64)
    return _grouped(
        runs, cases, history, _HISTORY, "Accuracy by length of history", "Interactions the user had before.", "interactions before"
    )


def by_novelty(runs: Runs, cases: Cases) -> Chart:
    """Accuracy for items that the training part has, and for those it has not."""
    trained = {event.item for event, part in zip(cases.events, cases.part_E, strict=True) if part == TRAIN_PART}
    seen: set[int] = set()
    group = []
    for event, part in zip(cases.events, cases.part_E, strict=True):
        group.append(0.0 if event.item in trained else 1.0 if event.item in seen else 2.0)
        seen.add(event.item)
        del part
    groups = ((0.0, "in training"), (1.0, "first taken later"), (2.0, "never taken before"))
    return _grouped(
        runs, cases, np.array(group)[Test.of(cases).rows_T], groups, "Accuracy for new items",
        "Whether the training part has the item; if not, whether anybody had taken it by then.", "item",
    )  # fmt: skip


def _grouped(
    runs: Runs, cases: Cases, value_T: Doubles, groups: Sequence[tuple[float, str]], title: str, says: str, label: str
) -> Chart:
    """NDCG of the events of each group; a group holds the values up to its bound."""
    test = Test.of(cases)
    group_T = np.searchsorted([bound for bound, _ in groups], value_T, "left")
    lines = {name: _means(gains(one.rank_E[test.rows_T], _K), group_T, len(groups)) for name, one in runs.items()}
    counts = np.bincount(group_T, minlength=len(groups)).tolist()
    return Chart(title, f"{says} Mean over interactions.", label, f"NDCG@{_K}", [name for _, name in groups], lines, counts)


def _means(value_T: Doubles, group_T: NDArray[np.int64], groups: int) -> list[float | None]:
    return [float(value_T[group_T == group].mean()) if (group_T == group).any() else None for group in range(groups)]


def _test_events(cases: Cases) -> list[Event]:
    return [cases.events[row] for row in Test.of(cases).rows_T]

"""The mean over users of each user's mean over his events (ALGORITHMS 6): a busy user counts no more than a quiet one."""

from collections import defaultdict
from collections.abc import Iterable


def mean_over_users(values: Iterable[tuple[str, float]]) -> float:
    """Of (user, value of one event) pairs; 0 without any."""
    by_user: dict[str, list[float]] = defaultdict(list)
    for user, value in values:
        by_user[user].append(value)
    means = [sum(one) / len(one) for one in by_user.values()]
    return sum(means) / len(means) if means else 0.0

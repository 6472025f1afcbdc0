"""Telemetry: what Prometheus scrapes. Accuracy stands as counters of hits and gains, so that any window can be computed."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    Summary,
    disable_created_metrics,
    generate_latest,
)

from streams.align import Aligner
from streams.line import Learned, Line, Taken
from streams.records import REASONS, TRIGGERS, Recommendation
from streams.tally import CUTS, RANKINGS, Tally

# Chosen from what was measured with preset full, K=60, h=128, 1,000 items, on 2 cores shared with other work (p1 / p50 / p99). A list,
# live at 60 records a second: 0.25 / 1.3 / 3.3 s; behind a backlog: 0.1 / 2.7 / 20 s; an idle machine needs some 10 ms.
_LATENCY_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 5, 10, 20, 60, 300)
# The same runs, in ms: advance 0.25 / 0.6 / 10, rank 1.8 / 5.5 / 85, list 1.8 / 5.5 / 59, learn 4.6 / 16 / 366, commit 16 / 85 / 758.
_STAGE_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4, 0.8, 2, 5)

# Sums kept by the line, each a counter of its own.
_LINE_COUNTS = {
    "processed_records": "Records that went through the line.",
    "late_posts": "Posts older than their user's last interaction.",
    "late_interactions": "Interactions older than their user's last one.",
    "posts_without_evidence": "Posts without a word the topics know.",
    "unknown_items": "Interactions with items nobody had taken before.",
    "null_keys": "Records without a key.",
    "off_partition": "Records on another partition than their user's.",
    "repeated_records": "Records skipped because their id had been seen lately.",
    "evicted_users": "Users forgotten because there were too many.",
    "dropped_owned": "Items that a user took long ago and may be recommended again, because he took as many as are kept since.",
    "left_out_items": "New items that found no row, since as many as items_cap are known.",
    "cut_ties": "Times that interactions of one time were learned before all had been ranked.",
}


def memory_limit_bytes() -> int:
    """What the process may take: its control group's limit where there is one, else the machine's memory."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text("ascii"))
    except (OSError, ValueError):  # no control groups, or "max"
        return machine
    return min(limit, machine)


class Telemetry:
    """One registry, one worker."""

    def __init__(self, kafka_topics: Iterable[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client leaves it untyped
        self.registry = registry = CollectorRegistry()
        self.records = Counter("crossnet_records", "Records read, by Kafka topic.", ["kafka_topic"], registry=registry)
        self.forgotten = Counter("crossnet_forgotten_users", "Users forgotten because they asked.", registry=registry)
        self.dead_letters = Counter("crossnet_dead_letters", "Records that could not be used.", ["reason"], registry=registry)
        self.lists = Counter("crossnet_lists", "Lists sent, by what triggered them.", ["trigger"], registry=registry)
        self.latency = Histogram(
            "crossnet_list_latency_seconds", "From event read to list sent.", registry=registry, buckets=_LATENCY_SECONDS
        )
        self.stage = Histogram(
            "crossnet_stage_seconds", "Time in a stage of the line.", ["stage"], registry=registry, buckets=_STAGE_SECONDS
        )
        self.lag = Gauge("crossnet_lag_records", "Records not yet read.", ["kafka_topic", "partition"], registry=registry)
        self.hits = Counter("crossnet_hits", "Interactions found in the first k.", ["ranking", "k"], registry=registry)
        self.gain = Counter("crossnet_gain", "Sum of NDCG gains in the first k.", ["ranking", "k"], registry=registry)
        self.ranked = Counter("crossnet_ranked", "Interactions ranked.", ["ranking"], registry=registry)
        self.loss = Gauge("crossnet_update_loss", "Mean loss of the last wave before its update.", registry=registry)
        self.losses = Summary("crossnet_loss", "Loss of interactions before their update.", registry=registry)
        self.lessons = Counter("crossnet_lessons", "Waves learned.", registry=registry)
        self.commits = Counter("crossnet_commits", "Transactions committed.", registry=registry)
        self.checkpoints = Counter("crossnet_checkpoints", "Checkpoints written.", registry=registry)
        self.failed_checkpoints = Counter("crossnet_failed_checkpoints", "Checkpoints not written.", registry=registry)
        self.kept_checkpoints = Gauge("crossnet_kept_checkpoints", "Checkpoints on disk that can be read.", registry=registry)
        self.broken_checkpoints = Gauge("crossnet_broken_checkpoints", "Checkpoints skipped at the start.", registry=registry)
        self.broken_rows = Gauge("crossnet_broken_rows", "State rows found altered at the start.", registry=registry)
        self.skipped = Gauge("crossnet_lost_records", "Records deleted by retention before they were read.", registry=registry)
        self.log_lessons = Gauge("crossnet_log_lessons", "Lessons since the oldest kept checkpoint.", registry=registry)
        self.standby = Gauge("crossnet_standby", "1 while another worker of the group is active.", registry=registry)
        self.users = Gauge("crossnet_users", "Users known.", registry=registry)
        self.items = Gauge("crossnet_items", "Items known.", registry=registry)
        self.retired = Gauge("crossnet_retired_items", "Items that are on no list.", registry=registry)
        self.dropped_retired = Gauge("crossnet_dropped_retired_items", "Retired items that may be listed again, as too many are.",
                                     registry=registry)  # fmt: skip
        self.decoded = Gauge("crossnet_decoded_users", "Users ready for use; the others are packed.", registry=registry)
        self.model_users = Gauge("crossnet_model_users", "Users with rows in the model.", registry=registry)
        self.daily_windows = Gauge("crossnet_daily_windows", "Windows of one day each, of users who have not acted yet.",
                                   registry=registry)  # fmt: skip
        self.held = Gauge("crossnet_held_records", "Records held back for event-time order.", registry=registry)
        self.uncommitted = Gauge("crossnet_uncommitted_records", "Records read, not yet committed.", registry=registry)
        self.forced = Gauge("crossnet_forced_releases", "Records released without waiting, above the limit.", registry=registry)
        self.inversions = Gauge("crossnet_inversions", "Records released after a later one.", registry=registry)
        self.ready = Gauge("crossnet_ready", "1 when the worker reads its input.", registry=registry)
        self.recovering = Gauge("crossnet_recovering", "1 while state and lessons are restored.", registry=registry)
        self.memory = Gauge("crossnet_memory_limit_bytes", "Memory that the process may take.", registry=registry)
        self.memory.set(memory_limit_bytes())
        ProcessCollector(registry=registry)
        self.read: defaultdict[str, int] = defaultdict(int)  # by Kafka topic, since the last look
        self._line = {name: Counter(f"crossnet_{name}", text, registry=registry) for name, text in _LINE_COUNTS.items()}
        self._seen: dict[str, int] = dict.fromkeys(_LINE_COUNTS, 0)
        # Series exist from the start: the rate of one that appears with its first event misses that event.
        for kafka_topic in kafka_topics:
            self.records.labels(kafka_topic)
        for reason in REASONS:
            self.dead_letters.labels(reason)
        for trigger in TRIGGERS:
            self.lists.labels(trigger)
        for ranking in RANKINGS:
            self.ranked.labels(ranking)
            for cut in CUTS:
                self.hits.labels(ranking, str(cut))
                self.gain.labels(ranking, str(cut))

    def took(self, taken: Iterable[Taken]) -> None:
        """Count the accuracy of ranked interactions."""
        tally = Tally()
        tally.add(taken)
        for ranking in RANKINGS:
            self.ranked.labels(ranking).inc(tally.events)
            for cut in CUTS:
                self.hits.labels(ranking, str(cut)).inc(tally.hits[ranking, cut])
                self.gain.labels(ranking, str(cut)).inc(tally.gains[ranking, cut])

    def learned(self, learned: Iterable[Learned]) -> None:
        """Count lessons and show the last loss."""
        for one in learned:
            self.lessons.inc()
            self.loss.set(one.loss)
            for _ in one.lesson.users:
                self.losses.observe(one.loss)

    def listed(self, lists: Iterable[Recommendation]) -> None:
        """Count lists by trigger."""
        for one in lists:
            self.lists.labels(one.trigger).inc()

    def look(self, line: Line, aligner: Aligner, uncommitted: int) -> None:
        """Bring gauges and the line's own sums up to date."""
        for kafka_topic, count in self.read.items():
            self.records.labels(kafka_topic).inc(count)
        self.read.clear()
        self.uncommitted.set(uncommitted)
        self.users.set(len(line.users))
        self.items.set(len(line.recommender.items))
        self.retired.set(len(line.catalogue.retired))
        self.dropped_retired.set(line.catalogue.dropped_retired)
        self.decoded.set(line.users.decoded)
        self.model_users.set(len(line.recommender.users))
        self.daily_windows.set(line.users.daily_windows)
        self.held.set(aligner.held)
        self.forced.set(aligner.forced)
        self.inversions.set(aligner.inversions)
        for name, counter in self._line.items():
            counter.inc(line.counts[name] - self._seen[name])
            self._seen[name] = line.counts[name]

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

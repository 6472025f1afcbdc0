"""Promises of streams/bench/faults.py."""

import json
from pathlib import Path

from streams.bench.faults import uncounted, unexplained


def test_what_stands_at_level_error_must_be_explained(tmp_path: Path) -> None:
    """Errors that a fault explains, and lines below that level, are nobody's business; all else is, and so is a lost lesson."""
    said = [("info", "ready"), ("error", "fenced, as it should be"), ("error", "who knows why"), ("critical", "nor this"),
            ("warning", "lessons 0 to 3 are deleted; the weights lack them")]  # fmt: skip
    lines = [json.dumps({"level": level, "message": message}) for level, message in said] + ["Traceback (most recent call last):"]
    (tmp_path / "worker-1.log").write_text("\n".join(lines), "utf-8")
    assert lines[2:] == unexplained(tmp_path, ("fenced",))
    assert lines[1:] == unexplained(tmp_path, ())


def test_every_record_that_was_read_must_be_counted() -> None:
    """As processed, dead letter, repeated or forgotten; one too few is as wrong as one too many."""
    counts = {"records": 10, "processed_records": 6, "dead_letters": 2, "repeated_records": 1, "forgotten_users": 1}
    for missing, expected in ((0, 0), (1, 1), (-1, 1)):
        totals = {f"crossnet_{name}_total": count for name, count in counts.items()}
        totals["crossnet_processed_records_total"] -= missing
        assert expected == uncounted(lambda name, totals=totals: float(totals[name]))  # type: ignore[misc] # bound at once

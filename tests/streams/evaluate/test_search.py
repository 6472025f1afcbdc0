"""`crossnet tune`."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from streams.cli.tune import command
from streams.evaluate.search import without_test
from tests.streams.evaluate.small import TEST, TRAIN, VALIDATION, cases


def test_the_test_part_is_gone() -> None:
    """What is searched on has no interaction of the test part."""
    kept = without_test(cases([(0, 0, 1, TRAIN), (0, 1, 2, TEST), (0, 2, 3, VALIDATION)]))
    assert [0, 2] == [one.item for one in kept.events]
    assert [TRAIN, VALIDATION] == kept.part_E.tolist()


def test_a_search_goes_on(tmp_path: Path) -> None:
    """Trials are kept: asked for three after two, it runs one more, and gives the best of all."""
    random = np.random.default_rng(0)
    lines = [{"user": f"u{at % 4}", "item": f"i{random.integers(6)}", "at": 1_700_000_000_000 + at * 3_600_000} for at in range(80)]
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines), "utf-8")
    common = [str(tmp_path), "--out", str(tmp_path / "out"), "--epochs", "1", "--json"]
    first = CliRunner().invoke(command, [*common, "--trials", "2"])
    second = CliRunner().invoke(command, [*common, "--trials", "3"])
    assert 2 == first.stderr.count("trial ")
    assert 1 == second.stderr.count("trial ")
    best, better = (json.loads(one.stdout)["validation_ndcg@100"] for one in (first, second))
    assert 0 < best <= better

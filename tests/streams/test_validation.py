"""`crossnet validate`."""

import gzip
import json
from pathlib import Path

from click.testing import CliRunner

from streams.cli.validate import command
from streams.folder import Folder
from streams.validation import validate

AT = 1_700_000_000_000


def _event(user: str, item: str, at: int) -> str:
    return json.dumps({"user": user, "item": item, "at": AT + at})


def _write(path: Path, events: list[str], posts: list[str] | None = None, items: list[str] | None = None) -> Folder:
    for name, lines in (("events", events), ("posts", posts), ("items", items)):
        if lines is not None:
            (path / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return Folder(path)


GOOD = [_event("u1", f"i{at}", at) for at in range(10)]


def test_nothing_wrong(tmp_path: Path) -> None:
    """A clean folder has no problems; exit code 0."""
    assert [] == validate(_write(tmp_path, GOOD)).problems
    assert 0 == CliRunner().invoke(command, [str(tmp_path)]).exit_code


def test_every_problem_is_listed(tmp_path: Path) -> None:
    """Bad lines, order, repetition and wrong units are all listed with their line numbers; exit code 1."""
    lines = [*GOOD, "{", _event("u1", "i1", 1), json.dumps({"user": "u", "item": "i", "at": 1_700_000_000}), json.dumps({"user": "u"})]
    folder = _write(tmp_path, lines, posts=['{"user": "u1", "at": 1, "text": "no network"}'], items=['{"item": "a"}', '{"item": "a"}'])
    problems = validate(folder).problems
    for expected in (
        "events line 11", "events line 12: at", "events line 12: the same as line 2", "events line 13: at = 1700000000 is before 1973",
        "events line 14", "posts line 1: network", "items line 2: the same as line 1",
    ):  # fmt: skip
        assert 1 == sum(expected in problem for problem in problems), expected
    shown = CliRunner().invoke(command, [str(tmp_path), "--json"])
    assert (1, problems) == (shown.exit_code, json.loads(shown.stdout)["problems"])


def test_missing_and_broken_files(tmp_path: Path) -> None:
    """No events at all, or a file that is cut, is a problem of its own."""
    assert "no events.jsonl" in validate(Folder(tmp_path)).problems[0]
    (tmp_path / "events.jsonl").write_text("")
    assert "no interaction in events.jsonl" in validate(Folder(tmp_path)).problems[0]
    (tmp_path / "events.jsonl").unlink()
    whole = gzip.compress("\n".join(GOOD * 50).encode())
    (tmp_path / "events.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert any("cannot be read" in problem for problem in validate(Folder(tmp_path)).problems)


def test_empty_part(tmp_path: Path) -> None:
    """Users with too few interactions leave a part empty, which is said."""
    assert ["the train part is empty", "the validation part is empty"] == [
        problem.split(";")[0] for problem in validate(_write(tmp_path, GOOD[:1])).problems
    ]


def test_notes(tmp_path: Path) -> None:
    """What is missing without being wrong is noted: silent users, bare items, repeated posts."""
    post = json.dumps({"user": "u2", "network": "twitter", "at": AT, "text": "t"})
    found = validate(_write(tmp_path, GOOD, posts=[post, post], items=['{"item": "i0"}']))
    assert [] == found.problems
    for expected in ("1 of 1 users", "1 authors", "9 items that were taken", "1 items have neither", "1 posts repeat", "twitter 2"):
        assert 1 == sum(expected in note for note in found.notes), expected

"""The direction of imports, and one owner per library."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = {"streams", "model", "topics_svc"}
OWNERS = {
    "faust": {"streams/worker.py", "streams/application.py", "streams/reader.py", "streams/bench/bare_agent.py"},
    "orjson": {"streams/records.py", "streams/rows.py", "streams/replay.py", "streams/bench/bare_agent.py"},
    "prometheus_client": {"streams/telemetry.py", "streams/serve/telemetry.py"},
}


def _imports() -> Iterator[tuple[str, str]]:
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                for name in names:
                    yield file.relative_to(ROOT).as_posix(), name.split(".")[0]


def test_topics_and_model_import_nothing_of_ours() -> None:
    """`topics_svc` and `model` stand alone; only `streams` imports both, and nothing imports the tests."""
    found = {(file.split("/")[0], name) for file, name in _imports() if name in {*OURS, "tests"} and file.split("/")[0] != name}
    assert {("streams", "model"), ("streams", "topics_svc")} == found


def test_each_library_has_its_owners() -> None:
    """Faust, orjson and Prometheus are touched where the design says; torch stays in model, numba where loops are compiled."""
    for library, owners in OWNERS.items():
        assert owners >= {file for file, name in _imports() if name == library}
    for file in (file for file, name in _imports() if name == "torch"):
        assert file.startswith(("model/", "streams/cli/", "streams/bench/"))
    assert {"topics_svc/compiled.py", "model/compiled.py"} == {file for file, name in _imports() if name == "numba"}

"""`crossnet topics` from end to end."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.topics import command
from streams.errors import ArtifactError, CrossnetError, DataError, SettingsError
from tests.topics_svc.corpora import drawn
from topics_svc import TopicService


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 600 posts."""
    folder = tmp_path_factory.mktemp("data")
    with gzip.open(folder / "posts.jsonl.gz", "wt") as out:
        for at, (author, text) in enumerate(drawn(600, 3, 8, 4)[0]):
            user, network = author.split("\t")
            out.write(json.dumps({"user": user, "network": network, "at": 1_600_000_000_000 + at, "text": text}) + "\n")
    return folder


@pytest.fixture(scope="module")
def artifact(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Topics fitted by the verb."""
    out = tmp_path_factory.mktemp("artifact") / "topics"
    result = call("fit", data, "--out", out, "--topics", 3, "--sweeps", 12)
    assert "3 topics, fingerprint" in result.stdout
    assert "held-out perplexity" in result.stdout
    return out


def call(*arguments: object, text: str | bytes | None = None) -> Result:
    """Run the verb in this process; an error comes out as it is."""
    return CliRunner().invoke(command, [str(one) for one in arguments], input=text, catch_exceptions=False)


def infer(artifact: Path, text: bytes, *arguments: str) -> list[dict[str, object]]:
    """Run `infer` as a program on stdin."""
    program = "from streams.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", program, "topics", "infer", str(artifact), *arguments],
                         input=text, capture_output=True, check=True)  # fmt: skip
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_fit_is_deterministic(data: Path, artifact: Path, tmp_path: Path) -> None:
    """The same fit gives the same fingerprint; another seed another one."""
    call("fit", data, "--out", tmp_path / "again", "--topics", 3, "--sweeps", 12)
    call("fit", data, "--out", tmp_path / "other", "--topics", 3, "--sweeps", 12, "--seed", 1)
    fingerprint = TopicService.load(artifact).fingerprint
    assert fingerprint == TopicService.load(tmp_path / "again").fingerprint
    assert fingerprint != TopicService.load(tmp_path / "other").fingerprint


def test_show(artifact: Path) -> None:
    """The table can be printed again, for one topic with example posts, and as JSON."""
    assert "held-out perplexity" in call("show", artifact).stdout
    assert "  - " in call("show", artifact, "--topic", 1).stdout
    about = json.loads(call("show", artifact, "--json").stdout)
    assert [0, 1, 2] == [row["topic"] for row in about["topics"]]
    assert 1.0 == pytest.approx(sum(row["share"] for row in about["topics"]))
    assert 1 == json.loads(call("show", artifact, "--topic", 1, "--json").stdout)["topic"]


def test_infer_lines_and_json(artifact: Path) -> None:
    """Plain lines and JSON lines may be mixed; other fields are repeated; no known word is null."""
    service = TopicService.load(artifact)
    text = " ".join(service.labels(2, 3))
    lines = [text.encode(), json.dumps({"user": "u", "network": "n", "id": 7, "text": text}).encode(), b"zzz", b"\xff\xfe", b""]
    found = infer(artifact, b"\n".join(lines), "--least", "0.5")
    assert 4 <= len(found) <= 5
    assert 2 == found[0]["topics"][0][0]  # type: ignore[index]
    assert {"user": "u", "network": "n", "id": 7} == {name: value for name, value in found[1].items() if name != "topics"}
    assert found[2]["topics"] is found[3]["topics"] is None


def test_infer_counts_authors(artifact: Path, tmp_path: Path) -> None:
    """The second post of an author has his first as prior, unless asked otherwise; a file works like stdin."""
    service = TopicService.load(artifact)
    strong, weak = " ".join(service.labels(0, 6)), service.lexicon.words[0]
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(json.dumps({"user": "u", "text": text}) + "\n" for text in (strong, weak)))
    running = [dict(one["topics"]) for one in infer(artifact, b"", str(file), "--least", "0")]  # type: ignore[call-overload]
    alone = [dict(one["topics"]) for one in infer(artifact, b"", str(file), "--least", "0", "--no-running")]  # type: ignore[call-overload]
    assert running[0] == alone[0]
    assert running[1][0] > alone[1][0]


def test_infer_answers_while_input_is_open(artifact: Path) -> None:
    """A line is answered before the next one is sent."""
    program = "from streams.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", program, "topics", "infer", str(artifact)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:  # fmt: skip
        assert running.stdin
        assert running.stdout
        for _ in range(2):
            running.stdin.write(b"w1x1 w1x2\n")
            running.stdin.flush()
            assert b'"topics"' in running.stdout.readline()
        running.stdin.close()
    assert 0 == running.returncode


def test_refit(data: Path, artifact: Path, tmp_path: Path) -> None:
    """A refit prints the distance, keeps the old artifact, and is refused above the limit."""
    before = TopicService.load(artifact).fingerprint
    result = call("refit", data, "--from", artifact, "--out", tmp_path / "new", "--sweeps", 5)
    assert "mean distance of matched topics 0." in result.stdout
    assert before == TopicService.load(tmp_path / "new").about["from"] == TopicService.load(artifact).fingerprint
    with pytest.raises(ArtifactError, match=r"more than 0\.0"):
        call("refit", data, "--from", artifact, "--out", tmp_path / "newer", "--sweeps", 5, "--limit", "0")
    assert not (tmp_path / "newer").exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("fit", "nowhere", "--out", "x"), DataError),
        (("fit", "tests", "--out", "x"), DataError),
        (("fit", "DATA", "--out", "x", "--topics", 0), SettingsError),
        (("fit", "DATA", "--out", "x", "--alpha", "nan"), SettingsError),
        (("fit", "DATA", "--out", "x", "--min-posts", 100_000), DataError),
        (("show", "nowhere"), ArtifactError),
        (("show", "ARTIFACT", "--topic", 9), DataError),
        (("infer", "nowhere"), ArtifactError),
        (("infer", "ARTIFACT", "nowhere"), DataError),
    ],
)
def test_errors(arguments: tuple[object, ...], error: type[CrossnetError], data: Path, artifact: Path) -> None:
    """What goes wrong is one of the named errors, made from the topic service's own."""
    with pytest.raises(error):
        call(*({"DATA": data, "ARTIFACT": artifact}.get(str(one), one) for one in arguments))

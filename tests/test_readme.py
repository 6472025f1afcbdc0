"""What the README shows works."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from model import Traced
from streams.cli import crossnet
from streams.errors import SettingsError
from tests.conftest import ROOT
from tests.readme import README, blocks


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example of the model's API runs as it stands and prints a line for each step."""
    (example,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert capsys.readouterr().out
    step = names["step"]
    assert isinstance(step, Traced)
    assert ((4,), (1,), (5,), (3,)) == (step.v_k.shape, step.attention_n.shape, step.h_H.shape, step.logits_I.shape)


def test_the_file_tree_names_every_file_of_the_stream() -> None:
    """Each module and folder of `streams` stands in the tree, and nothing that is not there."""
    (tree,) = re.findall(r"^streams/ .*?(?=^deploy/)", README.split("## Files")[1], re.DOTALL | re.MULTILINE)
    there = {one.name for one in (ROOT / "streams").glob("[a-z]*.py")}
    assert there == set(re.findall(r"\b[a-z_]+\.py", tree))
    assert all(f"{one.parent.name}/" in tree for one in (ROOT / "streams").glob("*/__init__.py"))


@pytest.mark.parametrize(("option", "said"), [("--topics", "topics = 0"), ("--hidden", "hidden = 0"), ("--factors", "factors = 0")])
def test_a_wrong_option_of_train_is_one_sentence(tmp_path: Path, option: str, said: str) -> None:
    """An impossible size is a named error with the value, before any data is read."""
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(crossnet, ["train", str(tmp_path), "--out", str(tmp_path), option, "0"], catch_exceptions=False)

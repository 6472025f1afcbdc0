"""What the README shows works."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from model import Traced
from streams.cli import crossnet
from streams.errors import SettingsError

README = (Path(__file__).resolve().parent.parent / "README.md").read_text("utf-8")


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example of the model's API runs as it stands and prints a line for each step."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102 - our own README
    assert capsys.readouterr().out
    step = names["step"]
    assert isinstance(step, Traced)
    assert ((4,), (1,), (5,), (3,)) == (step.v_k.shape, step.attention_n.shape, step.h_H.shape, step.logits_I.shape)


@pytest.mark.parametrize(("option", "said"), [("--topics", "topics = 0"), ("--hidden", "hidden = 0"), ("--factors", "factors = 0")])
def test_a_wrong_option_of_train_is_one_sentence(tmp_path: Path, option: str, said: str) -> None:
    """An impossible size is a named error with the value, before any data is read."""
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(crossnet, ["train", str(tmp_path), "--out", str(tmp_path), option, "0"], catch_exceptions=False)

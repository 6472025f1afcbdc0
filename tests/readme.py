"""The README as its readers use it: blocks of code, and the commands in them."""

import re

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
_COMMAND = re.compile(r"([A-Z_]+=\S+ )*(crossnet|curl|export|docker|deploy/run) ")


def blocks(language: str = "") -> list[str]:
    """The blocks of one language, "" for those without one, top to bottom."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def commands() -> list[str]:
    """What is typed into a shell, line by line, comments included."""
    return [line for block in blocks() for line in block.splitlines() if _COMMAND.match(line)]

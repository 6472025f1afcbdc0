"""Promises of streams/serve/page, as files."""

import re
from pathlib import Path

import pytest

from streams.serve.routes import _STATIC

FILES = sorted(_STATIC.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_page_needs_nothing_from_outside(file: Path) -> None:
    """No file names another host, has inline script or style, or turns strings into markup."""
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert [] == re.findall(r"https?:|//[a-z]+\.|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert [] == re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=[\"']", text)


def test_every_file_of_the_page_is_named_by_another() -> None:
    """Nothing lies there unused."""
    everything = "".join(file.read_text("utf-8") for file in FILES)
    assert [] == [file.name for file in FILES if file.name != "index.html" and file.name not in everything]

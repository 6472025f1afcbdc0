"""Promises of streams/serve/guard.py."""

from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.serve.guard import is_loopback, token_of
from streams.settings import ServeSettings

_ANY = "0.0.0.0"  # noqa: S104 - what is refused here


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True), (_ANY, False),
     ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False)],
)  # fmt: skip
def test_loopback_is_known_by_its_names(host: str, *, loopback: bool) -> None:
    """Only the names and addresses of this machine count."""
    assert loopback is is_loopback(host)


def test_beyond_loopback_it_wants_a_token_or_a_word(tmp_path: Path) -> None:
    """Without either it refuses with both remedies; with one of them it starts."""
    with pytest.raises(SettingsError, match=r"--token-file.*--insecure"):
        token_of(ServeSettings(host=_ANY))
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n", "ascii")
    assert "0123456789abcdef" == token_of(ServeSettings(host=_ANY, token_file=str(file)))
    assert token_of(ServeSettings(host=_ANY, insecure=True)) is None
    assert token_of(ServeSettings()) is None


@pytest.mark.parametrize("token", ["", "short", "with spaces in it all", "é" * 20])
def test_a_poor_token_is_refused(tmp_path: Path, token: str) -> None:
    """Too short, with spaces, or not ASCII: the sentence says how to make one, and does not repeat it."""
    file = tmp_path / "token"
    file.write_text(token, "utf-8")
    with pytest.raises(SettingsError, match="openssl rand") as caught:
        token_of(ServeSettings(token_file=str(file)))
    assert not token or token not in str(caught.value)
    with pytest.raises(SettingsError, match="cannot be read"):
        token_of(ServeSettings(token_file=str(tmp_path / "none")))

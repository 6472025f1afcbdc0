"""Promises of streams/state.py."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.errors import ArtifactError
from streams.line import drive
from streams.state import Row, User, Users, read_rows, write_rows
from tests.streams.small import CONFIG, DAY, TEXTS, line, posted, took


def _busy() -> Users:
    one = line()
    records = [took("ann", item, (n + 1) * DAY, n) for n, item in enumerate("abcdabcd")]
    list(drive(one, [posted("bob", TEXTS[2], DAY), *records, posted("ann", TEXTS[1], 9 * DAY, 9)]))
    return one.users


def _same(expected: User, user: User) -> bool:
    pairs: list[tuple[NDArray[np.generic], NDArray[np.generic]]] = [
        (expected.memory.h_H, user.memory.h_H), (expected.memory.C_H, user.memory.C_H),
        (expected.memory.past_x, user.memory.past_x), (expected.memory.past_h, user.memory.past_h),
        (expected.counts_NK, user.counts_NK), (expected.window.sums_NK, user.window.sums_NK),
        (expected.window.posts_N, user.window.posts_N),
    ]  # fmt: skip
    plain = ("last_at", "owned", "listed", "listed_at")
    return all(np.array_equal(a, b) for a, b in pairs) and all(getattr(expected, name) == getattr(user, name) for name in plain)


def _loaded(rows: list[Row], onto: Users | None = None) -> Users:
    users = onto or Users(CONFIG)
    for key, value in rows:
        users.load(key, value)
    users.finish()
    return users


def test_rows_give_the_same_users_back() -> None:
    """Memory, ring of past steps, window with its days, counts, owned items and list survive as they were."""
    users = _busy()
    loaded = _loaded(users.take_dirty())
    assert {"ann", "bob"} == set(loaded)
    assert all(_same(users[name], loaded[name]) for name in users)


def test_rows_lie_over_those_of_an_artifact() -> None:
    """Only the steps since the artifact are written; together with it they give the whole memory, however often a row is there."""
    one = line()
    list(drive(one, [took("ann", item, (n + 1) * DAY, n) for n, item in enumerate("ab")]))
    artifact = list(one.users.all_rows())
    rows: list[Row] = []
    for number, item in enumerate("cd", start=3):
        list(drive(one, [took("ann", item, number * DAY, number)]))
        rows += one.users.take_dirty()
    assert 4 + 2 == sum(key[:1] != b"s" for key, _ in [*artifact, *rows])
    assert _same(one.users["ann"], _loaded(rows, _loaded(artifact))["ann"])


def test_a_row_is_written_once_for_each_change() -> None:
    """What has not changed since the last commit is not written again."""
    users = _busy()
    assert users.take_dirty()
    assert [] == users.take_dirty()


def test_a_cut_or_altered_file_is_refused(tmp_path: Path) -> None:
    """A file of rows that was cut or altered is named, never half used."""
    file = tmp_path / "users.rows"
    rows = _busy().take_dirty()
    write_rows(file, iter(rows))
    assert rows == list(read_rows(file))
    content = file.read_bytes()
    for broken in (content[:-1], content[:100], b"", content[:50] + b"?" + content[51:]):
        file.write_bytes(broken)
        with pytest.raises(ArtifactError, match="cut or altered"):
            list(read_rows(file))


def test_a_row_that_cannot_be_read_is_named() -> None:
    """A row of a newer version, or a truncated one, is an error with its key."""
    key, value = next(row for row in _busy().take_dirty() if row[0][:1] == b"u")
    for broken in (b"\x09" + value[1:], value[:20], b""):
        with pytest.raises(ArtifactError, match="cannot be read"):
            Users(CONFIG).load(key, broken)

"""Promises of streams/state.py."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streams.errors import ArtifactError
from streams.line import drive
from streams.rows import Change, Row, User, joined, kind_of, parted, read_rows, write_rows
from streams.state import Users
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


def _loaded(rows: Sequence[Change], base: Sequence[Row] = ()) -> Users:
    users = Users(CONFIG)
    for key, value in base:
        users.load_base(key, value)
    users.finish()
    for key, change in rows:
        users.load(key, change)
    users.finish()
    return users


def test_rows_give_the_same_users_back() -> None:
    """Memory, ring of past steps, window with its days, counts, owned items and list survive as they were."""
    users = _busy()
    loaded = _loaded(users.take_dirty())
    assert {"ann", "bob"} == set(loaded)
    assert all(_same(users[name], loaded[name]) for name in users)


def test_joined_rows_come_apart_again() -> None:
    """A user who has not been asked for is one value, the same rows whatever order they came in, of six bytes a row more."""
    rows = {kind_of(key): value for key, value in _busy().all_rows() if key.endswith(b"ann")}
    assert rows == parted(joined(rows))
    assert joined(rows) == joined(dict(reversed(rows.items())))
    assert sum(map(len, rows.values())) + 6 * len(rows) == len(joined(rows))


def test_rows_lie_over_those_of_an_artifact() -> None:
    """Only the steps since the artifact are written; together with it they give the whole memory, however often a row is there."""
    one = line()
    list(drive(one, [took("ann", item, (n + 1) * DAY, n) for n, item in enumerate("ab")]))
    artifact = list(one.users.all_rows())
    rows: list[Change] = []
    for number, item in enumerate("cd", start=3):
        list(drive(one, [took("ann", item, number * DAY, number)]))
        rows += one.users.take_dirty()
    assert 4 + 2 == sum(key[:1] != b"s" for key, _ in [*artifact, *rows])
    assert _same(one.users["ann"], _loaded(rows, artifact)["ann"])


def test_a_row_is_written_once_for_each_change() -> None:
    """What has not changed since the last commit is not written again."""
    users = _busy()
    assert users.take_dirty()
    assert [] == users.take_dirty()


def test_a_cut_or_altered_file_is_refused(tmp_path: Path) -> None:
    """A file of rows that was cut or altered is named, never half used."""
    file = tmp_path / "users.rows"
    rows = list(_busy().all_rows())
    write_rows(file, iter(rows))
    assert rows == list(read_rows(file))
    content = file.read_bytes()
    for broken in (content[:-1], content[:100], b"", content[:50] + b"?" + content[51:]):
        file.write_bytes(broken)
        with pytest.raises(ArtifactError, match="cut or altered"):
            list(read_rows(file))


def test_a_row_of_a_newer_program_is_named() -> None:
    """A row of a newer version is an error with its key: nothing of it may be dropped."""
    key, value = next(_busy().all_rows())
    with pytest.raises(ArtifactError, match="version 9"):
        Users(CONFIG).load(key, b"\x09" + value[1:])


@pytest.mark.parametrize("kind", [b"u", b"w", b"s"])
def test_an_altered_row_costs_its_user_alone(kind: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A flipped or missing byte is named and counted, its user starts anew with all his rows deleted, the others stay as they were."""
    users = _busy()
    rows = list(users.all_rows())
    place = next(number for number, (key, _) in enumerate(rows) if key[:1] == kind and key.endswith(b"ann"))
    key, value = rows[place]
    for broken in (value[:20] + bytes([value[20] ^ 1]) + value[21:], value[:20], b""):
        loaded = _loaded([*rows[:place], (key, broken), *rows[place + 1 :]])
        assert ["bob"] == list(loaded)
        assert 1 == loaded.broken_rows
        assert "its user starts anew" in caplog.text
        assert {one for one, _ in rows if one.endswith(b"ann")} == {one for one, deleted in loaded.take_dirty() if deleted is None}
        assert _same(users["bob"], loaded["bob"])


def test_a_removed_user_is_gone_from_rows_and_artifact() -> None:
    """All rows of a forgotten user are deleted, he does not come back from the artifact, and when he returns he is new."""
    artifact = list(_busy().all_rows())
    users = _loaded([], artifact)
    users.remove("ann")
    changes = users.take_dirty()
    assert {key for key, _ in artifact if key.endswith(b"ann")} == {key for key, value in changes if value is None}
    kept = [(key, value) for key, value in changes if value is not None]
    assert not any(b"ann" in key or b"ann" in value for key, value in kept)
    again = _loaded(kept, artifact)
    assert ["bob"] == list(again)
    again["ann"].touched_at = 5
    again.posted("ann")
    returned = _loaded([*kept, *again.take_dirty()], artifact)
    assert 0 == returned["ann"].memory.steps
    assert [] == returned["ann"].owned


def test_the_stalest_users_leave_first() -> None:
    """Beyond the limit those seen least lately are removed, also after a restart; those under way stay."""
    one = line(users_limit=3)
    list(drive(one, [posted(name, TEXTS[0], DAY + number) for number, name in enumerate("edcba")]))
    assert ["c", "b", "a"] == list(one.users)
    assert 2 == one.counts["evicted_users"]
    restored = _loaded(list(one.users.all_rows())[::-1])
    assert ["c", "b", "a"] == list(restored)
    restored.evict(1, keep={"c"})
    assert ["c"] == list(restored)


def test_users_not_touched_for_long_are_packed_and_come_back_the_same() -> None:
    """Beyond the limit those touched least lately become rows again, once these are written; what comes of them is the same."""
    every, few = line(), line()
    few.users = Users(CONFIG, decoded_kept=2)
    records = [took(name, item, (n + 1) * DAY + m, 4 * n + m) for n, item in enumerate("abcda") for m, name in enumerate("pqrs")]
    for one in (every, few):
        for record in records:
            list(drive(one, [record, posted(record.user, TEXTS[1], record.at, record.source.offset)]))
            one.users.take_dirty()
    assert (4, 2) == (every.users.decoded, few.users.decoded)
    assert list(every.users.all_rows()) == list(few.users.all_rows())


def test_users_with_changes_are_not_packed() -> None:
    """What has not been written yet may be in use: it stays decoded above the limit, and leaves it by and by after the commit."""
    users = Users(CONFIG, decoded_kept=1)
    for name in "abcd":
        users[name].touched_at = 5
        users.posted(name)
    assert 4 == users.decoded
    users.take_dirty()
    for name, decoded in (("e", 3), ("f", 2), ("g", 1)):
        assert (0, decoded) == (users[name].touched_at, users.decoded)
    assert 5 == users["a"].touched_at


def test_windows_of_those_who_never_act_are_bounded() -> None:
    """Posts of years are kept as the days within reach, which are told of, also after a restart, until he acts or leaves."""
    one = line(first_window_days=30)
    list(drive(one, [posted("ann", TEXTS[0], day * DAY, day) for day in range(800)]))
    assert 31 == one.users.daily_windows
    loaded = _loaded(list(one.users.all_rows()))
    assert 31 == loaded.daily_windows
    loaded.remove("ann")
    assert 0 == loaded.daily_windows
    list(drive(one, [took("ann", "a", 800 * DAY)]))
    assert 0 == one.users.daily_windows

"""The state of the users: in memory as decoded rows, on Kafka and in an artifact as binary ones (DESIGN section 7).

Three kinds of row, told apart by the first byte of the key, so that each change rewrites little:

    u<user>         last interaction, list, owned items, h, C        changes with an interaction
    w<user>         open window, running topic counts, last list     changes with a post too
    s<slot><user>   one past step (x sparse, h in float16)           a ring of the last L

Legend: N networks, K topics, M = N*K, H hidden, L past steps.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from model import Memory, ModelConfig
from streams.errors import ArtifactError
from streams.windows import Window

_VERSION = 1
_SIZES = struct.Struct("<II")
Row = tuple[bytes, bytes]


@dataclass(slots=True)
class User:
    """Everything the line knows of one user."""

    memory: Memory
    window: Window
    counts_NK: NDArray[np.float32]
    last_at: int | None = None
    owned: list[str] = field(default_factory=list)
    listed: tuple[str, ...] | None = None
    listed_at: int | None = None
    rowed_steps: int = 0  # steps that have their row already


class Users:
    """All users, and which of their rows are newer than the last commit."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._users: dict[str, User] = {}
        self._dirty_users: set[str] = set()
        self._dirty_windows: set[str] = set()
        self._loaded_steps: dict[str, dict[int, bytes]] = {}

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __getitem__(self, name: str) -> User:
        """The user, made when he is new."""
        user = self._users.get(name)
        if user is None:
            networks, topics = len(self._config.networks), self._config.topics
            user = User(Memory.empty(self._config), Window.empty(networks, topics), np.zeros((networks, topics), np.float32))
            self._users[name] = user
        return user

    def posted(self, name: str) -> None:
        """The user's window has changed."""
        self._dirty_windows.add(name)

    def acted(self, name: str) -> None:
        """The user's window, memory, list or owned items have changed."""
        self._dirty_windows.add(name)
        self._dirty_users.add(name)

    def take_dirty(self) -> list[Row]:
        """Every changed row once; they count as written from now on."""
        rows = [(b"w" + name.encode(), _window_row(self._users[name])) for name in sorted(self._dirty_windows)]
        for name in sorted(self._dirty_users):
            rows += self._user_rows(name)
        self._dirty_users.clear()
        self._dirty_windows.clear()
        return rows

    def all_rows(self) -> Iterator[Row]:
        """Every row of every user, for an artifact."""
        for name, user in self._users.items():
            user.rowed_steps = 0
            yield b"w" + name.encode(), _window_row(user)
            yield from self._user_rows(name)

    def _user_rows(self, name: str) -> list[Row]:
        user, key = self._users[name], name.encode()
        rows = [(b"u" + key, _user_row(user))]
        memory, past = user.memory, len(user.memory.past_x)
        for back in range(min(past, memory.steps - user.rowed_steps), 0, -1):
            number = memory.steps - back
            slot = bytes([number % self._config.past])
            rows.append((b"s" + slot + key, _step_row(number, memory.past_x[past - back], memory.past_h[past - back])))
        user.rowed_steps = memory.steps
        return rows

    def load(self, key: bytes, value: bytes) -> None:
        """Take one stored row; `finish` must follow the last one. Raises ArtifactError on a row that cannot be read."""
        try:
            self._load(key, value)
        except (ValueError, KeyError, IndexError, struct.error) as error:
            raise ArtifactError(f"state row {key!r} cannot be read ({error}); restore it or start with a fresh group") from error

    def _load(self, key: bytes, value: bytes) -> None:
        if value[0] != _VERSION:
            raise ValueError(f"row version {value[0]}, known is {_VERSION}")
        if key[:1] == b"s":
            number = int.from_bytes(value[1:5], "little")
            self._loaded_steps.setdefault(key[2:].decode(), {})[number] = value
        elif key[:1] == b"w":
            _read_window(self[key[1:].decode()], value)
        else:
            self._load_user(self[key[1:].decode()], value)

    def _load_user(self, user: User, value: bytes) -> None:
        fields, body = _unpack(value)
        hidden = self._config.hidden
        h_H = np.frombuffer(body, np.float16, hidden).astype(np.float32)
        C_H = np.frombuffer(body, np.float32, hidden, 2 * hidden).copy()
        # The past stays that of the artifact until `finish` lays the loaded steps over it; a log may hold a row many times.
        user.memory = Memory(h_H, C_H, user.memory.past_x, user.memory.past_h, fields["steps"])
        user.last_at, user.owned = fields["last_at"], fields["owned"]
        user.listed = None if fields["listed"] is None else tuple(fields["listed"])

    def finish(self) -> None:
        """Join the loaded steps to their users' memories."""
        for name, loaded in self._loaded_steps.items():
            user = self[name]
            memory, steps = user.memory, user.memory.steps
            # Steps up to `rowed_steps` are those of the artifact: only `finish` moves that mark while rows are loaded.
            known = {user.rowed_steps - back: -back for back in range(1, len(memory.past_x) + 1)}
            past = []
            for number in range(max(0, steps - self._config.past), steps):
                if number in loaded:
                    past.append(_read_step(loaded[number], self._config))
                else:
                    past.append((memory.past_x[known[number]], memory.past_h[known[number]]))
            past_x = np.array([x for x, _ in past], np.float16).reshape(len(past), -1)
            past_h = np.array([h for _, h in past], np.float16).reshape(len(past), -1)
            user.memory = Memory(memory.h_H, memory.C_H, past_x, past_h, steps)
            user.rowed_steps = steps
        self._loaded_steps.clear()


def _pack(fields: Mapping[str, object], *arrays: NDArray[np.generic]) -> bytes:
    header = orjson.dumps(fields)
    return b"".join([bytes([_VERSION]), len(header).to_bytes(4, "little"), header, *(array.tobytes() for array in arrays)])


def _unpack(value: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(value[1:5], "little")
    fields = orjson.loads(value[5 : 5 + size])
    return fields, value[5 + size :]


def _user_row(user: User) -> bytes:
    fields = {"last_at": user.last_at, "owned": user.owned, "listed": user.listed, "steps": user.memory.steps}
    return _pack(fields, user.memory.h_H.astype(np.float16), user.memory.C_H.astype(np.float32))


def _window_row(user: User) -> bytes:
    days = [[day, window.posts_N.tolist()] for day, window in user.window.days.items()]
    fields = {"listed_at": user.listed_at, "posts": user.window.posts_N.tolist(), "days": days}
    sums = [window.sums_NK for window in user.window.days.values()]
    return _pack(fields, user.counts_NK, user.window.sums_NK, *sums)


def _read_window(user: User, value: bytes) -> None:
    fields, body = _unpack(value)
    shape = user.counts_NK.shape
    arrays = np.frombuffer(body, np.float32).reshape(2 + len(fields["days"]), *shape).copy()
    user.counts_NK, user.listed_at = arrays[0], fields["listed_at"]
    user.window = Window(arrays[1], np.array(fields["posts"], np.int32))
    for (day, posts), sums_NK in zip(fields["days"], arrays[2:], strict=True):
        user.window.days[day] = Window(sums_NK, np.array(posts, np.int32))


def _step_row(number: int, x_M: NDArray[np.float16], h_H: NDArray[np.float16]) -> bytes:
    (active,) = np.nonzero(x_M)
    return b"".join([
        bytes([_VERSION]), number.to_bytes(4, "little"), len(active).to_bytes(4, "little"),
        active.astype("<u4").tobytes(), x_M[active].tobytes(), h_H.tobytes(),
    ])


def _read_step(value: bytes, config: ModelConfig) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    count = int.from_bytes(value[5:9], "little")
    x_M = np.zeros(len(config.networks) * config.topics, np.float16)
    active = np.frombuffer(value, "<u4", count, 9)
    x_M[active] = np.frombuffer(value, np.float16, count, 9 + 4 * count)
    return x_M, np.frombuffer(value, np.float16, config.hidden, 9 + 6 * count)


def write_rows(path: Path, rows: Iterator[Row]) -> None:
    """Write rows to a file with a checksum at its end, atomically."""
    digest = hashlib.sha256()
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for key, value in rows:
            chunk = _SIZES.pack(len(key), len(value)) + key + value
            digest.update(chunk)
            file.write(chunk)
        file.write(digest.digest())
    partial.replace(path)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file; ArtifactError when it is missing, cut or altered."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"no {path}; make the artifact with `crossnet train`") from error
    body = memoryview(content)[:-32]
    if hashlib.sha256(body).digest() != content[-32:]:
        raise ArtifactError(f"{path} is cut or altered; restore it or train again")
    position = 0
    while position < len(body):
        key_size, value_size = _SIZES.unpack_from(body, position)
        start = position + _SIZES.size
        yield bytes(body[start : start + key_size]), bytes(body[start + key_size : start + key_size + value_size])
        position = start + key_size + value_size

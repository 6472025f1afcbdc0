"""The rows of a user as bytes: on Kafka in the compacted `state`, and in an artifact's `users.rows` (DESIGN section 7).

Four kinds, told apart by the first byte of the key, so that each change rewrites little:

    u<user>         last interaction, list, owned items, h, C                      changes with an interaction
    w<user>         open window, running topic counts, last list, ids seen lately  changes with a post too
    s<slot><user>   one past step (x sparse, h in float16)                         a ring of the last L
    x<digest>       a user of the artifact who has been forgotten or evicted, by a digest of his name

A value is version(u8) crc32(u32) and a body; no value deletes the row.

Legend: N networks, K topics, M = N*K, H hidden, L past steps.
"""

import hashlib
import struct
import zlib
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

Row = tuple[bytes, bytes]
Change = tuple[bytes, bytes | None]
Rows = dict[bytes, bytes]  # kind (and slot) -> value: the rows of one user
Packed = bytes  # the same joined to one value: a few large objects take a tenth less memory than fifty small ones each
USER, WINDOW, STEP, GONE = b"u", b"w", b"s", b"x"
_VERSION = 2
_HEAD = struct.Struct("<BI")
_SIZES = struct.Struct("<II")
_PIECE = struct.Struct("<2sI")
_SLOTS = [STEP + bytes([slot]) for slot in range(256)]  # shared, because every user has fifty


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
    touched_at: int = 0
    "the latest event time he was seen at"
    seen: list[int] = field(default_factory=list)
    "fingerprints of the ids of his latest records"
    rowed_steps: int = 0
    "steps that have their row already"

    @classmethod
    def empty(cls, config: ModelConfig) -> "User":
        """A user of whom nothing is known."""
        networks, topics = len(config.networks), config.topics
        return cls(Memory.empty(config), Window.empty(networks, topics), np.zeros((networks, topics), np.float32))


def kind_of(key: bytes) -> bytes:
    """Kind of a row, with the slot of a step."""
    return _SLOTS[key[1]] if key[:1] == STEP else key[:1]


def name_of(key: bytes) -> str:
    """The user whose row it is."""
    return key[2 if key[:1] == STEP else 1 :].decode()


def gone_key(name: str) -> bytes:
    """Key of the row that says that a user of the artifact is gone; it does not tell who he was."""
    return GONE + hashlib.blake2b(name.encode(), digest_size=16).digest()


def is_whole(key: bytes, value: bytes) -> bool:
    """Whether a value is as it was written. Raises ArtifactError for one of a newer program."""
    if value and value[0] > _VERSION:
        raise ArtifactError(f"state row {key!r} has version {value[0]}, this program reads {_VERSION}; use the newer one")
    return len(value) > _HEAD.size and _HEAD.unpack_from(value) == (_VERSION, zlib.crc32(memoryview(value)[_HEAD.size :]))


def joined(rows: Rows) -> Packed:
    """The rows of one user as one value, the window first."""
    return b"".join([part for kind in sorted(rows, reverse=True) for part in (_PIECE.pack(kind, len(rows[kind])), rows[kind])])


def parted(packed: Packed) -> Rows:
    """The rows that were joined."""
    rows, start = {}, 0
    while start < len(packed):
        kind, size = _PIECE.unpack_from(packed, start)
        start += _PIECE.size + size
        rows[kind_of(kind)] = packed[start - size : start]
    return rows


def glance(packed: Packed) -> tuple[int, int]:
    """When a user was seen last, and how many days his window has, without unpacking him."""
    kind, size = _PIECE.unpack_from(packed)
    if kind_of(kind) != WINDOW:
        return 0, 0
    fields, _ = _unpack(packed[_PIECE.size : _PIECE.size + size])
    return int(fields["touched"]), len(fields["days"])


# ---- user to rows ----


def gone_value() -> bytes:
    """The value of a row of kind `x`."""
    return _sealed(b"gone")


def window_row(name: str, user: User) -> Row:
    """The row that a post changes."""
    days = [[day, window.posts_N.tolist()] for day, window in user.window.days.items()]
    fields = {
        "listed_at": user.listed_at, "touched": user.touched_at, "seen": len(user.seen), "posts": user.window.posts_N.tolist(),
        "days": days,
    }  # fmt: skip
    sums = [window.sums_NK for window in user.window.days.values()]
    return WINDOW + name.encode(), _pack(fields, np.array(user.seen, "<u8"), user.counts_NK, user.window.sums_NK, *sums)


def user_rows(name: str, user: User, config: ModelConfig) -> list[Row]:
    """What an interaction changes beside the window: the user's row, and one for each step that has none yet."""
    key, memory, past = name.encode(), user.memory, len(user.memory.past_x)
    fields = {"last_at": user.last_at, "owned": user.owned, "listed": user.listed, "steps": memory.steps}
    rows = [(USER + key, _pack(fields, memory.h_H.astype(np.float16), memory.C_H.astype(np.float32)))]
    for back in range(min(past, memory.steps - user.rowed_steps), 0, -1):
        number = memory.steps - back
        rows.append((_SLOTS[number % config.past] + key, _step(memory.past_x[past - back], memory.past_h[past - back])))
    user.rowed_steps = memory.steps
    return rows


def _pack(fields: Mapping[str, object], *arrays: NDArray[np.generic]) -> bytes:
    header = orjson.dumps(fields)
    return _sealed(b"".join([len(header).to_bytes(4, "little"), header, *(array.tobytes() for array in arrays)]))


def _sealed(body: bytes) -> bytes:
    return _HEAD.pack(_VERSION, zlib.crc32(body)) + body


def _step(x_M: NDArray[np.float16], h_H: NDArray[np.float16]) -> bytes:
    (active,) = np.nonzero(x_M)
    return _sealed(b"".join([
        len(active).to_bytes(4, "little"), active.astype("<u4").tobytes(), x_M[active].tobytes(), h_H.tobytes(),
    ]))


# ---- rows to user ----


def unpacked(packed: Packed, config: ModelConfig) -> User:
    """The user in his rows. Raises ArtifactError where a row does not fit the model or a step is missing."""
    user, rows = User.empty(config), parted(packed)
    try:
        if WINDOW in rows:
            _read_window(user, rows[WINDOW])
        if USER in rows:
            _read_user(user, rows, config)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise ArtifactError(f"rows of a user do not fit together ({error!r}); restore `state` or start with a fresh group") from error
    return user


def _unpack(value: bytes) -> tuple[dict[str, Any], memoryview]:
    start = _HEAD.size + 4
    size = int.from_bytes(value[_HEAD.size : start], "little")
    return orjson.loads(value[start : start + size]), memoryview(value)[start + size :]


def _read_window(user: User, value: bytes) -> None:
    fields, body = _unpack(value)
    user.seen = np.frombuffer(body, "<u8", fields["seen"]).tolist()
    arrays = np.frombuffer(body[8 * fields["seen"] :], np.float32).reshape(2 + len(fields["days"]), *user.counts_NK.shape).copy()
    user.counts_NK, user.listed_at, user.touched_at = arrays[0], fields["listed_at"], fields["touched"]
    user.window = Window(arrays[1], np.array(fields["posts"], np.int32))
    for (day, posts), sums_NK in zip(fields["days"], arrays[2:], strict=True):
        user.window.days[day] = Window(sums_NK, np.array(posts, np.int32))


def _read_user(user: User, rows: Rows, config: ModelConfig) -> None:
    fields, body = _unpack(rows[USER])
    hidden, steps = config.hidden, fields["steps"]
    past = [_read_step(rows[_SLOTS[number % config.past]], config) for number in range(max(0, steps - config.past), steps)]
    user.memory = Memory(
        np.frombuffer(body, np.float16, hidden).astype(np.float32),
        np.frombuffer(body, np.float32, hidden, 2 * hidden).copy(),
        np.array([x_M for x_M, _ in past], np.float16).reshape(len(past), config.width),
        np.array([h_H for _, h_H in past], np.float16).reshape(len(past), hidden),
        steps,
    )
    user.last_at, user.owned, user.rowed_steps = fields["last_at"], fields["owned"], steps
    user.listed = None if fields["listed"] is None else tuple(fields["listed"])


def _read_step(value: bytes, config: ModelConfig) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    start = _HEAD.size + 4
    count = int.from_bytes(value[_HEAD.size : start], "little")
    x_M = np.zeros(config.width, np.float16)
    x_M[np.frombuffer(value, "<u4", count, start)] = np.frombuffer(value, np.float16, count, start + 4 * count)
    return x_M, np.frombuffer(value, np.float16, config.hidden, start + 6 * count)


# ---- files ----


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

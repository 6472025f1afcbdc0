"""Lessons: everything that changes the weights, as values and as bytes (DESIGN section 9). Of a wave that was ranked:

    b"L" version(u8) B(u32) M(u32) H(u32)  B users, B items (each u16 length + UTF-8)
    at (B int64)  g (B float64)  x (B*M float32)  h, C, h_A (B*H float32 each)              all little-endian

Version 3, of preset `full`, goes on: V(u32), v (B*V float32), ends_tie(u8), and for each interaction the number (u16) and names of the
items before it.
`Forgotten` and `Known` are the other kinds.

Legend: B interactions, M length of x, H hidden, V length of v, n items, W buckets of words.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.wave import Advanced, Floats, Wave

_MAGIC, _PLAIN, _FULL = b"L", 1, 3
_HEADER = struct.Struct("<cBIII")
_FORGOTTEN, _KNOWN, _NAMES_HEADER = b"F", b"K", struct.Struct("<cBI")
BUCKETS = 256  # that words are hashed to; one byte
_MOST = 255  # of one bucket in one text; one byte
_LENGTH = struct.Struct("<H")
_FULL_HEADER = struct.Struct("<IB")
_REMEDY = "restore it, or start from a newer checkpoint"


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One wave with the items taken. h and C are those BEFORE the step."""

    users: tuple[str, ...]
    items: tuple[str, ...]
    x_BM: Floats
    g_B: NDArray[np.float64]
    h_BH: Floats
    C_BH: Floats
    h_A_BH: Floats
    at: tuple[int, ...]
    "epoch milliseconds of each interaction"
    past: tuple[tuple[str, ...], ...] = ()
    "items each user took before, newest last (preset `full`)"
    ends_tie: bool = True
    "whether no interaction of the same time follows"
    posts_BV: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    "what the post head sees (preset `full`)"

    def __post_init__(self) -> None:
        sizes = {len(one) for one in (self.items, self.x_BM, self.g_B, self.h_BH, self.C_BH, self.h_A_BH, self.at)}
        if sizes != {len(self.users)} or not self.users:
            raise ModelError(
                f"a lesson of {len(self.users)} users and parts of {sorted(sizes)}; one of each is needed, and at least one"
            )

    @classmethod
    def of(
        cls, wave: Wave, ranked: Advanced, rows: Sequence[int], items: tuple[str, ...], at: tuple[int, ...], *, ends_tie: bool = True
    ) -> "Lesson":
        """The lesson of some rows of a ranked wave; `items` and `at` go with `rows`."""
        chosen = list(rows)
        memories = [wave.memories[row] for row in chosen]
        return cls(
            users=tuple(wave.users[row] for row in chosen),
            items=items,
            x_BM=wave.x_BM[chosen],
            g_B=wave.g_B[chosen],
            h_BH=np.stack([one.h_H for one in memories]),
            C_BH=np.stack([one.C_H for one in memories]),
            h_A_BH=ranked.h_A_BH[chosen],
            at=at,
            past=tuple(wave.past[row] for row in chosen) if wave.past else (),
            ends_tie=ends_tie,
            posts_BV=wave.posted()[chosen] if wave.past else np.zeros((0, 0), np.float32),
        )

    def to_bytes(self) -> bytes:
        """The lesson as one record; `from_bytes` gives the same back to the last bit."""
        B, M, H = len(self.users), self.x_BM.shape[1], self.h_BH.shape[1]
        names = (*self.users, *self.items)
        floats = (self.x_BM, self.h_BH, self.C_BH, self.h_A_BH)
        return b"".join([
            _HEADER.pack(_MAGIC, _FULL if self.past else _PLAIN, B, M, H),
            _packed(names),
            np.array(self.at, "<i8").tobytes(),
            self.g_B.astype("<f8").tobytes(),
            *(one.astype("<f4").tobytes() for one in floats),
            *([_FULL_HEADER.pack(self.posts_BV.shape[1], self.ends_tie), self.posts_BV.astype("<f4").tobytes()] if self.past else []),
            *(_LENGTH.pack(len(own)) + _packed(own) for own in self.past),
        ])

    @classmethod
    def from_bytes(cls, value: bytes) -> "Lesson":
        """The lesson in a record; ModelError when it is cut, altered in its lengths, or of a newer version."""
        try:
            return cls._read(value)
        except (struct.error, UnicodeDecodeError) as error:
            raise ModelError(f"a lesson of {len(value)} bytes cannot be read ({error}); {_REMEDY}") from error

    @classmethod
    def _read(cls, value: bytes) -> "Lesson":
        magic, version, B, M, H = _HEADER.unpack_from(value)
        if magic != _MAGIC or version not in (_PLAIN, _FULL):
            raise ModelError(
                f"lesson of kind {magic!r} version {version}; this program reads {_MAGIC!r} versions 1 and 3: use the newer one"
            )
        names, position = _unpacked(value, _HEADER.size, 2 * B)
        end = position + B * (16 + 4 * (M + 3 * H))
        more, found = _full(value, end, B) if version == _FULL else ({}, end)
        if len(value) != found:
            raise ModelError(f"a lesson of {len(value)} bytes should have {found}; {_REMEDY}")
        at = np.frombuffer(value, "<i8", B, position)
        g_B = np.frombuffer(value, "<f8", B, position + 8 * B)
        floats = np.frombuffer(value, "<f4", B * (M + 3 * H), position + 16 * B)
        x, h, C, h_A = np.split(floats, np.cumsum([B * M, B * H, B * H]))
        return cls(
            names[:B], names[B:], x.reshape(B, M), g_B, h.reshape(B, H), C.reshape(B, H), h_A.reshape(B, H), tuple(at.tolist()),
            **more,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Users whose rows are taken away at this place of the log. As bytes: b"F" version(u8) n(u32), and n names."""

    users: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """The lesson as one record."""
        return _NAMES_HEADER.pack(_FORGOTTEN, _PLAIN, len(self.users)) + _packed(self.users)

    @classmethod
    def from_bytes(cls, value: bytes) -> "Forgotten":
        """The lesson in a record; ModelError when it is cut or of a newer version."""
        users, end = _names(value, "forgotten users")
        if end != len(value):
            raise ModelError(f"a lesson of forgotten users of {len(value)} bytes should have {end}; {_REMEDY}")
        return cls(users)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Items that may be ranked from this place of the log on, with the words of their texts as they now are.

    As bytes: b"K" version(u8) n(u32), n names, for each the number (u16) of its buckets; all buckets (u8), their counts (u8).
    """

    items: tuple[str, ...]
    counts_nW: NDArray[np.uint8]
    "words of each item's text, by bucket; all zero = no text"

    @classmethod
    def of(cls, words: Mapping[str, Sequence[str]]) -> "Known":
        """The lesson of items with the words of their texts; no words = no text (any more)."""
        counts_nW = np.zeros((len(words), BUCKETS), np.uint8)
        for row, own in enumerate(words.values()):
            # Not hash(), which differs from process to process.
            buckets = [zlib.crc32(word.encode(errors="replace")) % BUCKETS for word in own]
            counts_nW[row] = np.minimum(np.bincount(buckets, minlength=BUCKETS), _MOST) if buckets else 0
        return cls(tuple(words), counts_nW)

    def only(self, places: Sequence[int]) -> "Known":
        """The same of some of the items."""
        return Known(tuple(self.items[place] for place in places), self.counts_nW[list(places)])

    def to_bytes(self) -> bytes:
        """The lesson as one record."""
        row, bucket = np.nonzero(self.counts_nW)
        numbers = np.bincount(row, minlength=len(self.items)).astype("<u2")
        counts = self.counts_nW[row, bucket]
        header = _NAMES_HEADER.pack(_KNOWN, _PLAIN, len(self.items))
        return header + _packed(self.items) + numbers.tobytes() + bucket.astype(np.uint8).tobytes() + counts.tobytes()

    @classmethod
    def from_bytes(cls, value: bytes) -> "Known":
        """The lesson in a record; ModelError when it is cut or of a newer version."""
        try:
            items, position = _names(value, "known items")
            numbers = np.frombuffer(value, "<u2", len(items), position)
        except ValueError as error:
            raise ModelError(f"a lesson of {len(value)} bytes cannot be read ({error}); {_REMEDY}") from error
        total, position = int(numbers.sum()), position + 2 * len(items)
        if len(value) != position + 2 * total:
            raise ModelError(f"a lesson of known items of {len(value)} bytes should have {position + 2 * total}; {_REMEDY}")
        counts_nW = np.zeros((len(items), BUCKETS), np.uint8)
        bucket, count = np.frombuffer(value, np.uint8, 2 * total, position).reshape(2, total)
        counts_nW[np.repeat(np.arange(len(items)), numbers), bucket] = count
        return cls(items, counts_nW)


def lesson_of(value: bytes) -> Lesson | Forgotten | Known:
    """What a record of the lesson log says; ModelError when it cannot be read."""
    kinds: dict[bytes, type[Forgotten | Known]] = {_FORGOTTEN: Forgotten, _KNOWN: Known}
    return kinds.get(value[:1], Lesson).from_bytes(value)


def _names(value: bytes, what: str) -> tuple[tuple[str, ...], int]:
    """The names in a record that starts with them, and where they end."""
    try:
        _, version, count = _NAMES_HEADER.unpack_from(value)
        names, end = _unpacked(value, _NAMES_HEADER.size, count)
    except (struct.error, UnicodeDecodeError) as error:
        raise ModelError(f"a lesson of {len(value)} bytes cannot be read ({error}); {_REMEDY}") from error
    if version != _PLAIN:
        raise ModelError(f"a lesson of {what} of version {version}; this program reads version {_PLAIN}: use the newer one")
    return names, end


def _packed(names: Sequence[str]) -> bytes:
    return b"".join(_LENGTH.pack(len(name)) + name for name in (one.encode() for one in names))


def _unpacked(value: bytes, position: int, count: int) -> tuple[tuple[str, ...], int]:
    """Names, and where they end."""
    names = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(value, position)
        position += _LENGTH.size + length
        names.append(value[position - length : position].decode())
    return tuple(names), position


def _full(value: bytes, position: int, count: int) -> tuple[dict[str, Any], int]:
    """What version 3 adds, and where it ends."""
    width, ends_tie = _FULL_HEADER.unpack_from(value, position)
    position += _FULL_HEADER.size
    end = position + 4 * count * width
    if end > len(value):
        raise struct.error(f"v of length {width} for {count} interactions")
    posts_BV = np.frombuffer(value, "<f4", count * width, position).reshape(count, width)
    position, past = end, []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(value, position)
        own, position = _unpacked(value, position + _LENGTH.size, length)
        past.append(own)
    return {"past": tuple(past), "ends_tie": bool(ends_tie), "posts_BV": posts_BV}, position

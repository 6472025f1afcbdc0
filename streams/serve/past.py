"""A user's past interactions, as his lists told of them: one JSON line each, oldest first, the last few kept, packed.

There are 100,000 users: as objects their past would take ten times the memory of their lists.
"""

import zlib
from typing import Any

from streams.records import decode, encode

_FASTEST = 1
_KEYS = ("item", "rank_scored", "rank_published", "rank_popularity", "window")


class Past:
    """Packs and unpacks; keeps at most `length` interactions of a user."""

    def __init__(self, length: int) -> None:
        self._length = length

    def with_list(self, past: bytes, fields: dict[str, Any]) -> tuple[bytes, bool]:
        """The past with the interaction a list tells of, and whether it is new: a worker repeats lists after a crash."""
        last = fields["last"]
        if last is None:
            return past, False
        start = b'{"id":' + encode(fields["id"]) + b","
        lines = zlib.decompress(past).split(b"\n") if past else []
        if any(line.startswith(start) for line in lines):
            return past, False
        told = {key: last.get(key) for key in _KEYS}
        lines.append(encode({"id": fields["id"], "at": fields["at"], **told}))
        return zlib.compress(b"\n".join(lines[-self._length :]), _FASTEST), True

    def unpacked(self, past: bytes) -> list[dict[str, Any]]:
        """The interactions, newest first."""
        return [decode(line) for line in reversed(zlib.decompress(past).split(b"\n"))] if past else []

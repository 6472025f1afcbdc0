"""Hostile records: what a broken or malicious sender may write, made from good ones."""

import random
from collections.abc import Callable, Sequence

_TRAPS = (
    "\x00", "\x7f", "\u00ad", "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\ufffd", "\uffff", "\ud7ff", "\U0010ffff",
    "e\u0301" * 50,
    "Z\u0351\u036f\u0310" * 40, "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0130\u0131\u017f\u1e9e\ufb03", "#" * 500, "@" * 500,
    "http://" * 200, "\n\r\t\u2028\u2029", "\u0644\u0627" * 30, "\u0e01\u0e33" * 30, "\u1100\u1161\u11a8" * 30,
)  # fmt: skip
_NUMBERS = (
    "1e999", "-1e999", "9" * 400, "0." + "1" * 400, "-0", "1E400", "18446744073709551616", "-9223372036854775809", "NaN", "Infinity",
)  # fmt: skip
_TIMES = (
    '"9999-12-31T23:59:59"', '"0001-01-01"', '"2020-13-45"', '""', "true", "[]", "253402300800000", "-1",
    '"2020-01-01T00:00:00+99:99"',
)  # fmt: skip


def hostile(good: Sequence[bytes], count: int, draw: random.Random) -> list[bytes]:
    """`count` records; the same ones for the same `draw`."""
    kinds: tuple[Callable[[bytes, random.Random], bytes], ...] = (
        _flipped, _cut, _doubled, _random, _deep, _number, _time, _text, _odd_user, _surrogate, _type,
    )  # fmt: skip
    return [draw.choice(kinds)(draw.choice(good), draw) for _ in range(count)]


def _flipped(good: bytes, draw: random.Random) -> bytes:
    changed = bytearray(good)
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _cut(good: bytes, draw: random.Random) -> bytes:
    return good[: draw.randrange(len(good))]


def _doubled(good: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(good))
    return good[:place] + good + good[place:]


def _random(_: bytes, draw: random.Random) -> bytes:
    return draw.randbytes(draw.randint(0, 400))


def _deep(_: bytes, draw: random.Random) -> bytes:
    depth = draw.choice((10, 1000, 20_000))
    return draw.choice((b"[" * depth, b"[" * depth + b"]" * depth, b'{"user":' * depth, b'{"user":"u","text":' + b"[" * depth))


def _number(_: bytes, draw: random.Random) -> bytes:
    return f'{{"user":"u","item":"v","text":"t","at":{draw.choice(_NUMBERS)}}}'.encode()


def _time(_: bytes, draw: random.Random) -> bytes:
    return f'{{"user":"u","item":"v","text":"t","at":{draw.choice(_TIMES)}}}'.encode()


def _text(_: bytes, draw: random.Random) -> bytes:
    text = "".join(draw.choice(_TRAPS) for _ in range(draw.randint(1, 5)))
    return b'{"user":"u","item":"v","at":1500000000000,"text":"%s"}' % _escaped(text)


def _odd_user(_: bytes, draw: random.Random) -> bytes:
    name = draw.choice(_TRAPS)[: draw.randint(1, 60)]
    return b'{"user":"%s","item":"%s","at":1500000000000,"text":"goal"}' % (_escaped(name), _escaped(name[::-1]))


def _surrogate(_: bytes, draw: random.Random) -> bytes:
    lone = (b'{"user":"\\ud800","text":"t"}', b'{"user":"u","text":"\\udfff\\ud800"}', b'{"user":"\xed\xa0\x80","text":"t"}')
    return draw.choice(lone)


def _type(_: bytes, draw: random.Random) -> bytes:
    value = draw.choice(("null", "{}", "[1]", "true", "1.5", '{"a":1}'))
    field = draw.choice(("user", "item", "text", "at", "id"))
    fields = {"user": '"u"', "item": '"v"', "text": '"t"', "at": "1500000000000", "id": '"1"', field: value}
    return ("{" + ",".join(f'"{name}":{one}' for name, one in fields.items()) + "}").encode()


def _escaped(text: str) -> bytes:
    plain = (one if one.isprintable() and one not in '"\\' else "".join(f"\\u{unit:04x}" for unit in _units(one)) for one in text)
    return "".join(plain).encode()


def _units(character: str) -> list[int]:
    raw = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[place : place + 2], "big") for place in range(0, len(raw), 2)]

"""Text to tokens, for posts in any script. Same text, same tokens, for ever: a change of the rules raises `VERSION`.

What is dropped: URLs, e-mail addresses, mentions with their retweet mark ("RT @x:"), punctuation, tokens above 64 characters.
What is kept: words (case-folded, NFKC, possessive 's removed, "soooo" -> "soo"), contractions ("don't"), numbers ("1,000"), acronyms
("u.s"), hashtags ("#tag"), cashtags ("$aapl"), emoji (one token each, without skin tone), and for scripts without
spaces character n-grams: pairs for Han and Hiragana, triples for Thai, Lao, Khmer and Myanmar; Katakana runs are loan
words and stay whole.

Text is cleaned and cut at white space; the tokens of a chunk are remembered, because posts repeat their words. ASCII chunks take a
simpler pattern with the same result, which a property test holds.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

import regex  # type: ignore[import-untyped]

from topics_svc.errors import InputError

VERSION = 1
LONGEST = 64  # characters of a token; longer ones are encoded data, not words
_REMEMBERED = 1 << 17  # chunks; about 20 MB
_Made = TypeVar("_Made")
_PAIRS = r"\p{Han}\p{Hiragana}"
_TRIPLES = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_KATAKANA = r"\p{Katakana}\u30FC"
_PICTURE = r"[\p{Extended_Pictographic}--[#*0-9©®]]"
_EMOJI = (
    r"\p{RI}\p{RI}|[0-9#*]\uFE0F?\u20E3"
    rf"|{_PICTURE}[\uFE0F\p{{EMod}}\U000E0020-\U000E007F]{{0,8}}(?:\u200D{_PICTURE}[\uFE0F\p{{EMod}}]{{0,2}}){{0,8}}"
)
# Quantifiers are bounded and guarded by a look-behind: a megabyte of "a-a-a-" must cost linear time.
_NOISE = (
    r"\bhttps?\b[!-~]*|\bwww\.[!-~]+"
    r"|(?<![a-z0-9.-])(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,18}/[!-~]*"
    r"|(?<![a-z0-9.+_-])[a-z0-9.+_-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}"
    r"|@WORD+:?"
)
_WORDS = (
    r"#DIGIT*LETTERWORD*|\$[a-z]{1,6}(?!ALNUM)"
    r"|(?<!ALNUM)(?:[a-z]\.){2,8}"
    r"|[0-9]+(?:[.,][0-9]+)+(?!ALNUM)"
    r"|STARTALNUM*(?:'START+)*"
)
_ASCII = {"WORD": "[a-z0-9_]", "LETTER": "[a-z_]", "DIGIT": "[0-9]", "ALNUM": "[a-z0-9]", "START": "[a-z0-9]"}
_SPACED = rf"--[{_PAIRS}{_TRIPLES}{_KATAKANA}]]"
_UNICODE = {
    "WORD": r"[\p{L}\p{M}\p{N}_]", "LETTER": r"[\p{L}_]", "DIGIT": r"[\p{N}]",
    "ALNUM": rf"[\p{{L}}\p{{M}}\p{{N}}\u200C\u200D{_SPACED}", "START": rf"[\p{{L}}\p{{N}}{_SPACED}",
}  # fmt: skip


def _filled(template: str, classes: dict[str, str]) -> str:
    for name, pattern in classes.items():
        template = template.replace(name, pattern)
    return template


_noise_ascii = re.compile(_filled(_NOISE, _ASCII)).sub
_tokens_ascii = re.compile(_filled(_WORDS, _ASCII)).findall
_noise_any = regex.compile(_filled(_NOISE, _UNICODE), regex.V1).sub
_tokens_any: Callable[[str], list[str]] = regex.compile(
    rf"{_EMOJI}|{_filled(_WORDS, _UNICODE)}|[{_PAIRS}々ー]+|[{_TRIPLES}\p{{M}}]+|[{_KATAKANA}]+", regex.V1
).findall
_apostrophes = str.maketrans("\u2019\u02bc\u2018\uff07", "''''")
_invisible = regex.compile(r"[\u00AD\u061C\u200B\u200E\u200F\u202A-\u202E\u2060\u2066-\u2069\uFEFF]").sub
_retweet = re.compile(r"\b(?:rt|via)\s{1,3}@").sub
_surrogates = re.compile("[\ud800-\udfff]").sub
_joiners = regex.compile(r"[\u200C\u200D]").sub
_tones = regex.compile(r"[\uFE0F\p{EMod}]").sub
_elongation = regex.compile(r"(\p{L})\1{2,}").sub
_is_emoji = regex.compile(_EMOJI, regex.V1).match
_in_pairs = regex.compile(rf"[{_PAIRS}]").match
_in_triples = regex.compile(rf"[{_TRIPLES}]").match
_graphemes: Callable[[str], list[str]] = regex.compile(r"\X").findall
_hashtag = regex.compile(r"#([\p{L}\p{M}\p{N}_]{2,})")
_humps: Callable[[str], list[str]] = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}\p{Lo}]+|\p{N}+").findall


class Memo(dict[str, _Made]):
    """Chunk to what is made of it, remembered: posts repeat their words. Bounded; safe among threads."""

    def __init__(self, make: Callable[[str], _Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, chunk: str) -> _Made:
        made = self._make(chunk)
        if len(chunk) <= LONGEST and "/" not in chunk:  # URLs do not come twice
            if len(self) >= _REMEMBERED:
                self.clear()
            self[chunk] = made
        return made


def tokens(text: str, *, split_hashtags: bool = False) -> list[str]:
    """The tokens of `text` in their order, [n]; empty where there is nothing to keep.

    `split_hashtags` adds the words of a CamelCase or under_scored hashtag after the hashtag itself.
    Raises InputError for anything but a string. Lone surrogates count as spaces.
    """
    return [word for chunk in chunks(text, split_hashtags=split_hashtags) for word in _remembered[chunk]]


def chunks(text: str, *, split_hashtags: bool = False) -> list[str]:
    """`text` cleaned and cut at white space; no token reaches over the edge of a chunk."""
    if not isinstance(text, str):
        raise InputError(f"text is {text!r:.80} ({type(text).__name__}); pass a str")
    if split_hashtags and "#" in text:
        text = _hashtag.sub(_with_parts, text)
    if "&" in text:
        text = html.unescape(text)
    text = text.lower() if text.isascii() else _folded(text)
    if "@" in text:
        text = _retweet("@", text)
    return text.split()


def of_chunk(chunk: str) -> tuple[str, ...]:
    """The tokens of one chunk."""
    plain = chunk.isascii()
    if "/" in chunk or "@" in chunk or "http" in chunk or "www." in chunk:
        chunk = (_noise_ascii if plain else _noise_any)(" ", chunk)
    if plain:
        return tuple(word for raw in _tokens_ascii(chunk) if (word := _word(raw)))
    return tuple(word for raw in _tokens_any(chunk) for word in _of_run(raw) if word)


def _folded(text: str) -> str:
    """Compatibility forms, case and invisible characters evened out."""
    text = unicodedata.normalize("NFKC", _surrogates(" ", text)).translate(_apostrophes)
    return str(_invisible("", unicodedata.normalize("NFKC", text.casefold())))


def _word(raw: str) -> str:
    """One raw match as its token: no final 's or dot, runs of three or more equal letters as two; "" if too long."""
    word = raw.removesuffix("'s").rstrip(".")
    if len(word) > 3:  # "iii", "aaa" and "www" are names, not elongations
        word = _elongation(r"\1\1", word)
    return word if len(word) <= LONGEST else ""


def _of_run(raw: str) -> list[str]:
    """Tokens of a match outside ASCII: an emoji, n-grams of a script without spaces, or a word."""
    if _is_emoji(raw):
        return [_tones("", raw)]
    if _in_pairs(raw):
        return _grams(list(raw), 2)
    if _in_triples(raw):
        return _grams(_graphemes(raw), 3)
    return [_word(_joiners("", raw))]


def _grams(parts: list[str], size: int) -> list[str]:
    if len(parts) <= size:
        return ["".join(parts)]
    return ["".join(parts[i : i + size]) for i in range(len(parts) - size + 1)]


def _with_parts(found: "regex.Match[str]") -> str:
    parts = _humps(found.group(1))
    return f"{found.group(0)} {' '.join(parts)}" if len(parts) > 1 else found.group(0)


_remembered: Memo[tuple[str, ...]] = Memo(of_chunk)

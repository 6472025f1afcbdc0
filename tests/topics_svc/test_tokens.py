"""The tokenizer."""
# ruff: noqa: RUF001 - characters that look like others are what is tested

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topics_svc import InputError
from topics_svc.tokens import LONGEST, of_chunk, tokens
from topics_svc.tokens import _tokens_any as tokens_by_the_long_way
from topics_svc.tokens import _word as word_of

CASES = {
    "words are lower-cased, punctuation goes": ("Hello, World!", ["hello", "world"]),
    "URLs go": ("see https://t.co/aB?x=1#y www.a.org/b pic.twitter.com/Qx now", ["see", "now"]),
    "mentions go with their retweet mark": ("RT @ann: yes via @bob", ["yes"]),
    "e-mail addresses go": ("write ann.b+c@mail.example.org today", ["write", "today"]),
    "a hashtag is one token": ("#BlackLivesMatter #2020election #1", ["#blacklivesmatter", "#2020election", "1"]),
    "a cashtag is one token": ("$AAPL costs $100", ["$aapl", "costs", "100"]),
    "contractions stay, possessives lose their end": ("don't don’t the Senator's", ["don't", "don't", "the", "senator"]),
    "elongations become pairs, short names stay": ("soooo coooool III", ["soo", "cool", "iii"]),
    "entities are read": ("Q&amp;A &lt;3 caf&eacute;", ["q", "a", "3", "café"]),
    "acronyms and numbers stay whole": ("U.S. spends 1,000.50 in D.C.", ["u.s", "spends", "1,000.50", "in", "d.c"]),
    "an emoji is a token without skin tone": ("ok 👍🏽❤️👨‍👩‍👧🇫🇷", ["ok", "👍", "❤", "👨‍👩‍👧", "🇫🇷"]),
    "a keycap is an emoji": ("1️⃣", ["1⃣"]),
    "full-width forms are plain forms": ("ＡＢＣ ＃ｔａｇ ＠ｂｏｂ", ["abc", "#tag"]),
    "case folding goes beyond lower case": ("Straße ΣΊΣΥΦΟΣ", ["strasse", "σίσυφοσ"]),
    "Han comes in pairs": ("今天天气", ["今天", "天天", "天气"]),
    "one Han character is a token": ("我 ok", ["我", "ok"]),
    "Katakana stays whole beside Han": ("東京タワー", ["東京", "タワー"]),
    "Thai comes in triples of graphemes": ("ครับผม", ["ครับ", "รับผ", "บผม"]),
    "right-to-left text with its joiners and marks": ("\u200fسلام می\u200cخواهم", ["سلام", "میخواهم"]),
    "Hebrew": ("שלום עולם", ["שלום", "עולם"]),
    "Devanagari keeps its vowel signs": ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    "Hangul is cut at spaces": ("한국어 텍스트", ["한국어", "텍스트"]),
    "a URL ends where another script begins": ("http://t.co/abc你好", ["你好"]),
    "a lone surrogate is a space": ("a\ud83db \udc00", ["a", "b"]),
    "zero-width and bidi characters vanish": ("wo\u200brd \u202etext\u202c", ["word", "text"]),
    "nothing": ("", []),
    "punctuation only": ("?! ... --", []),
}


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    """Each kind of text gives the tokens written beside it, of version 1 for ever."""
    text, expected = CASES[case]
    assert expected == tokens(text)


def test_split_hashtags() -> None:
    """On request a CamelCase or under_scored hashtag also counts as its words."""
    assert ["#blacklivesmatter", "black", "lives", "matter"] == tokens("#BlackLivesMatter", split_hashtags=True)
    assert ["#climate_action", "climate", "action"] == tokens("#climate_action", split_hashtags=True)
    assert ["#usa"] == tokens("#USA", split_hashtags=True)


@given(st.text(st.characters(max_codepoint=127)))
def test_short_way_equals_long_way(text: str) -> None:
    """For ASCII the simple pattern and the Unicode pattern find the same tokens."""
    for chunk in text.lower().split():
        if not set("/@") & set(chunk) and "http" not in chunk and "www." not in chunk:
            assert tuple(word for raw in tokens_by_the_long_way(chunk) if (word := word_of(raw))) == of_chunk(chunk)


@given(st.text(st.characters(codec=None), max_size=200))
@settings(max_examples=200)
def test_any_text(text: str) -> None:
    """Any string, surrogates included, gives bounded tokens without white space that can be written as UTF-8; twice the same."""
    found = tokens(text)
    assert found == tokens(text)
    for token in found:
        assert 0 < len(token.encode())
        assert not any(character.isspace() for character in token)
        assert len(token) <= 4 * LONGEST


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20), max_size=8))
def test_chunks_are_independent(parts: list[str]) -> None:
    """Text cut at spaces has the tokens of its parts one after the other."""
    parts = [part for part in parts if not set("@&＠﹫＆﹠") & set(part)]
    assert [token for part in parts for token in tokens(part)] == tokens(" ".join(parts))


@pytest.mark.parametrize("unit", ["a", "a-", "@a", "a.", "a@", "1.", "#1", "日", "ก", "👍\u200d", "\u0301", "&", "é'", "a.b/"])
def test_megabyte(unit: str) -> None:
    """A megabyte of any pattern ends, in linear work."""
    assert len(tokens(unit * (1_000_000 // len(unit)))) <= 1_000_000


@pytest.mark.parametrize("value", [None, 3, b"bytes", ["list"], 1.5])
def test_no_string(value: object) -> None:
    """Anything but a string is refused by name."""
    with pytest.raises(InputError, match="pass a str"):
        tokens(value)  # type: ignore[arg-type]

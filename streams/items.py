"""What a model is told of items: title and text, as words.

The tokenizer is that of the topics, so that a word of an item is a word of a post.
"""

from collections.abc import Iterable

from model import Known
from streams.records import Item
from topics_svc.tokens import tokens


def text_of(item: Item) -> str:
    """Title and text."""
    return " ".join(one for one in (item.title, item.text) if one)


def words_of(item: Item) -> list[str]:
    """The words of both; none where there is neither."""
    return tokens(text_of(item))


def known(items: Iterable[Item]) -> Known:
    """The lesson that makes items known; retired ones are left out, as nobody is shown them."""
    return Known.of({one.item: words_of(one) for one in items if not one.retired})

"""What a model is told of items."""

import numpy as np

from model import Known
from streams.items import known
from streams.records import Item


def test_items_become_known_by_title_and_text() -> None:
    """Both are cut into words, in any script; an item without either is known by its name alone, a retired one not at all."""
    told = [Item("v1", "Clean Water Act", "The river's water"), Item("v2", text="\u6d77\u6c34"), Item("v3"), Item("v4", retired=True)]
    made = known(told)
    expected = Known.of({"v1": ["clean", "water", "act", "the", "river", "water"], "v2": ["\u6d77\u6c34"], "v3": []})
    assert expected.items == made.items
    np.testing.assert_array_equal(expected.counts_nW, made.counts_nW)

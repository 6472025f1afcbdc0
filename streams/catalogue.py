"""What the Kafka topic `items` says: which items are retired, and what the model has not been told of the others yet.

The topic is compacted and read from its beginning at every start, so a worker that takes over has the same catalogue.
"""

from collections import OrderedDict

import numpy as np
from aiokafka import ConsumerRecord
from numpy.typing import NDArray

from model import Known
from streams.items import known
from streams.records import InvalidRecord, decode, item


class Catalogue:
    """Folds records in the order they come; the newest word on an item counts. The latest `retired_kept` retired items are kept."""

    def __init__(self, retired_kept: int | None = None) -> None:
        self._retired_kept = retired_kept  # None: all of them
        self._retired: OrderedDict[str, None] = OrderedDict()  # latest last
        self.dropped_retired = 0
        self.unreadable = 0
        self._news: dict[str, NDArray[np.uint8]] = {}  # words of each item's text, oldest news first

    def take(self, record: ConsumerRecord) -> None:
        """Take one record. One without a value retires the item of its key; one that is no item is counted."""
        try:
            if record.value is None:
                self._retire((record.key or b"").decode("utf-8", "replace"))
                return
            said = item(decode(record.value))
        except InvalidRecord:
            self.unreadable += 1
            return
        if said.retired:
            self._retire(said.item)
            return
        self._retired.pop(said.item, None)
        self._news.pop(said.item, None)
        self._news[said.item] = known([said]).counts_nW[0]

    def _retire(self, name: str) -> None:
        self._retired[name] = None
        self._retired.move_to_end(name)
        self._news.pop(name, None)
        if self._retired_kept is not None and len(self._retired) > self._retired_kept:
            self._retired.popitem(last=False)
            self.dropped_retired += 1

    @property
    def retired(self) -> list[str]:
        """Those that are on no list. May be asked from another thread than the one that takes records: copied in one go."""
        return list(self._retired)

    @property
    def has_news(self) -> bool:
        """Whether there is something that `take_news` would give."""
        return bool(self._news)

    def take_news(self, count: int) -> Known:
        """Of up to `count` items what has come since it was last asked."""
        names = tuple(list(self._news)[:count])
        return Known(names, np.stack([self._news.pop(name) for name in names]))

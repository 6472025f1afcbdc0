"""Names of users or items and their rows in the weights; a newcomer gets a forgotten one's row, at the cap the stalest."""

from bisect import insort
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_NOBODY = ""  # no name is empty


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a name stands, and whether its row is new to it."""

    row: int
    is_new: bool


class Ids:
    """A bijection of names and rows 0..n-1, in order of last use."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._rows: dict[str, int] = {}  # stalest first
        self._names: list[str] = []
        self._free: list[int] = []  # of forgotten names, in order

    def __len__(self) -> int:
        """Rows there are; those of forgotten names wait for newcomers."""
        return len(self._names)

    @property
    def named(self) -> int:
        """Rows that have a name."""
        return len(self._rows)

    def get(self, name: str) -> int | None:
        """Row of a name, None when it has none."""
        return self._rows.get(name)

    def rows(self, names: Collection[str]) -> tuple[int, ...]:
        """Rows of those names that have one, in their order."""
        try:
            return tuple(map(self._rows.__getitem__, names))  # all have one, mostly
        except KeyError:
            return tuple([row for row in map(self._rows.get, names) if row is not None])

    def name(self, row: int) -> str:
        """The name that has a row."""
        return self._names[row]

    def use(self, name: str) -> Placed:
        """Row of a name, which becomes the freshest; a new name gets a new row, at the cap the stalest one."""
        row = self._rows.pop(name, None)
        is_new = row is None
        if row is None and self._free:
            row = self._free.pop()  # the highest: the same one after a restart
            self._names[row] = name
        elif row is None:
            row = len(self._names)
            if row < self._cap:
                self._names.append(name)
            else:
                row = self._rows.pop(next(iter(self._rows)))
                self._names[row] = name
        self._rows[name] = row
        return Placed(row, is_new)

    def forget(self, name: str) -> int | None:
        """Take a name's row away; gives the row, None when there was none."""
        row = self._rows.pop(name, None)
        if row is not None:
            self._names[row] = _NOBODY
            insort(self._free, row)
        return row

    def names(self) -> list[str]:
        """All names by row."""
        return list(self._names)

    def stalest_first(self) -> list[int]:
        """Rows by last use."""
        return list(self._rows.values())

    @classmethod
    def restored(cls, cap: int, names: Iterable[str], stalest_first: Iterable[int]) -> "Ids":
        """Ids as they were saved."""
        ids = cls(cap)
        ids._names = list(names)
        ids._rows = {ids._names[row]: row for row in stalest_first}
        ids._free = sorted(set(range(len(ids._names))) - set(ids._rows.values()))
        return ids

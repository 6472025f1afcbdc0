"""The users in memory, and which of their rows are newer than the last commit (DESIGN section 7).

A user is kept as his rows until somebody asks for him, and again when he has not been touched for long: a start need not decode a
hundred thousand users, and those who stay away take little memory. The one touched least lately comes first, and leaves first when
there are too many.
"""

import logging
from collections import OrderedDict
from collections.abc import Container, Iterator
from itertools import islice

from model import ModelConfig
from streams.errors import ArtifactError
from streams.rows import (
    GONE,
    STEP,
    USER,
    WINDOW,
    Change,
    Packed,
    Row,
    Rows,
    User,
    glance,
    gone_key,
    gone_value,
    is_whole,
    joined,
    kind_of,
    name_of,
    parted,
    unpacked,
    user_rows,
    window_row,
)

_logger = logging.getLogger(__name__)
_PACKED_AT_ONCE = 2  # more than one, so that it catches up; each takes some 0.3 ms in which the line waits


class Users:
    """All users by name; of those without changes no more than `decoded_kept` stay decoded (None: all of them)."""

    def __init__(self, config: ModelConfig, decoded_kept: int | None = None) -> None:
        self._config, self._decoded_kept = config, decoded_kept
        self._users: dict[str, User | Packed] = {}
        self._decoded: OrderedDict[str, User] = OrderedDict()  # touched latest last
        self._days: dict[str, int] = {}  # of the windows of those who have not acted yet
        self._dirty_users: set[str] = set()
        self._dirty_windows: set[str] = set()
        self._deleted: list[Change] = []
        self._based: set[str] = set()  # of the artifact: without a word about them they would be back after a restart
        self._loaded: dict[str, Rows] = {}  # since the last `finish`,
        self._gone: set[bytes] = set()  # and what they say of who is gone and which are broken
        self._broken: set[bytes] = set()
        self.broken_rows = 0

    def __len__(self) -> int:
        return len(self._users)

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __contains__(self, name: object) -> bool:
        return name in self._users

    def __getitem__(self, name: str) -> User:
        """The user, made when he is new."""
        user = self._users.get(name)
        if not isinstance(user, User):
            user = User.empty(self._config) if user is None else unpacked(user, self._config)
            self._users[name] = user
            self._decoded[name] = user
            self._pack(name)
        return user

    def get(self, name: str) -> User | None:
        """The user, None when there is no such one."""
        return self[name] if name in self._users else None

    @property
    def decoded(self) -> int:
        """How many are decoded."""
        return len(self._decoded)

    @property
    def daily_windows(self) -> int:
        """How many windows of one day there are, of users who have not acted yet."""
        return sum(self._days.values())

    def _pack(self, newest: str) -> None:
        """Back to rows with those touched least lately, but none with changes: the line may be at work on him."""
        if self._decoded_kept is None:
            return
        for _ in range(min(_PACKED_AT_ONCE, len(self._decoded) - self._decoded_kept)):
            name = next(iter(self._decoded))
            if name == newest or name in self._dirty_windows:
                return
            self._users[name] = joined({kind_of(key): value for key, value in self._rows(name, self._decoded.pop(name))})

    def _rows(self, name: str, user: User) -> list[Row]:
        user.rowed_steps = 0
        return [window_row(name, user), *user_rows(name, user, self._config)]

    # ---- changes ----

    def posted(self, name: str) -> None:
        """The user's window has changed."""
        self._dirty_windows.add(name)
        user = self[name]
        self._users[name] = self._users.pop(name)  # to the end: touched latest
        self._decoded.move_to_end(name)
        self._days.pop(name, None)
        if user.window.days:
            self._days[name] = len(user.window.days)

    def acted(self, name: str) -> None:
        """The user's window, memory, list or owned items have changed."""
        self._dirty_users.add(name)
        self.posted(name)

    def remove(self, name: str) -> None:
        """Forget a user: his rows are deleted with the next commit."""
        found = self._users.pop(name, None)
        if found is None:
            return
        self._decoded.pop(name, None)
        self._days.pop(name, None)
        key = name.encode()
        if isinstance(found, User):
            steps = range(min(found.memory.steps, self._config.past))
            kinds = [USER, WINDOW, *(STEP + bytes([slot]) for slot in steps)]
        else:
            kinds = list(parted(found))
        self._deleted += [(kind + key, None) for kind in kinds]
        if name in self._based:
            self._based.discard(name)
            self._deleted.append((gone_key(name), gone_value()))
        self._dirty_users.discard(name)
        self._dirty_windows.discard(name)

    def evict(self, limit: int, keep: Container[str]) -> int:
        """Remove those touched least lately beyond `limit`, but none of `keep`; gives how many."""
        stalest = (name for name in self._users if name not in keep)
        leaving = list(islice(stalest, max(0, len(self._users) - limit)))
        for name in leaving:
            self.remove(name)
        return len(leaving)

    def take_dirty(self) -> list[Change]:
        """Every changed row once, and those to delete; they count as written from now on."""
        rows, self._deleted = self._deleted, []
        rows += [window_row(name, self[name]) for name in sorted(self._dirty_windows)]
        for name in sorted(self._dirty_users):
            rows += user_rows(name, self[name], self._config)
        self._dirty_users.clear()
        self._dirty_windows.clear()
        return rows

    def all_rows(self) -> Iterator[Row]:
        """Every row of every user, for an artifact."""
        for name in list(self._users):
            yield from self._rows(name, self[name])

    # ---- stored rows ----

    def load_base(self, key: bytes, value: bytes) -> None:
        """Take a row of the artifact; those of `load` go over it. Raises ArtifactError on one that cannot be read."""
        if not is_whole(key, value):
            raise ArtifactError(f"row {key!r} of the artifact cannot be read; train again")
        name = name_of(key)
        self._based.add(name)
        self._loaded.setdefault(name, {})[kind_of(key)] = value

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take a stored row or its deletion, in the order written; `finish` must follow the last one."""
        self._broken.discard(key)
        if value is not None and not is_whole(key, value):
            self._broken.add(key)
        elif key[:1] == GONE:
            self._gone.add(key)
        elif value is not None:
            self._loaded.setdefault(name_of(key), {})[kind_of(key)] = value
        else:
            self._loaded.get(name_of(key), {}).pop(kind_of(key), None)

    def finish(self) -> None:
        """Lay the stored rows over the artifact's, leave out who is gone, and put the one touched least lately first."""
        if self._gone:
            for name in [one for one in self._based if gone_key(one) in self._gone]:
                self._based.discard(name)
                del self._users[name]
        for name in list(self._loaded):
            rows = self._loaded.pop(name)
            if rows:
                self._users[name] = joined(parted(self._packed(name)) | rows)
        seen = {name: glance(self._packed(name)) for name in self._users}
        self._users = dict(sorted(self._users.items(), key=lambda one: seen[one[0]][0]))
        self._days = {name: days for name, (_, days) in seen.items() if days}
        for key in sorted(self._broken):
            self._mend(key)
        self._broken.clear()

    def _packed(self, name: str) -> Packed:
        found = self._users.get(name, b"")
        if isinstance(found, User):
            raise TypeError(f"user {name!r} is in use already; rows are loaded first")
        return found

    def _mend(self, key: bytes) -> None:
        self.broken_rows += 1
        self._deleted.append((key, None))
        if key[:1] != GONE:
            name = name_of(key)
            _logger.error("a %s row of the state is cut or altered; its user starts anew", key[:1].decode(), extra={"user": name})
            self.remove(name)

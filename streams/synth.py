"""A seeded synthetic world, written as a data folder: people who write about what they will watch next.

Each person has lasting interests and a current theme that stays for a while and then changes. Before a visit to the target
network he posts, mostly about the theme of that visit, so posts tell of a change before the interactions do. Items belong
to a theme, come in series that are watched in order, appear over time, and lose their appeal again, so popularity drifts.
The same world gives the same bytes.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.errors import DataError

_THEMES: dict[str, str] = {
    "football": """goal striker penalty referee derby league midfield keeper transfer stadium corner offside header coach
        kickoff champions tackle dribble squad fixture relegation winger captain trophy""",
    "cooking": """recipe oven garlic butter simmer dough roast spice skillet flour sauce basil whisk bake onion broth
        chef pasta kitchen lemon pepper caramel marinade dessert""",
    "space": """rocket orbit galaxy launch astronaut telescope comet lunar mars satellite nebula gravity eclipse asteroid
        capsule booster planet cosmos stellar module probe docking payload saturn""",
    "music": """guitar album chord concert drummer vinyl melody chorus bass band lyrics studio acoustic tour remix
        playlist rhythm piano encore vocals synth festival single harmony""",
    "gardening": """tomato seedling compost prune soil greenhouse tulip mulch harvest pollinator raised watering bulbs
        orchard weeds trellis perennial lawn hedge shovel sunflower sprout roots blossom""",
    "cycling": """peloton sprint gears derailleur climb saddle helmet gravel cadence breakaway wheels pedal stage brakes
        chain route velodrome jersey descent tires trail handlebar puncture summit""",
    "gaming": """console quest raid boss speedrun controller indie multiplayer loot respawn patch pixel arcade leaderboard
        dungeon sandbox avatar cutscene platformer shooter campaign mod esports joystick""",
    "photography": """lens aperture shutter tripod exposure portrait landscape focus bokeh camera darkroom filter macro flash
        raw negative composition contrast zoom film frame lightroom sensor golden""",
    "travel": """passport hostel flight luggage itinerary island museum backpack border ferry airport hotel visa market
        temple coastline souvenir beach guidebook layover train village cruise map""",
    "films": """director trailer sequel premiere screenplay actor scene cinema oscar thriller comedy soundtrack casting
        remake villain dialogue producer cameo screening animation documentary noir editing plot""",
}
# By how often they are used (Zipf): the words that every post has, whatever it is about.
_BACKGROUND = """the to a and of is in it you that for on this my with so just was at have be are me not what all now like
    really good new day today time one get can no up out about great love more when see how think back know people going
    still here some make never first need best got again last week night right why much way thing after well long little
    everyone morning always finally happy home weekend friends work tomorrow year better looking tonight maybe watch
    coffee rain phone street money family story idea question moment weather office news city lunch bus"""
_NETWORKS = ("twitter", "gplus")
_TWITTER_SHARE = 0.7
_ACTIONS = ("like", "share", "playlist")
_START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_STAYS = 0.5  # chance that a visit has the theme of the one before
_TELLS = 0.8  # chance that a post is about the theme of the visit that follows
_FOLLOWS = 0.35  # chance that the next item of the series is taken
_FADES_DAYS = 12.0  # after so long an item has lost two thirds of its appeal
_SERIES = 5  # items of one theme that are watched one after the other

Line: TypeAlias = dict[str, str | int]
_Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """How large a world, and which."""

    users: int = 200
    items: int = 300
    seed: int = 7
    days: int = 90
    interactions: int = 40
    "of one user, on average"

    def __post_init__(self) -> None:
        for name in ("users", "items", "days", "interactions"):
            if getattr(self, name) < 1:
                raise DataError(f"a synthetic world with {name} = {getattr(self, name)}; at least 1 is needed")
        if self.seed < 0:
            raise DataError(f"a synthetic world with seed = {self.seed}; a seed is 0 or more")


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines each file has."""

    posts: int
    events: int
    items: int


def write(world: World, folder: Path) -> Written:
    """Write `posts`, `events` and `items` as gzip'ed JSON lines sorted by time."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(world.seed)
    catalogue = _Catalogue(world, rng)
    posts: list[Line] = []
    events: list[Line] = []
    for number in range(world.users):
        _User(f"user{number:04d}", world, catalogue, rng).live(posts, events)
    posts.sort(key=_by_time)
    events.sort(key=_by_time)
    items = list(catalogue.lines())
    for name, lines in (("posts", posts), ("events", events), ("items", items)):
        _write_lines(folder / f"{name}.jsonl.gz", lines)
    return Written(len(posts), len(events), len(items))


class _Catalogue:
    """Items with theme, series, birth and quality; `owned` of a user is an array of truth values over them."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._rng = rng
        self.words = _Words(rng)
        self.count = world.items
        self.theme = np.arange(world.items) % len(_THEMES)
        place = np.arange(world.items) // len(_THEMES)
        self._series = self.theme + len(_THEMES) * (place // _SERIES)
        births = rng.uniform(-30.0, 0.95 * world.days, self._series.max() + 1)
        self._birth_days = births[self._series] + place % _SERIES
        self._birth_days[: len(_THEMES)] = -30.0  # every theme has something from the first day on
        self._quality = rng.lognormal(0.0, 0.6, world.items)

    def name(self, item: int) -> str:
        return f"video{item:04d}"

    def take(self, theme: int, day: float, owned: NDArray[np.bool_]) -> int | None:
        """An item of the theme that is out and not owned, by its appeal on that day; of any theme when there is none."""
        age = day - self._birth_days
        appeal = self._quality * (0.1 + np.exp(-np.maximum(age, 0.0) / _FADES_DAYS)) * ((age >= 0) & ~owned)
        of_theme = appeal * (self.theme == theme)
        weights = of_theme if of_theme.any() else appeal
        return _draw(self._rng, np.cumsum(weights)) if weights.any() else None

    def following(self, item: int, day: float, owned: NDArray[np.bool_]) -> int | None:
        """The next item of the same series, if it is out and not owned."""
        following = item + len(_THEMES)
        if following >= self.count or self._series[following] != self._series[item]:
            return None
        return None if owned[following] or self._birth_days[following] > day else following

    def lines(self) -> Iterator[Line]:
        for item in range(self.count):
            theme = int(self.theme[item])
            title = [word.capitalize() for word in self.words.of_theme(theme, 3)]
            part = (item // len(_THEMES)) % _SERIES + 1
            text = f"{self.words.text(theme, 10)}."
            yield {"item": self.name(item), "title": f"{title[0]} {title[1]}: {title[2]}, part {part}", "text": text}


class _Words:
    """Words of themes and of everything, the frequent ones first (Zipf)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._themes = [text.split() for text in _THEMES.values()]
        self._background = _BACKGROUND.split()
        self._zipf_background = np.cumsum(1.0 / np.arange(1, len(self._background) + 1))
        self._zipf_theme = [np.cumsum(1.0 / np.arange(3, len(words) + 3)) for words in self._themes]

    def of_theme(self, theme: int, count: int) -> list[str]:
        """Distinct words of one theme."""
        found: dict[str, None] = {}
        while len(found) < count:
            found[self._themes[theme][_draw(self._rng, self._zipf_theme[theme])]] = None
        return list(found)

    def text(self, theme: int, count: int) -> str:
        """Words of which some 45 in a hundred are the theme's."""
        about = self._rng.random(count) < 0.45
        return " ".join(self._one(theme) if special else self._any() for special in about)

    def post(self, network: str, theme: int) -> str:
        """A post as people write it there: short with tags, links and names, or long."""
        if network != "twitter":
            return self.text(theme, int(self._rng.integers(12, 30))).capitalize() + "."
        extras = self._rng.random(4) < (0.3, 0.12, 0.1, 0.1)
        tail = [
            f"#{self._one(theme)}",
            f"https://t.example/{int(self._rng.integers(16**6)):06x}",
            f"@{self._any()}{int(self._rng.integers(100))}",
            "😀🚀🔥👏"[int(self._rng.integers(4))],
        ]
        said = self.text(theme, int(self._rng.integers(6, 14)))
        return " ".join([said, *(one for one, is_there in zip(tail, extras, strict=True) if is_there)])

    def _one(self, theme: int) -> str:
        return self._themes[theme][_draw(self._rng, self._zipf_theme[theme])]

    def _any(self) -> str:
        return self._background[_draw(self._rng, self._zipf_background)]


class _User:
    """One person from his first visit to his last."""

    def __init__(self, name: str, world: World, catalogue: _Catalogue, rng: np.random.Generator) -> None:
        self._name = name
        self._world = world
        self._catalogue = catalogue
        self._rng = rng
        self._owned = np.zeros(world.items, dtype=np.bool_)
        self._interests = self._taste()
        self._left = max(3, round(world.interactions * float(rng.lognormal(-0.08, 0.4))))

    def live(self, posts: list[Line], events: list[Line]) -> None:
        """Append what he writes and what he watches."""
        theme = _draw(self._rng, np.cumsum(self._interests))
        before = float(_START_MS)
        for at in self._visits():
            if self._rng.random() > _STAYS:
                theme = _draw(self._rng, np.cumsum(self._interests))
            self._write(theme, max(before, at - 2 * _DAY_MS), at, posts)
            before = self._watch(theme, at, events)
            if self._rng.random() < 0.06:
                self._interests = 0.5 * self._interests + 0.5 * self._taste()

    def _taste(self) -> _Numbers:
        return self._rng.dirichlet(np.full(len(_THEMES), 0.25))

    def _visits(self) -> _Numbers:
        count = max(1, round(self._left / 1.8))
        days = self._rng.integers(self._world.days, size=count)
        hours = np.clip(self._rng.normal(19.0, 3.0, count), 0.0, 23.9)
        return np.sort(_START_MS + days * _DAY_MS + hours * _HOUR_MS)

    def _write(self, theme: int, since: float, until: float, posts: list[Line]) -> None:
        for at in np.sort(self._rng.uniform(min(since, until - 1), until, self._rng.poisson(2.2))):
            about = theme if self._rng.random() < _TELLS else _draw(self._rng, np.cumsum(self._interests))
            network = _NETWORKS[int(self._rng.random() >= _TWITTER_SHARE)]
            posts.append({"user": self._name, "network": network, "at": int(at), "text": self._catalogue.words.post(network, about)})

    def _watch(self, theme: int, at: float, events: list[Line]) -> float:
        """A visit: one to five items, minutes apart; when it ended."""
        item: int | None = None
        for _ in range(min(5, self._rng.geometric(0.55))):
            day = (at - _START_MS) / _DAY_MS
            following = None
            if item is not None and self._rng.random() < _FOLLOWS:
                following = self._catalogue.following(item, day, self._owned)
            item = self._catalogue.take(theme, day, self._owned) if following is None else following
            if item is None or self._left == 0:
                break
            self._owned[item] = True
            self._left -= 1
            action = _ACTIONS[min(2, int(self._rng.geometric(0.7)) - 1)]
            events.append({"user": self._name, "item": self._catalogue.name(item), "at": int(at), "action": action})
            at += float(self._rng.uniform(2.0, 15.0)) * 60_000
        return at


def _draw(rng: np.random.Generator, cumulative: _Numbers) -> int:
    """An index by its weight, from running sums of the weights."""
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def _by_time(line: Line) -> tuple[int, str]:
    return int(line["at"]), str(line["user"])


def _write_lines(file: Path, lines: Iterable[Line]) -> None:
    # No name and no time in the header: the same world must give the same bytes.
    with file.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
        for line in lines:
            packed.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

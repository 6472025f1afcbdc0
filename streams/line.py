"""The straight line: records in, Top-K lists out, learning on the way (DESIGN section 3).

    Post        -> theta -> open window                              gather
    Interaction -> closed window + gap -> step -> wave               gather
    wave        -> scores, before the items are looked at            rank
                -> ranks of the items; memory, owned items           advance
                -> weights and statistics                            learn     (at the end of a tie)
                -> lists for what comes next                         recommend

No Kafka, no clock and no threads in it. The worker, replay from files and training feed this same object. `rank`, `learn` and
`recommend` touch no user, so they may run in another thread while the next wave is gathered.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model import (
    PAST_ITEMS,
    Advanced,
    Forgotten,
    Known,
    Lesson,
    Memory,
    ModelConfig,
    Ranked,
    Recommender,
    Step,
    Wave,
    make_step,
    rank_of,
    topic_counts,
)
from streams.catalogue import Catalogue
from streams.lists import Listing, Request, recommendations, summary
from streams.records import Interaction, Last, Post, Recommendation, Source
from streams.rows import User
from streams.settings import LineSettings
from streams.state import Users
from streams.windows import Window
from topics_svc import TopicService


@dataclass(frozen=True, slots=True)
class Taken:
    """An interaction on its way through the line: its step, and its ranks once it has been ranked."""

    interaction: Interaction
    step: Step
    window: Window
    gap_seconds: float | None
    learned: bool
    rank_scored: int | None = None
    rank_published: int | None = None
    rank_popularity: int | None = None


Ranking = tuple[tuple[Taken, ...], Wave, Advanced]


@dataclass(frozen=True, slots=True)
class Learned:
    """What one wave taught."""

    lesson: Lesson
    loss: float


@dataclass(slots=True)
class Line:
    """One worker's line; `learns` says which interactions change the weights (training only feeds statistics with the others)."""

    recommender: Recommender
    topics: TopicService | None
    settings: LineSettings
    users: Users
    catalogue: Catalogue = field(default_factory=Catalogue)
    learns: Callable[[Interaction], bool] = lambda _: True
    publishes: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    wave: dict[str, Taken] = field(default_factory=dict)  # user -> his interaction; gathered, not yet ranked
    tie: list[Ranking] = field(default_factory=list)  # ranked, not yet learned
    asked: list[Request] = field(default_factory=list)  # lists that posts have made due
    last_at: int | None = None  # of the latest interaction gathered
    gathered: int = 0  # records since the last wave

    # ---- gather ----

    def closes_before(self, record: Post | Interaction) -> bool:
        """Whether the wave must be ranked before this record is gathered. Depends on the records alone, so that every run agrees."""
        if self.gathered >= self.settings.wave_records or len(self.asked) >= self.settings.wave:
            return True
        if isinstance(record, Post):
            return False
        return len(self.wave) >= self.settings.wave or record.user in self.wave or (bool(self.tie) and self.ends_tie(record))

    def ends_tie(self, record: Post | Interaction) -> bool:
        """Whether no further interaction of the same time can come (interactions precede posts), or too many have come already."""
        if isinstance(record, Post) or record.at != self.last_at:
            return True
        return sum(len(taken) for taken, _, _ in self.tie) >= self.settings.tie_limit

    def skips(self, record: Post | Interaction) -> bool:
        """Whether a record of this id has been taken from its user lately: it is counted, and must not be gathered again."""
        if record.id is None:
            return False
        user = self.users.get(record.user)
        repeated = user is not None and _fingerprint(record) in user.seen
        self.counts["repeated_records"] += repeated
        return repeated

    @property
    def settled(self) -> bool:
        """Nothing is under way: rows, lessons and lists agree with each other."""
        return not (self.wave or self.tie or self.asked)

    def gather(self, record: Post | Interaction) -> None:
        """Take one record in event-time order."""
        self.gathered += 1
        user = self.users[record.user]
        if isinstance(record, Post):
            self._gather_post(record, user)
            self.users.posted(record.user)
        else:
            self.counts["cut_ties"] += record.at == self.last_at and not (self.wave or self.tie)
            self.wave[record.user] = self._gather_interaction(record, user)
            self.last_at = record.at
            self.users.acted(record.user)
        self.counts["processed_records"] += 1
        user.touched_at = max(user.touched_at, record.at)
        if record.id is not None:
            user.seen = [*user.seen, _fingerprint(record)][-self.settings.ids_kept :]

    def _gather_post(self, post: Post, user: User) -> None:
        late = user.last_at is not None and post.at < user.last_at
        self.counts["late_posts"] += late
        if late and self.settings.late_posts == "drop":
            return
        counts_K = self._infer(post, user)
        network = self._config.networks.index(post.network)
        if user.last_at is None:
            user.window.add_first(post.at, network, counts_K, self.settings.first_window_days)
        else:
            user.window.add(network, counts_K)
        # A user of the wave gets his list after his interaction has been ranked; until then his memory is the old one.
        if post.user not in self.wave and self._list_is_due(user, post.at):
            user.listed_at = post.at
            self.asked.append(self._request(post.user, "post", post.source, post.at))

    def _infer(self, post: Post, user: User) -> NDArray[np.float32] | None:
        if self.topics is None:
            return None
        counts_K = user.counts_NK[self._config.networks.index(post.network)]
        theta_K = self.topics.infer(post.text, counts_K)
        if theta_K is None:
            self.counts["posts_without_evidence"] += 1
            return None
        counts_K += theta_K
        return topic_counts(theta_K, self._config)

    def _list_is_due(self, user: User, at: int) -> bool:
        refresh_ms = self.settings.refresh_seconds * 1000
        return self.publishes and refresh_ms > 0 and (user.listed_at is None or at - user.listed_at > refresh_ms)

    def _gather_interaction(self, interaction: Interaction, user: User) -> Taken:
        gap_seconds = _gap_seconds(user, interaction.at)
        self.counts["late_interactions"] += user.last_at is not None and interaction.at < user.last_at
        window = user.window.merged(interaction.at, self.settings.first_window_days)
        step = make_step(window.sums_NK, gap_seconds, self._config)
        user.window = Window.empty(len(self._config.networks), self._config.topics)
        user.last_at = max(interaction.at, user.last_at or 0)
        user.listed_at = interaction.at  # a list follows, so posts need not ask for one
        return Taken(interaction, step, window, gap_seconds, self.learns(interaction))

    # ---- rank ----

    def rank(self, wave: Wave) -> Ranked:
        """Score the catalogue for the users of a wave; the items they took are not looked at."""
        return self.recommender.rank(wave)

    def make_wave(self) -> Wave:
        """The gathered steps with their users' memories."""
        return self._wave(
            [(name, one.step, self.users[name].memory, one.interaction.at, self._past(name)) for name, one in self.wave.items()]
        )

    def _past(self, name: str) -> Sequence[str]:
        return self.users[name].owned[-PAST_ITEMS:] if self._config.preset == "full" else ()

    def _wave(self, entries: Sequence[tuple[str, Step, Memory, int, Sequence[str]]]) -> Wave:
        steps = [(name, step, memory) for name, step, memory, _, _ in entries]
        if self._config.preset == "paper":
            return Wave.of(steps)
        return Wave.of(steps, [at for *_, at, _ in entries], [past for *_, past in entries])

    # ---- advance ----

    def advance(self, wave: Wave, ranked: Ranked) -> list[Taken]:
        """Note the rank of each item taken, move the users' memories on; the wave waits for the end of its tie."""
        done = [self._advance(row, taken, ranked) for row, taken in enumerate(self.wave.values())]
        # Of what was ranked, learning reads only what attention has read: scores of a long tie would fill the memory.
        self.tie.append((tuple(done), wave, ranked.without_scores()))
        self.wave = {}
        return done

    def _advance(self, row: int, taken: Taken, ranked: Ranked) -> Taken:
        interaction = taken.interaction
        user = self.users[interaction.user]
        if taken.learned:
            taken = self._ranked(taken, user, ranked.scores_BI[row])
        user.memory = ranked.advanced(row, taken.step, user.memory)
        if interaction.item not in user.owned:
            self.counts["dropped_owned"] += len(user.owned) >= self.settings.owned_kept
            user.owned = [*user.owned, interaction.item][-self.settings.owned_kept :]
        self.users.acted(interaction.user)
        return taken

    def _ranked(self, taken: Taken, user: User, scores_I: NDArray[np.float32]) -> Taken:
        name, published = taken.interaction.item, None
        if user.listed is not None and name in user.listed:
            published = user.listed.index(name) + 1
        item = self.recommender.items.get(name)
        if item is None:
            self.counts["unknown_items"] += 1
            return replace(taken, rank_published=published)
        # An item taken again is not held against the ranking: it is scored among those the user does not own, and itself.
        owned = self.recommender.items.rows([one for one in user.owned if one != name])
        return replace(
            taken,
            rank_scored=rank_of(self.recommender.varied(scores_I, owned, self.settings.list_size), item, owned),
            rank_published=published,
            rank_popularity=rank_of(self.recommender.popularity.scores(taken.interaction.at), item, owned),
        )

    # ---- learn ----

    def take_tie(self) -> list[Ranking]:
        """The ranked waves, to be learned."""
        tie, self.tie = self.tie, []
        return tie

    def learn(self, tie: Sequence[Ranking]) -> list[Learned]:
        """Learn the waves of a tie one after the other; interactions that are not learned only feed statistics."""
        learned = []
        for number, (taken, wave, ranked) in enumerate(tie):
            rows = [row for row, one in enumerate(taken) if not one.learned]
            if rows:
                counted = [taken[row].interaction for row in rows]
                self.recommender.count_only(
                    tuple(one.item for one in counted), tuple(one.at for one in counted), tuple(one.user for one in counted),
                    [wave.past[row] for row in rows] if wave.past else (), wave.posted()[rows] if wave.past else None,
                )  # fmt: skip
            rows = [row for row, one in enumerate(taken) if one.learned]
            if rows:
                taught = [taken[row].interaction for row in rows]
                items, at = tuple(one.item for one in taught), tuple(one.at for one in taught)
                lesson = Lesson.of(wave, ranked, rows, items, at, ends_tie=number == len(tie) - 1)
                learned.append(Learned(lesson, self.recommender.learn(lesson)))
                self.counts["interactions_learned"] += len(rows)
        self.recommender.settle()
        return learned

    def forget(self, name: str) -> Forgotten:
        """Forget a user, when nothing is under way: his state and his row in the weights. The lesson takes the row away again."""
        self.users.remove(name)
        lesson = Forgotten((name,))
        self.recommender.forget(lesson)
        return lesson

    def know(self, said: Known) -> Known | None:
        """Tell the model, when nothing is under way, what the catalogue says; None where it knew all of it."""
        news = self.recommender.news(said)
        self.recommender.know(news)
        if self._config.preset == "full":
            self.counts["left_out_items"] += sum(self.recommender.items.get(name) is None for name in said.items)
        return news if news.items else None

    # ---- recommend ----

    def take_asked(self) -> list[Request]:
        """The lists that posts have made due, to be ranked before anything else is learned."""
        asked, self.asked, self.gathered = self.asked, [], 0
        if not self.tie:  # whose users are still to be listed
            self.counts["evicted_users"] += self.users.evict(self.settings.users_limit, keep=self.wave)
        return asked

    def requests(self) -> list[Request]:
        """A list for each interaction of the tie, of its user as he now is."""
        last = [one for taken, _, _ in self.tie for one in taken if one.learned]
        return [self._interaction_request(one) for one in last] if self.publishes else []

    def _interaction_request(self, taken: Taken) -> Request:
        interaction = taken.interaction
        window = summary(taken.window, taken.gap_seconds, self._config.networks)
        last = Last(interaction.item, taken.rank_scored, taken.rank_published, taken.rank_popularity, window)
        request = self._request(interaction.user, "interaction", interaction.source, interaction.at)
        return replace(request, last=last)

    def _request(self, name: str, trigger: str, source: Source, at: int) -> Request:
        user = self.users[name]
        gap_seconds = _gap_seconds(user, at)
        window = user.window.merged(at, self.settings.first_window_days)
        step = make_step(window.sums_NK, gap_seconds, self._config)
        past = tuple(self._past(name))
        return Request(name, trigger, source, at, step, user.memory, past, frozenset(user.owned), window, gap_seconds, last=None)

    def recommend(self, requests: Sequence[Request]) -> list[Recommendation]:
        """The lists asked for, ranked in waves of distinct users."""
        lists = []
        for batch in _distinct(requests, self.settings.wave):
            wave = self._wave([(one.user, one.step, one.memory, one.at, one.past) for one in batch])
            lists += recommendations(self._listing(), batch, wave, self.recommender.rank(wave))
        return lists

    def listed(self, lists: Iterable[Recommendation]) -> None:
        """Remember what the users were shown, for the rank of what they do next."""
        for one in lists:
            if one.user not in self.users:
                continue
            self.users[one.user].listed = tuple(entry["item"] for entry in one.items)
            self.users.acted(one.user)

    def _listing(self) -> Listing:
        return Listing(self.recommender, self.settings.list_size, self.recommender.items.rows(self.catalogue.retired))

    @property
    def _config(self) -> ModelConfig:
        return self.recommender.config


@dataclass(frozen=True, slots=True)
class Output:
    """What a flush of the line gave: ranked interactions, lessons and lists."""

    taken: list[Taken]
    learned: list[Learned]
    lists: list[Recommendation]


def flush(line: Line, *, ends_tie: bool) -> Output:
    """Rank and advance the wave; at the end of a tie learn it and make the lists. The worker does the same with threads."""
    lists = line.recommend(line.take_asked())
    line.listed(lists)
    taken: list[Taken] = []
    if line.wave:
        wave = line.make_wave()
        taken = line.advance(wave, line.rank(wave))
    learned: list[Learned] = []
    if ends_tie:
        requests, tie = line.requests(), line.take_tie()
        learned = line.learn(tie)
        made = line.recommend(requests)
        line.listed(made)
        lists += made
    return Output(taken, learned, lists)


def drive(line: Line, records: Iterable[Post | Interaction]) -> Iterator[Output]:
    """Run records in event-time order through the line, to the end."""
    for record in records:
        if line.skips(record):
            continue
        if line.closes_before(record):
            yield flush(line, ends_tie=line.ends_tie(record))
        line.gather(record)
    yield flush(line, ends_tie=True)


def _fingerprint(record: Post | Interaction) -> int:
    """Of an id and the Kafka topic whose senders gave it; two of a user's few latest ids do not share one by chance."""
    said = f"{record.source.kafka_topic}\0{record.id}".encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")


def _gap_seconds(user: User, at: int) -> float | None:
    return None if user.last_at is None else max(0, at - user.last_at) / 1000


def _distinct(requests: Sequence[Request], size: int) -> Iterator[list[Request]]:
    """Batches of at most `size` in order; a user who comes twice opens the next one."""
    batch: dict[str, Request] = {}
    for request in requests:
        if len(batch) >= size or request.user in batch:
            yield list(batch.values())
            batch = {}
        batch[request.user] = request
    if batch:
        yield list(batch.values())

"""The recommender: names outside, rows inside; ranks waves, learns lessons, is saved and loaded.

Legend: B users of a wave, M length of x, k factors, H hidden, I items.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model import checkpoint, state
from model.blend.blend import Blend
from model.blend.event import Seen
from model.blend.heads import RATES
from model.blend.posts import ByTopic
from model.blend.terms import Terms
from model.blend.variety import varied
from model.blend.weights import context_of
from model.errors import CheckpointError, ModelError
from model.lesson import Forgotten, Known, Lesson, lesson_of
from model.moved import Moved, moved
from model.network import Given
from model.online import Batch, update
from model.parameters import Parameters
from model.past import read_each, read_past
from model.ranking import Scores
from model.rounded import rounded, undisturbed
from model.second import EVERY, SecondCell
from model.step import Step
from model.threads import FEW, all_of, alone, once
from model.trace import Traced, trace
from model.wave import Advanced, Floats, Ranked, Wave


class Recommender(Parameters):
    """Ranks with its parameters and learns them.

    `rank`, `advance_only` and `trace` are pure functions of their arguments and the weights; `learn` and `count_only` change them.
    One thread at a time.
    """

    # ---- rank ----

    @torch.no_grad()
    def rank(self, wave: Wave) -> Ranked:
        """Score the whole catalogue for each user of a wave (eq. 1-8). Users without a row get the mean of those who have one."""
        with self._threads():
            return self._ranked(wave)

    def _ranked(self, wave: Wave) -> Ranked:
        step = once(lambda: self._given(wave, wave.x_BM[:, None]))
        blended = None
        if self.blend is not None and self.second is not None:
            blended = self._blended(self.blend, self.second, wave, lambda: step()[0])
        given, attention = step()
        h_B1H, C_B1H = self.network.after(given) if self.second is None else self.second.frozen(given)
        moved = (*_outputs(h_B1H[:, 0], C_B1H[:, 0], given.h_A_BH[:, 0]), attention, self.config.past)
        return Ranked(*moved, *(blended or (_float32(self.network.logits(h_B1H[:, 0])),)))

    def _blended(
        self, blend: Blend, second: SecondCell, wave: Wave, step: Callable[[], Given]
    ) -> tuple[Floats, Terms, ByTopic]:
        """Scores and what they are made of; the net takes its step beside what needs nothing of it."""
        seen, v_BV = self._seen(wave.users, wave.at, wave.past, wave.g_B, wave.x_BM), wave.posted()
        scores_BI, terms = blend.scores(cache(lambda head: _seen_by(blend, second, step(), head)[:, 0]), v_BV, seen)
        return scores_BI, terms, blend.by_topic(v_BV, terms, len(self.config.networks))

    @torch.no_grad()
    def advance_only(self, wave: Wave) -> Advanced:
        """Move the users of a wave one step on without scoring the catalogue."""
        with undisturbed():
            given, attention = self._given(wave, wave.x_BM[:, None])
            h_B1H, C_B1H = self.network.after(given)
        return Advanced(*_outputs(h_B1H[:, 0], C_B1H[:, 0], given.h_A_BH[:, 0]), attention, self.config.past)

    def varied(self, scores_I: Scores, excluded: Sequence[int], size: int) -> Scores:
        """Scores by which a list of that size is cut and ranks are counted (model/blend/variety.py); preset `paper` has no others."""
        return scores_I if self.blend is None else varied(scores_I, excluded, size, partial(self.blend.leaving, size=size))

    @torch.no_grad()
    def moved_by_posts(self, wave: Wave, items: Sequence[Sequence[int]]) -> list[dict[str, Moved]]:
        """What the posts of each user's window add to the net's score of some items (rows, for each user his), by network.

        It is a part of the net's term, at the weights that hold with all the posts; silent networks are left out.
        """
        rows = sorted({item for own in items for item in own})
        seen = self._seen(wave.users, wave.at, wave.past, wave.g_B, wave.x_BM) if self.blend is not None else []

        def cells(x_BVM: Floats) -> Tensor:
            return self._by_head(self._given(wave, x_BVM)[0])

        def scored(user_R: Sequence[int], h_REH: Tensor) -> Floats:
            if self.blend is None:
                return _float32(self.network.logits_of(h_REH[:, 0], rows))
            return self.blend.net(h_REH, [seen[user] for user in user_R], rows)

        column = {item: place for place, item in enumerate(rows)}
        with undisturbed():
            found = moved(wave.x_BM, self.config, cells, scored)
        return [
            {network: one.of([column[item] for item in own]) for network, one in by.items()}
            for by, own in zip(found, items, strict=True)
        ]

    def _by_head(self, given: Given) -> Tensor:
        """What each head of the blend sees, (B, V, E, D): of the frozen cell's h, or of that of the second one, which has learned on.

        Without a blend the frozen h itself, (B, V, 1, H).
        """
        if self.second is None or self.blend is None:
            return self.network.after(given)[0][:, :, None]
        return torch.stack([_seen_by(self.blend, self.second, given, head) for head in range(len(RATES))], dim=2)

    def _given(self, wave: Wave, x: Floats) -> tuple[Given, tuple[Floats, ...]]:
        """What the wave's steps start from with windows x (B, V, M) in place of its own, and what attention weighs the first with."""
        config = self.config
        if x.shape[-1] != config.width:
            raise ModelError(
                f"x of length {x.shape[-1]}, the model has {len(config.networks)} networks of {config.topics} topics; "
                "make steps with the model's own config"
            )
        x_BVM = self._tensor(x)
        each = self.blend is not None and x_BVM.shape[1] == 1 and x_BVM.dtype == torch.float32
        h_A_BVH, weights = (read_each if each else read_past)(x_BVM, wave.memories, config.hidden)
        h_B1H = self._tensor(np.stack([one.h_H for one in wave.memories]))[:, None]
        C_B1H = self._tensor(np.stack([one.C_H for one in wave.memories]))[:, None]
        columns = self._columns(self._user_rows(wave.users), wave.past)
        given = Given(x_BVM, columns, torch.tensor(wave.g_B)[:, None, None], h_B1H, C_B1H, h_A_BVH)
        return given, tuple(_float32(one[0]) for one in weights)

    def _columns(self, e_Bk: Tensor, past: Sequence[Sequence[str]]) -> tuple[Tensor, ...]:
        """What is pooled beside x after these pasts, (B, 1, k) each."""
        return tuple(one[:, None] for one in self.network.columns(e_Bk, self._previous(past, len(e_Bk))))

    def _previous(self, past: Sequence[Sequence[str]], count: int) -> Tensor:
        """Rows of the items taken last, -1 where there is none or it has no row."""
        rows = [self.items.get(own[-1]) if own else None for own in past] or [None] * count
        return torch.tensor([-1 if row is None else row for row in rows])

    def _user_rows(self, users: Sequence[str]) -> Tensor:
        rows, E_user = [self.users.get(name) for name in users], self.network.E_user.detach()
        e_Bk = E_user[[row or 0 for row in rows]] if len(E_user) else E_user.new_empty(len(rows), self.config.factors)
        strangers = [place for place, row in enumerate(rows) if row is None]
        if strangers:
            e_Bk[strangers] = self._mean_user()
        return e_Bk

    def trace(self, user: str, steps: Sequence[Step], previous: Sequence[str | None] = ()) -> list[Traced]:
        """Every intermediate value of a user's sequence from an empty memory, in the model's own precision, nothing rounded.

        `previous`: the item taken before each step (preset full looks at it); () = none.
        """
        rows = self._previous([() if one is None else (one,) for one in previous], len(steps))
        return trace(self.network, self._user_rows([user])[0], steps, rows.tolist())

    # ---- learn ----

    @torch.no_grad()
    def learn(self, lesson: Lesson) -> float:
        """Update all weights by a lesson (default 13); rows come for new names. Gives the mean loss before the update.

        Reads nothing but the lesson and what lessons before it have left, so replaying a log of lessons gives the same weights.
        """
        if lesson.x_BM.shape[1] != self.config.width or lesson.h_BH.shape[1] != self.config.hidden:
            raise ModelError(
                f"a lesson with x of {lesson.x_BM.shape[1]} and h of {lesson.h_BH.shape[1]}, the model has {self.config.width} "
                f"and {self.config.hidden}; it belongs to another model"
            )
        user_B, item_B = self._place(lesson.users, lesson.items, lesson.at)
        self.lessons += 1
        if self.blend is not None:
            with self._threads():
                return self._learn_blend(self.blend, lesson, user_B, item_B)
        batch = Batch(
            user_B, item_B, self._tensor(lesson.x_BM), torch.tensor(lesson.g_B)[:, None],
            self._tensor(lesson.h_BH), self._tensor(lesson.C_BH), self._tensor(lesson.h_A_BH),
        )  # fmt: skip
        rows = sorted(set(user_B.tolist()))
        before_k = self.network.E_user.detach()[rows].sum(dim=0, dtype=torch.float64)
        loss = update(self.network, self.moments, batch)
        self.user_sum_k += self.network.E_user.detach()[rows].sum(dim=0, dtype=torch.float64) - before_k
        return loss

    def _learn_blend(self, blend: Blend, lesson: Lesson, user_B: Tensor, item_B: Tensor) -> float:
        """The net stays as it is; the weights learn and, once the time is over, heads, statistics and the second cell."""
        columns = self._columns(self.network.E_user.detach()[user_B], lesson.past)
        x_B1M, *memory = (self._tensor(one)[:, None] for one in (lesson.x_BM, lesson.h_BH, lesson.C_BH, lesson.h_A_BH))
        given = Given(x_B1M, columns, torch.tensor(lesson.g_B)[:, None, None], *memory)
        seen = self._seen(lesson.users, lesson.at, lesson.past, lesson.g_B, lesson.x_BM)
        h_BED = self._by_head(given)[:, 0]
        weigh, teaching = blend.learn(h_BED, lesson.posts_BV, item_B.tolist(), seen)
        if self.second is not None and self.second.learns:
            self.second.wait(given.only((teaching, 0)), user_B[teaching], item_B[teaching])
            frozen, learned = h_BED.sum(dim=(0, 2)).isfinite().tolist()
            if frozen and not learned:
                self.second.start()  # what holds no numbers starts again, like every part
        if not lesson.ends_tie:
            return weigh()
        losses: list[float] = []
        self._settle(lambda: losses.append(weigh()))
        return losses[0]

    def _seen(
        self, users: Sequence[str], at: Sequence[int], past: Sequence[Sequence[str]], g_B: NDArray[np.float64],
        x_BM: NDArray[np.floating],
    ) -> list[Seen]:  # fmt: skip
        if not len(at) == len(past) == len(g_B):
            raise ModelError(f"{len(at)} times and {len(past)} pasts for {len(g_B)} steps; preset full needs one of each")
        hour_g = math.exp(-3600 / self.config.tau_seconds)
        rows = [self.items.rows(own) for own in past]
        user_B = [-1 if (row := self.users.get(name)) is None else row for name in users]
        return [
            Seen(moment, own, context_of(float(g), first=not names, posts=bool(x_M.any()), hour_g=hour_g), user)
            for moment, own, names, g, x_M, user in zip(at, rows, past, g_B, x_BM, user_B, strict=True)
        ]

    @torch.no_grad()
    def forget(self, lesson: Forgotten) -> None:
        """Take the rows of forgotten users away; a newcomer gets them."""
        for name in lesson.users:
            row = self.users.forget(name)
            if row is not None:
                self.user_sum_k -= self.network.E_user.detach()[row]
                self.network.E_user.detach()[row] = 0
                self.moments.forget("E_user", row)
                self._forget_user(row)

    @torch.no_grad()
    def know(self, lesson: Known) -> None:
        """Give items a row before anybody took them, so that they can be ranked, and their texts, which may have changed.

        Preset `paper` knows nothing of items but who took them.
        """
        if self.blend is None:
            return
        self._place_items([name for name in lesson.items if self.items.get(name) is None])
        for name, counts_W in zip(lesson.items, lesson.counts_nW, strict=True):
            row = self.items.get(name)
            if row is not None:  # of more items than the cap the first have given their rows to the last
                self.blend.statistics.put(row, counts_W)

    def news(self, lesson: Known) -> Known:
        """Of a lesson what `know` would change: texts that differ, and new items while rows are free, so that none loses its own."""
        if self.blend is None:
            return lesson.only([])
        free, chosen = self.config.items_cap - self.items.named, []
        for place, (name, counts_W) in enumerate(zip(lesson.items, lesson.counts_nW, strict=True)):
            row = self.items.get(name)
            if row is None and free > 0:
                free -= 1
                chosen.append(place)
            elif row is not None and (self.blend.statistics.texts.count_IW[row] != counts_W).any():
                chosen.append(place)
        return lesson.only(chosen)

    def replay(self, value: bytes) -> None:
        """Do again what a record of the lesson log says."""
        lesson = lesson_of(value)
        if isinstance(lesson, Forgotten):
            self.forget(lesson)
        elif isinstance(lesson, Known):
            self.know(lesson)
        else:
            self.learn(lesson)

    @torch.no_grad()
    def settle(self) -> None:
        """No interaction of the same time follows; lessons say so themselves (`ends_tie`)."""
        with self._threads():
            self._settle()

    def _settle(self, *beside: Callable[[], object]) -> None:
        """Everything that waited for the end of a time learns, each part from what was before; so they do so beside each other."""
        blend, second = self.blend, self.second
        if blend is None or not (blend.waiting or beside):
            return
        events, due = len(blend.waiting), second is not None and second.due
        net, others = blend.settling()

        def learn_net() -> None:
            if second is not None:
                second.settle(blend.teacher)
            for learn in net:  # after the cell, whose teachers they are
                learn()

        with rounded(max(events, EVERY * due)):
            all_of([learn_net, *beside, *others], worth=events > FEW or blend.statistics.adds(events))
        blend.statistics.settled()

    @torch.no_grad()
    def count_only(
        self, items: Sequence[str], at: Sequence[int], users: Sequence[str], past: Sequence[Sequence[str]] = (),
        posts_BV: Floats | None = None,
    ) -> None:  # fmt: skip
        """Let interactions (times in epoch milliseconds) feed ids and statistics, and leave the weights alone.

        `past` and `posts_BV` as in a wave; preset `full` needs the one, and learns from posts where there is the other.
        """
        _, item_B = self._place(users, items, at)
        if self.blend is not None:
            still = np.zeros((len(items), self.config.width), np.float32)
            v_BV = posts_BV if posts_BV is not None else np.zeros((len(items), 2 * self.config.width), np.float32)
            for item, v_V, one in zip(item_B.tolist(), v_BV, self._seen(users, at, past, np.zeros(len(items)), still), strict=True):
                self.blend.count(item, v_V, one)

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """Preset `full` does some things beside each other in threads of its own; torch's are for the large products of `paper`."""
        if self.blend is None:
            yield
        else:
            with undisturbed(), alone():
                yield

    def _tensor(self, array: NDArray[np.floating]) -> Tensor:
        # Always a copy: torch aligns its memory, and matrix products on other alignments may differ in the last bit.
        return torch.tensor(array, dtype=self.network.dtype)

    # ---- state ----

    def save(self, folder: Path, extra: Mapping[str, str | int]) -> None:
        """Write everything to a folder, atomically, with the caller's `extra` facts."""
        checkpoint.write(Path(folder), state.write(self), extra)

    @classmethod
    def load(cls, folder: Path) -> tuple["Recommender", dict[str, str | int]]:
        """The recommender in a folder and the `extra` saved with it; CheckpointError when it cannot be used."""
        stored, extra = checkpoint.read(Path(folder))
        one = cls(stored.config)
        try:
            state.read(one, stored)
        except (KeyError, RuntimeError, IndexError) as error:
            raise CheckpointError(f"the checkpoint in {folder} lacks a part ({error!r}); use an older one") from error
        return one, extra


def _seen_by(blend: Blend, second: SecondCell, given: Given, head: int) -> Tensor:
    """What a head of the blend sees after a step, (B, V, D): the anchor of the frozen cell, the others of the second one."""
    with rounded(len(given.g_B1)):
        h_BVH = second.learned(given) if RATES[head] else second.frozen(given)[0]
        return blend.view.seen(h_BVH).to(torch.float32)


def _float32(values: Tensor) -> Floats:
    return values.to(torch.float32).numpy()


def _outputs(h_BH: Tensor, C_BH: Tensor, h_A_BH: Tensor) -> tuple[Floats, Floats, Floats]:
    """The outputs of a step, h rounded to float16 values, as it will be stored, so that a list does not depend on what is cached."""
    return _float32(h_BH.to(torch.float16)), _float32(C_BH), _float32(h_A_BH)

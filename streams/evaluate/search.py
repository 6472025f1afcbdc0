"""The search for hyper-parameters; it never sees the test part."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from model import ModelError
from model.compared import Compared
from streams.errors import DataError
from streams.evaluate.cases import TEST_PART, VALIDATION_PART, Cases
from streams.evaluate.inputs import Inputs, read
from streams.evaluate.protocol import Protocol, stream
from streams.evaluate.runs import ndcg
from streams.folder import Folder
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched; a range is (lowest, highest)."""

    topics: tuple[int, ...] = (20, 40, 60, 80, 100)
    factors: tuple[int, ...] = (16, 32, 64, 128)
    hidden: tuple[int, ...] = (32, 64, 128, 256)
    dropout: tuple[float, float] = (0.0, 0.6)
    rate: tuple[float, float] = (3e-4, 1e-2)
    online_rate: tuple[float, float] = (1e-4, 1e-2)
    tau_share: tuple[float, float] = (0.1, 10.0)
    "tau as a multiple of the mean gap"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long each trial may take."""

    epochs: int
    patience: int


class Search:
    """Trials on one data folder, kept in a journal so that a search can go on where it was stopped."""

    def __init__(self, path: Path, out: Path, inputs: Inputs, effort: Effort, settings: Settings) -> None:
        self._folder, self._inputs, self._effort, self._settings = Folder(path), inputs, effort, settings
        self._cases: dict[int, Cases] = {}
        out.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            study_name=path.resolve().name, direction="maximize", load_if_exists=True,
            storage=JournalStorage(JournalFileBackend(str(out / "trials.journal"))),
            sampler=optuna.samplers.TPESampler(seed=inputs.seed),
        )  # fmt: skip

    def run(self, trials: int, space: Space, tell: Callable[[optuna.trial.FrozenTrial], None]) -> None:
        """Run trials until there are `trials` complete ones."""
        done = sum(one.state.is_finished() for one in self.study.trials)
        self.study.optimize(
            lambda trial: self._score(trial, space), n_trials=max(0, trials - done), callbacks=[lambda _, trial: tell(trial)]
        )

    def _score(self, trial: optuna.Trial, space: Space) -> float:
        """Validation NDCG@100 of one choice."""
        cases = self._of(trial.suggest_categorical("topics", space.topics))
        chosen: dict[str, Any] = {
            "factors": trial.suggest_categorical("factors", space.factors),
            "hidden": trial.suggest_categorical("hidden", space.hidden),
            "dropout": trial.suggest_float("dropout", *space.dropout),
            "online_rate": trial.suggest_float("online_rate", *space.online_rate, log=True),
        }
        rate = trial.suggest_float("rate", *space.rate, log=True)
        cases = replace(cases, tau_seconds=cases.tau_seconds * trial.suggest_float("tau_share", *space.tau_share, log=True))
        # The steps of the cases hold g = exp(-gap / tau) for the mean gap; another tau is a power of it.
        share = cases.tau_seconds / self._of(trial.params["topics"]).tau_seconds
        events = tuple(replace(one, step=replace(one.step, g=one.step.g ** (1 / share))) for one in cases.events)
        ranker = Compared(chosen, self._inputs.seed, self._effort.epochs, self._effort.patience, learning_rate=rate)
        try:
            ranker.fit(replace(cases, events=events).training())
        except ModelError as error:
            raise DataError(f"cannot train on {self._folder.path}: {error}") from error
        return ndcg(stream(ranker, replace(cases, events=events), Protocol()), cases, VALIDATION_PART)

    def _of(self, topics: int) -> Cases:
        if topics not in self._cases:
            self._cases[topics] = without_test(read(self._folder, replace(self._inputs, topics=topics), self._settings))
        return self._cases[topics]


def without_test(cases: Cases) -> Cases:
    """The cases up to the test part of each user."""
    rows = np.flatnonzero(cases.part_E != TEST_PART)
    events = tuple(cases.events[row] for row in rows)
    return replace(cases, events=events, part_E=cases.part_E[rows], posts_EN=cases.posts_EN[rows])

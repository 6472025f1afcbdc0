"""The fitted model as others use it: text in, topic distribution out."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np

from topics_svc import artifact
from topics_svc.arrays import Doubles, Floats, Ints, Longs, Reals
from topics_svc.config import TopicConfig
from topics_svc.errors import ArtifactError, InputError
from topics_svc.fitting import Fitted, Progress, fit_corpus
from topics_svc.lexicon import Lexicon, flat
from topics_svc.posterior import Estimates, fold_in, fold_in_many

RunningCounts: TypeAlias = Reals | Sequence[Reals | None] | None
_RELEVANCE = 0.6  # weight of log p(word | topic) against log lift (Sievert and Shirley, 2014)
_PRIORS = ("alpha", "beta", "beta_background", "gamma")


def fit(
    posts: Iterable[tuple[str, str]], config: TopicConfig, progress: Progress | None = None, *, resume: Path | None = None
) -> "TopicService":
    """Fit Twitter-LDA to (author, text) pairs; an author is any string, such as user and network.

    `progress(sweep, log_likelihood, tokens_per_second)` is called after every sweep. Deterministic: same pairs in the same
    order, same config, same result. `resume`: a file to keep the unfinished chain in; where it is there, the fit goes on from it.
    Raises CorpusError where there is nothing to fit to, InputError for a pair that is none.
    """
    return of_fit(config, fit_corpus(posts, config, progress, resume=resume))


def of_fit(config: TopicConfig, fitted: Fitted) -> "TopicService":
    """The service of a finished chain."""
    about = {"posts": fitted.corpus.n_posts, "tokens": len(fitted.corpus.words_N), "authors": len(fitted.corpus.names),
             "sweeps": len(fitted.likelihoods), "log_likelihood": fitted.likelihoods[-1]}  # fmt: skip
    return TopicService(config, fitted.lexicon, fitted.estimates, about)


class TopicService:
    """Topics with their words, frozen. Thread-safe: inference changes nothing."""

    def __init__(
        self, config: TopicConfig, lexicon: Lexicon, estimates: Estimates, about: Mapping[str, Any],
        quality: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self.lexicon = lexicon
        self.estimates = estimates
        self.about = dict(about)
        self.quality = dict(quality or {})
        self.topics = estimates.n_VK.shape[1]
        self.fingerprint = artifact.fingerprint(self._arrays(), self._deciding())
        self._table_VK = estimates.table()
        self._alpha = estimates.alpha

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises ArtifactError for anything else, damaged or newer."""
        arrays, text = artifact.read(path)
        try:
            config = TopicConfig(**{**text["config"], "stop_languages": tuple(text["config"]["stop_languages"])})
            lexicon = Lexicon(tuple(text["words"]), tuple(text["word_posts"]), tuple(text["stopped"]), text["split_hashtags"])
            estimates = Estimates(arrays["n_VK"], arrays["b_V"], arrays["posts_K"], *(text["priors"][name] for name in _PRIORS))
            service = cls(config, lexicon, estimates, text["about"], text["quality"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} lacks a part or has a wrong one ({error!r}); fit again") from error
        if service.fingerprint != text["fingerprint"]:
            raise ArtifactError(f"{path} says fingerprint {text['fingerprint']}, its content has {service.fingerprint}; fit again")
        return service

    def save(self, path: Path) -> None:
        """Write the model to a directory, atomically; an artifact that is there is replaced."""
        text = {
            **self._deciding(), "fingerprint": self.fingerprint, "config": self.config.as_dict(), "about": self.about,
            "quality": self.quality, "word_posts": list(self.lexicon.posts), "stopped": list(self.lexicon.stopped),
        }  # fmt: skip
        artifact.write(Path(path), self._arrays(), text)

    def infer(self, text: str, counts_K: Reals | None = None) -> Floats | None:
        """Posterior over topics of one post, [K] float32 with sum 1; None = no evidence (no known word).

        `counts_K`: the author's running soft counts [K] as prior (c + alpha) / (sum c + K alpha); None = every topic alike.
        The caller updates them (`counts_K += theta_K`). Raises InputError for a text or counts that are none.
        """
        return self.infer_ids(self.lexicon.ids(text), counts_K)

    def infer_ids(self, ids_N: Ints, counts_K: Reals | None = None) -> Floats | None:
        """`infer` for word numbers of `self.lexicon`, int32 in [0, V); the numbers are not checked."""
        return fold_in(self._table_VK, ids_N, counts_K, self._alpha)

    def infer_many(
        self, texts: Sequence[str], counts: RunningCounts = None
    ) -> list[Floats | None]:
        """`infer` for B posts at once, in order; equal to B calls with these counts, which are not updated in between.

        `counts`: [B, K], or a sequence of B entries ([K] or None), or None.
        """
        ids_N, starts_B = flat([self.lexicon.list_ids(text) for text in texts])
        theta_BK = self.infer_ids_many(ids_N, starts_B, self._stacked(counts, len(texts)))
        return [row if starts_B[b + 1] > starts_B[b] else None for b, row in enumerate(theta_BK)]

    def infer_ids_many(
        self, ids_N: Ints, starts_B: Longs, counts_BK: Reals | None = None
    ) -> Floats:
        """`infer_many` for word numbers: post b has ids [starts[b], starts[b + 1]); [B, K], zeros = no evidence."""
        return fold_in_many(self._table_VK, ids_N, starts_B, counts_BK, self._alpha)

    def _stacked(self, counts: RunningCounts, n_posts: int) -> Reals | None:
        if counts is None or isinstance(counts, np.ndarray):
            return counts
        rows = [np.zeros(self.topics) if row is None else row for row in counts]
        if len(rows) != n_posts or any(np.shape(row) != (self.topics,) for row in rows):
            raise InputError(f"{len(rows)} counts for {n_posts} posts; give one of shape ({self.topics},) or None for each")
        return np.array(rows, np.float64).reshape(n_posts, self.topics)

    def labels(self, k: int, n: int = 10) -> list[str]:
        """The `n` words that say best what topic `k` is about, by relevance: frequent in it, and more so than elsewhere."""
        if not 0 <= k < self.topics:
            raise InputError(f"topic {k}; choose 0..{self.topics - 1}")
        relevance_V = self._relevance()[:, k]
        best = np.argsort(-relevance_V, kind="stable")[:n]
        return [self.lexicon.words[v] for v in best if self.estimates.n_VK[v, k] > 0]

    def _relevance(self) -> Doubles:
        """0.6 log p(w | k) + 0.4 log (p(w | k) / p(w)), [V, K]."""
        phi_VK = self.estimates.phi
        all_V = self.estimates.n_VK.sum(1) + self.estimates.b_V
        overall_V = (all_V + 1e-12) / (all_V.sum() + 1e-12)
        return np.asarray(np.log(phi_VK) - (1 - _RELEVANCE) * np.log(overall_V)[:, None])

    def moved_from(self, fingerprint: str) -> float | None:
        """Mean Jensen-Shannon distance from other topics that these are, or were refitted from; None = no kin of theirs."""
        if fingerprint == self.fingerprint:
            return 0.0
        moved = self.about.get("moved", {}).get(fingerprint)
        return None if moved is None else float(moved)

    def _arrays(self) -> artifact.Arrays:
        return {"n_VK": self.estimates.n_VK, "b_V": self.estimates.b_V, "posts_K": self.estimates.posts_K}

    def _deciding(self) -> dict[str, Any]:
        """What decides an inference beside the arrays."""
        return {
            "words": list(self.lexicon.words), "split_hashtags": self.lexicon.split_hashtags,
            "priors": {name: getattr(self.estimates, name) for name in _PRIORS},
        }  # fmt: skip

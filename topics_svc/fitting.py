"""A fit: posts in, sweeps, mean counts of the last of them out."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from topics_svc.arrays import Shorts
from topics_svc.config import TopicConfig
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import Corpus, Lexicon, read
from topics_svc.likelihood import fixed_point, log_joint, on_plateau
from topics_svc.posterior import Estimates

Progress = Callable[[int, float, float], None]
WarmStart = Callable[[Lexicon, Sampler], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit gives; `likelihoods` has a value for every sweep."""

    lexicon: Lexicon
    corpus: Corpus
    estimates: Estimates
    z_D: Shorts
    likelihoods: tuple[float, ...]


def fit_corpus(
    posts: Iterable[tuple[str, str]], config: TopicConfig, progress: Progress | None = None, warm: WarmStart | None = None
) -> Fitted:
    """Read (author, text) pairs and run the chain; `progress(sweep, log_likelihood, tokens_per_second)` after each sweep.

    `warm(lexicon, sampler)` may put posts into the counts before the first sweep.
    """
    lexicon, corpus = read(posts, config)
    sampler = Sampler(corpus, config)
    if warm is not None:
        warm(lexicon, sampler)
    mean = MeanCounts(sampler)
    likelihoods: list[float] = []
    last = config.sweeps
    for sweep in range(1, config.sweeps + 1):
        begin = time.perf_counter()
        sampler.sweep()
        seconds = time.perf_counter() - begin
        likelihoods.append(log_joint(sampler.counts, sampler.priors))
        if progress is not None:
            progress(sweep, likelihoods[-1], len(corpus.words_N) / max(seconds, 1e-9))
        if last == config.sweeps and on_plateau(likelihoods, config.plateau):
            last = min(sweep + config.average_last, config.sweeps)
        if sweep > last - config.average_last:
            mean.add(sampler)
        elif config.optimise_every and sweep % config.optimise_every == 0:
            _optimise(sampler)
        if sweep == last:
            break
    return Fitted(lexicon, corpus, mean.estimates(sampler), sampler.counts.z_D, tuple(likelihoods))


def _optimise(sampler: Sampler) -> None:
    """New alpha and beta from the counts as they stand; never while averaging, so that a mean belongs to one prior."""
    counts, priors = sampler.counts, sampler.priors
    sampler.priors = replace(
        priors, alpha=fixed_point(counts.c_AK, priors.alpha), beta=fixed_point(np.ascontiguousarray(counts.n_VK.T), priors.beta)
    )


class MeanCounts:
    """Sums of counts over sweeps; whole numbers, so that the order of adding does not matter."""

    def __init__(self, sampler: Sampler) -> None:
        self.n_VK = np.zeros(sampler.counts.n_VK.shape, np.int64)
        self.b_V = np.zeros(len(sampler.counts.b_V), np.int64)
        self.posts_K = np.zeros(len(sampler.counts.n_K), np.int64)
        self.sweeps = 0

    def add(self, sampler: Sampler) -> None:
        """Add the counts as they stand after a sweep."""
        self.n_VK += sampler.counts.n_VK
        self.b_V += sampler.counts.b_V
        self.posts_K += sampler.counts.c_AK.sum(0)
        self.sweeps += 1

    def estimates(self, sampler: Sampler) -> Estimates:
        """Mean counts under the sampler's priors."""
        priors, sweeps = sampler.priors, self.sweeps
        return Estimates(
            self.n_VK / sweeps, self.b_V / sweeps, self.posts_K / sweeps,
            priors.alpha, priors.beta, priors.beta_background, priors.gamma,
        )  # fmt: skip

"""A fit: posts in, sweeps, mean counts of the last of them out."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from topics_svc.arrays import Shorts
from topics_svc.config import TopicConfig
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import Corpus, Lexicon, read
from topics_svc.likelihood import fixed_point, log_joint, on_plateau
from topics_svc.posterior import Estimates
from topics_svc.wide import started

Progress = Callable[[int, float, float], None]
WarmStart = Callable[[Lexicon, Sampler], None]
_SAVE_EVERY = 10  # sweeps


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit gives; `likelihoods` has a value for every sweep."""

    lexicon: Lexicon
    corpus: Corpus
    estimates: Estimates
    z_D: Shorts
    likelihoods: tuple[float, ...]


def fit_corpus(
    posts: Iterable[tuple[str, str]], config: TopicConfig, progress: Progress | None = None,
    warm: WarmStart | None = None, resume: Path | None = None,
) -> Fitted:  # fmt: skip
    """Read (author, text) pairs and run the chain; `progress(sweep, log_likelihood, tokens_per_second)` after each sweep.

    `warm(lexicon, sampler)` may put posts into the counts before the first sweep. `resume`: a file that keeps the chain every ten
    sweeps; where it is there, the chain goes on from it, to the very result of an undisturbed run, and it is removed at the end.
    """
    from topics_svc import resuming

    lexicon, corpus = read(posts, config)
    resumes = resume is not None and resume.exists()
    chain = Chain(Sampler(corpus, config) if resumes or warm else started(corpus, config), config)
    if resume is not None and resumes:
        resuming.load(resume, chain)
    elif warm is not None:
        warm(lexicon, chain.sampler)
    while not chain.done:
        begin = time.perf_counter()
        chain.sampler.sweep()
        seconds = time.perf_counter() - begin
        chain.after_sweep()
        if progress is not None:
            progress(len(chain.likelihoods), chain.likelihoods[-1], len(corpus.words_N) / max(seconds, 1e-9))
        if resume is not None and len(chain.likelihoods) % _SAVE_EVERY == 0:
            resuming.save(resume, chain)
    if resume is not None:
        resume.unlink(missing_ok=True)
    return Fitted(lexicon, corpus, chain.mean.estimates(chain.sampler), chain.sampler.counts.z_D, tuple(chain.likelihoods))


class Chain:
    """A sampler with what is kept of its sweeps."""

    def __init__(self, sampler: Sampler, config: TopicConfig) -> None:
        self.config = config
        self.sampler = sampler
        self.mean = MeanCounts(self.sampler)
        self.likelihoods: list[float] = []
        self.last = config.sweeps  # earlier once a plateau is reached

    @property
    def done(self) -> bool:
        """Whether the last sweep was made."""
        return len(self.likelihoods) >= self.last

    def after_sweep(self) -> None:
        """Keep the likelihood, add the counts to the mean near the end, re-estimate priors before that."""
        config, likelihoods = self.config, self.likelihoods
        likelihoods.append(log_joint(self.sampler.counts, self.sampler.priors))
        sweep = len(likelihoods)
        if self.last == config.sweeps and on_plateau(likelihoods, config.plateau):
            self.last = min(sweep + config.average_last, config.sweeps)
        if sweep > self.last - config.average_last:
            self.mean.add(self.sampler)
        elif config.optimise_every and sweep % config.optimise_every == 0:
            _optimise(self.sampler)


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

"""A model on newer posts whose topic k is still the old topic k: the chain starts where the old model puts every post.

New words enter, old ones leave by the cuts. How far each topic went is measured by the Jensen-Shannon distance of its word
distributions (square root of the divergence to base 2, 0 = the same, 1 = nothing in common), over the union of both vocabularies.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from topics_svc.arrays import Bytes, Doubles, Ints, Shorts
from topics_svc.config import TopicConfig
from topics_svc.errors import ConfigError
from topics_svc.fitting import Progress, fit_corpus
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import Corpus, Lexicon
from topics_svc.service import TopicService, of_fit

FAR = 0.7  # a topic whose nearest one is farther away has no counterpart


@dataclass(frozen=True, slots=True)
class Drift:
    """How a refitted model differs: distance of topic k to its old self, and topics without a counterpart."""

    distances_K: tuple[float, ...]
    nearest_K: tuple[int, ...]
    """The old topic nearest to each new one; k itself where the warm start held."""
    born: tuple[int, ...]
    """New topics far from every old one."""
    died: tuple[int, ...]
    """Old topics far from every new one."""

    @property
    def mean(self) -> float:
        """Mean distance of matched topics."""
        return float(np.mean(self.distances_K))


def refit(
    old: TopicService, posts: Iterable[tuple[str, str]], config: TopicConfig | None = None, progress: Progress | None = None
) -> tuple[TopicService, Drift]:
    """Fit to (author, text) pairs, starting from `old`; `config` defaults to the old one's.

    Raises ConfigError for another number of topics, and whatever a fit raises. The result's `about` names the old fingerprint.
    """
    config = config or old.config
    if config.topics != old.topics:
        raise ConfigError(f"topics = {config.topics}; a refit keeps the {old.topics} topics of the old model")

    def warm(lexicon: Lexicon, sampler: Sampler) -> None:
        sampler.priors = replace(sampler.priors, alpha=old.estimates.alpha, beta=old.estimates.beta)
        sampler.start(*placed(old, lexicon, sampler.corpus))

    service = of_fit(config, fit_corpus(posts, config, progress, warm))
    drift = drifted(old, service)
    service.about |= {"from": old.fingerprint, "distance": drift.mean, "moved": _moved(old, drift.mean)}
    return service, drift


def _moved(old: TopicService, distance: float) -> dict[str, float]:
    """How far the new topics are from all they descend from, at most: the distance is a metric, so steps add up."""
    return {old.fingerprint: distance, **{name: distance + before for name, before in old.about.get("moved", {}).items()}}


def placed(old: TopicService, lexicon: Lexicon, corpus: Corpus) -> tuple[Shorts, Bytes]:
    """Likeliest topic of every post under the old model (-1: no word that it knows), and switches of its tokens.

    A token starts as a topic word where that is likelier than not; words that are new to the model start as topic words, so that the
    topics of their posts can take them up.
    """
    old_V = np.array([old.lexicon.id(word) if old.lexicon.id(word) is not None else -1 for word in lexicon.words], np.int32)
    old_N = old_V[corpus.words_N]
    known_N = old_N >= 0
    before = np.concatenate(([0], np.cumsum(known_N)))
    theta_DK = old.infer_ids_many(old_N[known_N], before[corpus.starts_D])
    z_D = np.where(np.diff(before[corpus.starts_D]) > 0, theta_DK.argmax(1), -1).astype(np.int16)
    z_N = np.repeat(z_D, np.diff(corpus.starts_D))
    y_N = np.ones(len(old_N), np.uint8)
    odds_N = old.estimates.table()[old_N[known_N], z_N[known_N]]
    y_N[known_N] = odds_N > np.log(2.0)  # log1p(odds): odds above 1
    return z_D, y_N


def drifted(old: TopicService, new: TopicService) -> Drift:
    """Distances of the topics of two models with the same K."""
    words = {word: number for number, word in enumerate(dict.fromkeys((*old.lexicon.words, *new.lexicon.words)))}
    distance_KK = _distances(_spread(old, words), _spread(new, words))
    return Drift(
        tuple(map(float, np.diag(distance_KK))), tuple(map(int, distance_KK.argmin(0))),
        tuple(map(int, np.flatnonzero(distance_KK.min(0) > FAR))), tuple(map(int, np.flatnonzero(distance_KK.min(1) > FAR))),
    )  # fmt: skip


def _spread(service: TopicService, words: dict[str, int]) -> Doubles:
    """Phi by topic over more words, [K, W]; words that a model does not know have no share."""
    phi_KW = np.zeros((service.topics, len(words)))
    places: Ints = np.array([words[word] for word in service.lexicon.words], np.int32)
    phi_KW[:, places] = service.estimates.phi.T
    return phi_KW


def _distances(old_KW: Doubles, new_KW: Doubles) -> Doubles:
    """Jensen-Shannon distance of every old topic to every new one."""
    distance_KK = np.empty((len(old_KW), len(new_KW)))
    new_entropies = _entropies(new_KW)
    for k, one in enumerate(old_KW):
        divergence = _entropies((one + new_KW) / 2) - (_entropies(one[None]) + new_entropies) / 2
        distance_KK[k] = np.sqrt(np.maximum(divergence, 0.0))
    return distance_KK


def _entropies(phi_KW: Doubles) -> Doubles:
    """Entropy of each row in bits."""
    logs = np.log2(phi_KW, out=np.zeros_like(phi_KW), where=phi_KW > 0)
    return np.asarray(-np.einsum("kw,kw->k", phi_KW, logs))

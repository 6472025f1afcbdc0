"""A better start for the chain: more topics than asked for, then the likest ones merged.

One topic a post makes the sampler slow to leave a start in which one topic holds two themes and two topics share another. With half
as many topics again nearly every theme has a topic of its own after a few sweeps; merging the topics of most similar words then
leaves the number asked for. Only the start differs: the chain that follows is that of gibbs.py.

Legend: K topics asked for, W >= K wide ones, V words, D posts.
"""

from dataclasses import replace

import numpy as np

from topics_svc.arrays import Ints, Longs
from topics_svc.config import TopicConfig
from topics_svc.gibbs import Sampler
from topics_svc.lexicon import Corpus

SHARE = 1.5  # W / K; 2 is no better
_MOST = 32_767  # a topic's number is an int16
_TINY = 1e-9
_NEVER = np.float32(-2.0)  # below every cosine: a topic with itself, and one that is gone


def started(corpus: Corpus, config: TopicConfig) -> Sampler:
    """A sampler with every post in the counts, after `config.wide_sweeps` sweeps over more topics; empty without any."""
    if not config.wide_sweeps or config.topics == 1:
        return Sampler(corpus, config)
    wide = Sampler(corpus, replace(config, topics=min(int(config.topics * SHARE), _MOST)))
    for _ in range(config.wide_sweeps):
        wide.sweep()
    becomes_W, wide_D = merged(wide.counts.n_VK, config.topics), wide.counts.z_D
    sampler = Sampler(corpus, config)
    sampler.start(np.where(wide_D >= 0, becomes_W[wide_D], -1).astype(np.int16), wide.counts.y_N)
    sampler.bits = wide.bits  # one stream of random numbers, not the same one twice
    return sampler


def merged(n_VW: Ints, topics: int) -> Longs:
    """The topic 0..K-1 that each wide topic becomes, (W,): the two of greatest cosine are merged until K are left."""
    counts_WV = np.ascontiguousarray(n_VW.T, np.float32)
    unit_WV = counts_WV / np.maximum(np.linalg.norm(counts_WV, axis=1, keepdims=True), _TINY)
    becomes_W = np.arange(len(counts_WV))
    cosine_WW = unit_WV @ unit_WV.T
    np.fill_diagonal(cosine_WW, _NEVER)
    for _ in range(len(counts_WV) - topics):
        kept, gone = np.unravel_index(cosine_WW.argmax(), cosine_WW.shape)
        becomes_W[becomes_W == gone] = kept
        counts_WV[kept] += counts_WV[gone]
        unit_WV[kept] = counts_WV[kept] / max(float(np.linalg.norm(counts_WV[kept])), _TINY)
        cosine_W = np.where(cosine_WW[kept] == _NEVER, _NEVER, unit_WV @ unit_WV[kept])
        cosine_WW[kept], cosine_WW[:, kept] = cosine_W, cosine_W
        cosine_WW[gone], cosine_WW[:, gone] = _NEVER, _NEVER
    return np.unique(becomes_W, return_inverse=True)[1]

"""Twitter-LDA: Gibbs sweeps and fold-in on a corpus drawn from the model itself, with tomotopy's LDA in the same run.

The corpus (scale 1): 2,536 authors with Dir(0.2) topics, 100,000 posts of about 8.5 words, 60 topics phi_k ~ Dir(0.01) over 20,000
types, a Zipf background, P(topic word) = 0.6. The first 90 % of each author's posts train; the rest tests. Training runs in a
process of its own, whose peak memory is its alone.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topics_svc import TopicConfig, TopicService
from topics_svc.fitting import MeanCounts
from topics_svc.lexicon import Corpus, Lexicon, flat
from topics_svc.wide import started

_TOPICS, _TYPES, _TOPICAL, _TRAINED = 60, 20_000, 0.6, 0.9
_ALPHA, _BETA = 0.2, 0.01
_AVERAGED = 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class World:
    """Posts as word numbers in order of time, with author, true topic, and whether they train."""

    posts: list[list[int]]
    authors_D: NDArray[np.int32]
    truth_D: NDArray[np.int64]
    trains_D: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training process sends back; `stands_for_K` is the true topic that each topic mostly held."""

    seconds_a_sweep: float
    tokens_per_second: int
    peak_mb: float | None
    nmi: float
    stands_for_K: NDArray[np.int64]
    counts_AK: NDArray[np.float32]
    service: TopicService


def run(scale: float = 1.0, sweeps: int = 60, seed: int = 0) -> dict[str, object]:
    """Draw the corpus, train at K = 20, 60 and 100, fold in; `scale` shrinks authors and posts for a quick look."""
    world = draw(scale, seed)
    by_topics = {k: _apart(world, k, sweeps if k == _TOPICS else min(sweeps, 15), seed) for k in (20, _TOPICS, 100)}
    trained = by_topics[_TOPICS]
    return {
        "bench": "topics", "posts": len(world.posts), "authors": int(world.authors_D.max()) + 1, "tokens": sum(map(len, world.posts)),
        "sweeps": sweeps, "seconds_a_sweep": {k: one.seconds_a_sweep for k, one in by_topics.items()},
        "tokens_per_second": {k: one.tokens_per_second for k, one in by_topics.items()},
        "nmi": trained.nmi, "peak_mb": trained.peak_mb, **_held_out(world, trained), **_fold_in(world, trained.service),
        **_tomotopy(world, sweeps),
    }  # fmt: skip


def draw(scale: float, seed: int) -> World:
    """A corpus from the generative model."""
    random = np.random.default_rng(seed)
    n_posts, n_authors = max(int(100_000 * scale), 500), max(int(2536 * scale), 20)
    background_V = random.permutation(1.0 / np.arange(1, _TYPES + 1))
    phis_KV = np.vstack([random.dirichlet(np.full(_TYPES, _BETA), _TOPICS), background_V / background_V.sum()])
    theta_AK = random.dirichlet(np.full(_TOPICS, _ALPHA), n_authors)
    authors_D = random.integers(0, n_authors, n_posts).astype(np.int32)
    truth_D = np.array([random.choice(_TOPICS, p=theta_AK[author]) for author in authors_D])
    lengths_D = 1 + random.poisson(7.5, n_posts)
    source_N = np.where(random.random(int(lengths_D.sum())) < _TOPICAL, np.repeat(truth_D, lengths_D), _TOPICS)
    words_N = np.empty(len(source_N), np.int64)
    for k in range(_TOPICS + 1):
        words_N[source_N == k] = random.choice(_TYPES, int((source_N == k).sum()), p=phis_KV[k])
    seen = np.zeros(n_authors, np.int64)
    totals = np.bincount(authors_D, minlength=n_authors)
    trains_D = np.zeros(n_posts, np.bool_)
    for d, author in enumerate(authors_D):
        trains_D[d] = seen[author] < _TRAINED * totals[author]
        seen[author] += 1
    ends = np.cumsum(lengths_D)
    return World([words_N[end - n : end].tolist() for end, n in zip(ends, lengths_D, strict=True)], authors_D, truth_D, trains_D)


def _apart(world: World, topics: int, sweeps: int, seed: int) -> Trained:
    """Train in a fresh process."""
    train = np.flatnonzero(world.trains_D)
    words_N, starts_D = flat([world.posts[d] for d in train])
    corpus = Corpus(words_N, starts_D, world.authors_D[train], _TYPES, tuple(map(str, range(int(world.authors_D.max()) + 1))))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_train, corpus, world.truth_D[train], topics, sweeps, seed).result()


def _train(corpus: Corpus, truth_D: NDArray[np.int64], topics: int, sweeps: int, seed: int) -> Trained:
    config = TopicConfig(topics=topics, sweeps=sweeps, seed=seed)
    sampler, seconds = started(corpus, config), []
    mean = MeanCounts(sampler)
    for sweep in range(sweeps):
        begin = time.perf_counter()
        sampler.sweep()
        seconds.append(time.perf_counter() - begin)
        if sweep >= sweeps - _AVERAGED:
            mean.add(sampler)
    typical = statistics.median(seconds[1:] or seconds)  # the first one may compile
    words = tuple(_spelled(v) for v in range(corpus.n_words))
    cross = np.zeros((topics, _TOPICS))
    np.add.at(cross, (sampler.counts.z_D, truth_D), 1)
    peak_mb = _peak_mb()  # of the training: before the words and tables of the service
    return Trained(
        round(typical, 4), round(len(corpus.words_N) / typical), peak_mb, round(_nmi(cross), 4), cross.argmax(1),
        sampler.counts.c_AK.astype(np.float32), TopicService(config, Lexicon(words, (0,) * len(words)), mean.estimates(sampler), {}),
    )  # fmt: skip


def _peak_mb() -> float | None:
    """The highest resident memory of this process; None where /proc does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith("VmHWM")), None)


def _spelled(number: int) -> str:
    """A word of letters for a number."""
    letters = ""
    for _ in range(4):
        number, digit = divmod(number, 26)
        letters += _LETTERS[digit]
    return f"q{letters}"  # no stop word, no run of three at the front


def _nmi(cross: NDArray[np.float64]) -> float:
    """Normalised mutual information (arithmetic mean of the entropies) of a table of counts."""
    joint = cross / cross.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    expected = np.outer(rows, columns)
    mutual = float((joint[joint > 0] * np.log(joint[joint > 0] / expected[joint > 0])).sum())
    entropies = [-float((one[one > 0] * np.log(one[one > 0])).sum()) for one in (rows, columns)]
    return 2 * mutual / sum(entropies)


def _held_out(world: World, trained: Trained) -> dict[str, object]:
    """Share of test posts whose likeliest topic stands for the true one; a topic stands for the one it mostly held in training."""
    service, means, counts_AK = trained.service, trained.stands_for_K, trained.counts_AK.copy()
    right = plain = 0
    test = np.flatnonzero(~world.trains_D)
    for d in test:
        ids, counts_K = np.array(world.posts[d], np.int32), counts_AK[world.authors_D[d]]
        alone, informed = service.infer_ids(ids), service.infer_ids(ids, counts_K)
        if alone is None or informed is None:
            continue
        plain += int(means[alone.argmax()] == world.truth_D[d])
        right += int(means[informed.argmax()] == world.truth_D[d])
        counts_K += informed
    shares = {"accuracy": round(right / len(test), 4), "accuracy_without_counts": round(plain / len(test), 4)}
    return {"held_out_posts": len(test), **shares}


def _fold_in(world: World, service: TopicService) -> dict[str, object]:
    """Posts a second: word numbers in batches and one at a time, and text in."""
    posts = world.posts[:20_000]
    counts_BK = np.random.default_rng(0).gamma(1.0, 1.0, (len(posts), service.topics)).astype(np.float32)
    ids_N, starts_B = flat(posts)
    arrays = [np.array(one, np.int32) for one in posts]
    texts = [_written(one) for one in posts]
    service.infer_many(texts[:100], counts_BK[:100])  # compile

    def singly() -> None:
        for ids, counts_K in zip(arrays, counts_BK, strict=True):
            service.infer_ids(ids, counts_K)

    def from_text() -> None:
        for text, counts_K in zip(texts, counts_BK, strict=True):
            service.infer(text, counts_K)

    ways: dict[str, Callable[[], object]] = {
        "batch_posts_per_second": lambda: service.infer_ids_many(ids_N, starts_B, counts_BK),
        "single_posts_per_second": singly,
        "text_posts_per_second": from_text,
        "text_batch_posts_per_second": lambda: service.infer_many(texts, counts_BK),
    }
    return {name: round(len(posts) / _fastest(way)) for name, way in ways.items()}


def _written(numbers: list[int]) -> str:
    """A post as people write: a capital, a comma, a full stop, at times a link."""
    words = [_spelled(number) for number in numbers]
    link = " https://t.co/" + words[0] if numbers[0] % 5 == 0 else ""
    return f"{words[0].capitalize()}, {' '.join(words[1:])}.{link}"


def _fastest(way: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few runs: the others were disturbed."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        way()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _tomotopy(world: World, sweeps: int) -> dict[str, object]:
    """The peer: plain LDA, document = post, one worker; nothing where it is not installed."""
    if find_spec("tomotopy") is None:
        return {"tomotopy": None}
    import tomotopy

    train = np.flatnonzero(world.trains_D)
    peer = tomotopy.LDAModel(k=_TOPICS, seed=1)
    for d in train:
        peer.add_doc([str(number) for number in world.posts[d]])
    peer.train(1, workers=1)
    begin = time.perf_counter()
    peer.train(sweeps, workers=1)
    seconds = (time.perf_counter() - begin) / sweeps
    cross = np.zeros((_TOPICS, _TOPICS))
    np.add.at(cross, (np.array([document.get_topics(1)[0][0] for document in peer.docs]), world.truth_D[train]), 1)
    new = [peer.make_doc([str(number) for number in post]) for post in world.posts[:100]]
    begin = time.perf_counter()
    for document in new:
        peer.infer(document, iterations=20, workers=1)
    return {
        "tomotopy": {
            "seconds_a_sweep": round(seconds, 4), "tokens_per_second": round(sum(len(world.posts[d]) for d in train) / seconds),
            "nmi": round(_nmi(cross), 4), "single_posts_per_second": round(len(new) / (time.perf_counter() - begin)),
        }
    }  # fmt: skip

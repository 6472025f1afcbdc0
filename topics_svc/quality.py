"""How good a model is, on posts: shares, confidence, coherence, held-out perplexity, examples.

    log p(w_1..w_m | author) = log SUM_k p0_k PROD_i [(1 - pi) phi_B(w_i) + pi phi_k(w_i)]      exact for a post, known words only
    NPMI(a, b) = log(p(a, b) / (p(a) p(b))) / -log p(a, b)      p by posts; the mean over pairs of a topic's labels (Bouma, 2009)
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from topics_svc.arrays import Doubles, Ints, Longs
from topics_svc.compiled import compiled
from topics_svc.service import TopicService

_LABELS = 10
_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 280


def measure(service: TopicService, posts: Iterable[tuple[str, str, bool]]) -> dict[str, Any]:
    """Quality from (author, text, held out) posts in their order, with running counts; what `TopicService.quality` keeps.

    Perplexity is taken over the held-out posts, everything else over all of them. Unknown values are None.
    """
    tally = _Tally(service)
    for author, text, held_out in posts:
        tally.add(author, text, held_out=held_out)
    return tally.result()


class _Tally:
    def __init__(self, service: TopicService) -> None:
        self.service = service
        n_topics = service.topics
        estimates = service.estimates
        self.counts = defaultdict[str, Doubles](lambda: np.zeros(n_topics))
        self.share_K, self.sure_K, self.best_K = np.zeros(n_topics), np.zeros(n_topics), np.zeros(n_topics, np.int64)
        self.examples: list[list[tuple[float, int, str]]] = [[] for _ in range(n_topics)]
        self.rest_V = np.log((1 - estimates.pi) * estimates.background)
        self.table_VK = estimates.table().astype(np.float64)
        self.pairs = _Pairs(service)
        self.posts = self.unknown = self.held_out = 0
        self.log_likelihood, self.words = 0.0, 0

    def add(self, author: str, text: str, *, held_out: bool) -> None:
        self.posts += 1
        self.held_out += held_out
        ids = self.service.lexicon.ids(text)
        counts_K = self.counts[author]
        theta_K = self.service.infer_ids(ids, counts_K)
        if theta_K is None:
            self.unknown += 1
            return
        if held_out:
            self.log_likelihood += self._log_likelihood(ids, counts_K)
            self.words += len(ids)
        counts_K += theta_K
        best, sure = int(theta_K.argmax()), float(theta_K.max())
        self.share_K += theta_K
        self.sure_K[best] += sure
        self.best_K[best] += 1
        self._keep_example(self.examples[best], sure * min(len(ids), 8), text)  # a sure post of two words says little
        self.pairs.add(ids)

    def _keep_example(self, examples: list[tuple[float, int, str]], weight: float, text: str) -> None:
        entry = (weight, -self.posts, text[:_EXAMPLE_CHARACTERS])
        if len(examples) == _EXAMPLES and entry <= examples[0]:
            return
        if all(entry[2] != other for _, _, other in examples):
            (heapq.heappush if len(examples) < _EXAMPLES else heapq.heappushpop)(examples, entry)

    def _log_likelihood(self, ids: Ints, counts_K: Doubles) -> float:
        prior_K = (counts_K + self.service.estimates.alpha) / (counts_K.sum() + self.service.topics * self.service.estimates.alpha)
        logs_K = np.log(prior_K) + self.table_VK[ids].sum(0)
        return float(np.logaddexp.reduce(logs_K) + self.rest_V[ids].sum())

    def result(self) -> dict[str, Any]:
        known = max(self.posts - self.unknown, 1)
        return {
            "posts": self.posts, "without_known_words": self.unknown, "held_out": self.held_out,
            "perplexity": float(np.exp(-self.log_likelihood / self.words)) if self.words else None,
            "confidence": float(self.sure_K.sum() / known),
            "topics": [
                {
                    "topic": k, "share": float(self.share_K[k] / known), "words": self.service.labels(k, _LABELS),
                    "npmi": self.pairs.npmi(k), "confidence": float(self.sure_K[k] / self.best_K[k]) if self.best_K[k] else None,
                    "examples": [text for _, _, text in sorted(self.examples[k], reverse=True)],
                }
                for k in range(self.service.topics)
            ],
        }  # fmt: skip


class _Pairs:
    """Posts that hold a label word, and that hold two of them."""

    def __init__(self, service: TopicService) -> None:
        self.labels = [[service.lexicon.id(word) for word in service.labels(k, _LABELS)] for k in range(service.topics)]
        words = sorted({v for own in self.labels for v in own if v is not None})
        self.place = {v: m for m, v in enumerate(words)}
        self.place_V = np.full(len(service.lexicon), -1, np.int32)
        self.place_V[words] = np.arange(len(words), dtype=np.int32)
        self.together_MM = np.zeros((len(words), len(words)), np.int64)
        self.posts = 0

    def add(self, ids: Ints) -> None:
        self.posts += 1
        _count_pairs(np.unique(self.place_V[ids]), self.together_MM)

    def npmi(self, k: int) -> float | None:
        places = [self.place[v] for v in self.labels[k] if v is not None]
        places = [m for m in places if self.together_MM[m, m]]
        values = [self._pair(a, b) for n, a in enumerate(places) for b in places[:n]]
        return float(np.mean(values)) if values else None

    def _pair(self, a: int, b: int) -> float:
        both, one, other = (self.together_MM[i, j] / self.posts for i, j in ((a, b), (a, a), (b, b)))
        if both == 0:
            return -1.0
        return 1.0 if both == 1 else float(np.log(both / (one * other)) / -np.log(both))


@compiled
def _count_pairs(places: Ints, together_MM: Longs) -> None:
    for a in range(len(places)):
        for b in range(len(places)):
            if places[a] >= 0 and places[b] >= 0:
                together_MM[places[a], places[b]] += 1

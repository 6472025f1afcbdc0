"""Twitter-LDA's chain and its collapsed joint in plain Python: slow, recounted at every step.

Nothing is shared with the product but the definition and the order in which random numbers are used.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import exp, lgamma, log


@dataclass
class Twin:
    """Posts as lists of words; the state is one topic a post and one switch a token."""

    posts: list[list[int]]
    authors: list[int]
    n_words: int
    n_authors: int
    topics: int
    alpha: float
    beta: float
    beta_b: float
    gamma: float
    z: dict[int, int] = field(default_factory=dict)
    y: dict[tuple[int, int], int] = field(default_factory=dict)

    def sweep(self, raws: list[int]) -> None:
        """Visit every post; it takes one number for its topic and one for each token."""
        stream = iter(raws)
        for d, words in enumerate(self.posts):
            raw_z = next(stream)
            raw_y = [next(stream) for _ in words]
            if not words:
                continue
            start = {(d, n): raw & 1 for n, raw in enumerate(raw_y)} if d not in self.z else {}
            self.z.pop(d, None)
            own = [start.get((d, n), self.y.get((d, n), 0)) for n in range(len(words))]
            for n in range(len(words)):
                self.y.pop((d, n), None)
            self.z[d] = _choose([self.weight(d, k, own) for k in range(self.topics)], raw_z)
            self.y.update({(d, n): one for n, one in enumerate(own)})
            for n in range(len(words)):
                del self.y[(d, n)]
                self.y[(d, n)] = 1 - _choose([self.switch_weight(d, n, 1), self.switch_weight(d, n, 0)], raw_y[n])

    def weight(self, d: int, k: int, own: list[int]) -> float:
        """p(z_d = k | the rest) up to a constant; post d must be out of z and y, `own` are its switches."""
        inside, size = self.topic_words(k), sum(self.topic_words(k).values())
        total = log(sum(1 for e, z in self.z.items() if z == k and self.authors[e] == self.authors[d]) + self.alpha)
        seen: Counter[int] = Counter()
        for word, one in zip(self.posts[d], own, strict=True):
            if one:
                total += log(inside[word] + self.beta + seen[word]) - log(size + self.n_words * self.beta + seen.total())
                seen[word] += 1
        return exp(total)

    def switch_weight(self, d: int, n: int, one: int) -> float:
        """p(y_dn = one | the rest) up to a constant; token n must be out of y."""
        word = self.posts[d][n]
        counts = self.topic_words(self.z[d]) if one else self.background()
        beta = self.beta if one else self.beta_b
        same = sum(1 for y in self.y.values() if y == one)
        return (same + self.gamma) * (counts[word] + beta) / (counts.total() + self.n_words * beta)

    def topic_words(self, k: int) -> Counter[int]:
        """n_k., counted."""
        return Counter(self.posts[d][n] for (d, n), one in self.y.items() if one and self.z[d] == k)

    def background(self) -> Counter[int]:
        """n_B., counted."""
        return Counter(self.posts[d][n] for (d, n), one in self.y.items() if not one)

    def log_joint(self) -> float:
        """Log P of words, switches and topics."""
        total = _dirichlet_multinomial([sum(self.y.values()), len(self.y) - sum(self.y.values())], self.gamma)
        for author in range(self.n_authors):
            own = Counter(z for d, z in self.z.items() if self.authors[d] == author)
            total += _dirichlet_multinomial([own[k] for k in range(self.topics)], self.alpha)
        for k in range(self.topics):
            inside = self.topic_words(k)
            total += _dirichlet_multinomial([inside[v] for v in range(self.n_words)], self.beta)
        outside = self.background()
        return total + _dirichlet_multinomial([outside[v] for v in range(self.n_words)], self.beta_b)


def _dirichlet_multinomial(counts: list[int], prior: float) -> float:
    ends = lgamma(prior * len(counts)) - lgamma(sum(counts) + prior * len(counts))
    return ends + sum(lgamma(count + prior) - lgamma(prior) for count in counts)


def _choose(weights: list[float], raw: int) -> int:
    mark, total = (raw >> 11) / 2**53 * sum(weights), 0.0
    for index, weight in enumerate(weights):
        total += weight
        if mark < total:
            return index
    return len(weights) - 1

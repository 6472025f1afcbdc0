"""Twitter-LDA (Zhao et al., ECIR 2011): exact, seeded, fast, with closed-form inference for new posts.

    service = fit([("ann", "first text"), ...], TopicConfig(topics=60))
    theta_K = service.infer("a new text", counts_K)     # None = no known word
    service.save(path); TopicService.load(path)
"""

from topics_svc.config import TopicConfig
from topics_svc.errors import ArtifactError, ConfigError, CorpusError, InputError, TopicError
from topics_svc.service import TopicService, fit

__all__ = ["ArtifactError", "ConfigError", "CorpusError", "InputError", "TopicConfig", "TopicError", "TopicService", "fit"]

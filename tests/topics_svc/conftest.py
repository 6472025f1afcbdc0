"""One fitted model for the tests that only read it."""

import pytest
from hypothesis import settings

from tests.topics_svc.corpora import drawn
from topics_svc import TopicConfig, TopicService, fit

# The same examples every time; no deadline, because the first example of a test may compile a kernel.
settings.register_profile("topics", deadline=None, derandomize=True)
settings.load_profile("topics")


@pytest.fixture(scope="session")
def service() -> TopicService:
    """Four topics of 2,000 posts by 20 authors, fitted."""
    return fit(drawn(2000, 4, 20, 0)[0], TopicConfig(topics=4, sweeps=30, average_last=5, seed=3, stop_languages=()))

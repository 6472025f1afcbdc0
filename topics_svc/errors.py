"""Named errors of the topic service; each message has the value and the remedy.

TopicError (a ValueError)
├── ConfigError     an impossible hyper-parameter
├── CorpusError     posts that no model can be fitted to
├── InputError      a text or a count vector that is none
└── ArtifactError   a saved model that is missing, damaged, foreign or newer
"""


class TopicError(ValueError):
    """Anything the caller can mend."""


class ConfigError(TopicError):
    """A hyper-parameter outside its range."""


class CorpusError(TopicError):
    """Too few posts, no word left after the cuts, or more tokens than the stated memory holds."""


class InputError(TopicError):
    """A text that is no string, or running counts that are not K finite numbers of at least 0."""


class ArtifactError(TopicError):
    """A directory that is not a whole artifact of this program's format."""

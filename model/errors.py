"""Errors of the model; each message has the value and the remedy."""


class ModelError(ValueError):
    """A configuration, step or sequence that the model cannot use."""


class CheckpointError(ModelError):
    """A checkpoint that is missing, broken, newer or foreign."""

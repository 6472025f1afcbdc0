"""The tree of errors an operator may meet; each message has the value and the remedy.

CrossnetError
├── SettingsError       a wrong setting
├── DataError           a data folder that cannot be used
├── ArtifactError       an artifact that is missing or does not fit another
└── BrokerError         Kafka is away, unreachable, or its topics are wrong

`topics_svc` and `model` import nothing of ours, so their errors are ValueErrors of their own, turned into one of these
where the stream calls them.
"""


class CrossnetError(Exception):
    """Anything an operator can mend: shown as one sentence, exit code 2."""


class SettingsError(CrossnetError):
    """A setting with an impossible value, or an unknown key."""


class DataError(CrossnetError):
    """A data folder that is missing, unreadable or empty."""


class ArtifactError(CrossnetError):
    """An artifact that is missing, broken, or belongs to another one."""


class BrokerError(CrossnetError):
    """No broker, or Kafka topics that differ from the contract."""

"""What an operator sets: `deploy/settings.toml`, overridden by the artifact's own `settings.toml` (the networks it was trained on),
overridden by `CROSSNET_*` variables, overridden by options.

Environment names have two underscores between levels, as in `CROSSNET_KAFKA__PARTITIONS=8`; `CROSSNET_BOOTSTRAP` is short for
`CROSSNET_KAFKA__BOOTSTRAP`.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from streams.errors import SettingsError

_STRICT = ConfigDict(extra="forbid", frozen=True)
_NAME = r"^[A-Za-z0-9._-]{1,200}$"


class KafkaSettings(BaseModel):
    """The broker and the Kafka topics of the contract (source networks apart)."""

    model_config = _STRICT

    bootstrap: str = "127.0.0.1:9092"
    "host:port of a broker; several with commas"
    security: str = Field(default="PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    "how the broker is spoken to; beyond one's own machine SASL_SSL"
    mechanism: str = Field(default="SCRAM-SHA-512", pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    "how the password is proven, with SASL"
    username: str = ""
    "the Kafka user, with SASL"
    password_file: str = ""
    "a file with his password; without it CROSSNET_KAFKA_PASSWORD has it. No setting holds the password itself"
    ca_file: str = ""
    "PEM certificates that the broker's is checked against, with SSL; without it those the system trusts"
    partitions: int = Field(default=4, ge=1, le=1024)
    "of every input Kafka topic; they must agree, because a user's posts and interactions are joined by partition"
    replication: int = Field(default=1, ge=1, le=9)
    "copies of each partition; 1 fits the local broker only"
    target: str = Field(default="youtube-events", pattern=_NAME)
    "interactions on the target network"
    items: str = Field(default="items", pattern=_NAME)
    "titles and texts of items, compacted"
    recommendations: str = Field(default="recommendations", pattern=_NAME)
    "Top-K lists out"
    dead_letters: str = Field(default="dead-letters", pattern=_NAME)
    "input that could not be used, with its reason"
    state: str = Field(default="state", pattern=_NAME)
    "rows of the users, compacted, written in transactions"
    lessons: str = Field(default="lessons", pattern=_NAME)
    "what was learned, one record a wave, one partition"
    group: str = Field(default="crossnet", pattern=_NAME)
    "consumer group, Faust app id and stem of the transactional id"

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self.security.endswith("SSL")

    @property
    def has_password(self) -> bool:
        """Whether a user and his password are asked for."""
        return self.security.startswith("SASL")


class LineSettings(BaseModel):
    """How the line treats time, waves and lists."""

    model_config = _STRICT

    wave: int = Field(default=64, ge=1, le=4096)
    "interactions of distinct users ranked and learned together, at most"
    wave_records: int = Field(default=1_000, ge=1)
    "records gathered before a wave is closed though it is not full; posts count too"
    list_size: int = Field(default=100, ge=1, le=1000)
    "items on a published list"
    refresh_seconds: int = Field(default=3600, ge=0)
    "of event time: a post renews its user's list when that is older; 0 = never"
    first_window_days: int = Field(default=30, ge=1, le=366)
    "how far back the first window of a user reaches"
    late_posts: str = Field(default="include", pattern="^(include|drop)$")
    "what becomes of a post older than its user's last interaction"
    users_limit: int = Field(default=200_000, ge=1)
    "users kept; beyond it those seen least lately are forgotten, and start anew when they return"
    decoded_kept: int = Field(default=50_000, ge=1)
    "users ready for use; beyond it those touched least lately are packed: a quarter less memory, 0.6 ms when they return"
    owned_kept: int = Field(default=2_000, ge=1)
    "items of a user that are never recommended to him again: his latest so many"
    ids_kept: int = Field(default=64, ge=1)
    "ids of a user's latest records, by which a record sent twice is known"
    retired_kept: int = Field(default=100_000, ge=1)
    "retired items that are kept off lists: the latest so many"
    tie_limit: int = Field(default=10_000, ge=1)
    "interactions of one time that wait for each other before any is learned; beyond it they are learned all the same, and counted"
    topics_distance: float = Field(default=0.3, ge=0, le=1)
    "refitted topics are refused when they moved farther than this from those the model was trained on"


class WorkerSettings(BaseModel):
    """How the worker reads, commits and shows itself."""

    model_config = _STRICT

    settle_ms: int = Field(default=200, ge=0, le=60_000)
    "a record more than 2 s old by its own time waits so long for earlier ones: a backlog is written one Kafka topic after the other"
    idle_ms: int = Field(default=10_000, ge=0, le=600_000)
    "a partition of which the broker has said nothing for so long holds the others back no longer"
    align_limit: int = Field(default=200_000, ge=1)
    "records held back at most; above it the lowest is released anyway and counted"
    commit_ms: int = Field(default=1_000, ge=10)
    "between two commits, at most"
    commit_events: int = Field(default=5_000, ge=1)
    "between two commits, at most"
    checkpoint_interactions: int = Field(default=20_000, ge=1)
    "between two checkpoints, at most"
    checkpoint_seconds: int = Field(default=300, ge=1)
    "between two checkpoints, at most"
    checkpoints_kept: int = Field(default=3, ge=1)
    "older ones are deleted"
    session_timeout_ms: int = Field(default=10_000, ge=1_000, le=90_000)
    "Kafka declares a silent worker dead after so long"
    transaction_timeout_ms: int = Field(default=60_000, ge=1_000)
    "Kafka ends a transaction that stays open for so long; its writer is fenced then"
    stop_seconds: float = Field(default=9.0, gt=0)
    "a stop that takes longer ends with a non-zero exit"
    threads: int = Field(default=1, ge=1, le=256)
    "torch threads; weights are the same to the last bit only where they were learned with as many"
    host: str = "127.0.0.1"
    "address of /metrics, /healthz and /readyz"
    port: int = Field(default=9464, ge=0, le=65535)
    "port of /metrics, /healthz and /readyz; 0 = any free one"

    @property
    def heartbeat_ms(self) -> int:
        """Between two signs of life to Kafka, three of which it misses at most."""
        return self.session_timeout_ms // 3


class ServeSettings(BaseModel):
    """How `crossnet serve` shows lists over HTTP, and what it bears."""

    model_config = _STRICT

    host: str = "127.0.0.1"
    "address to listen on; beyond loopback only with token_file or insecure"
    port: int = Field(default=8080, ge=0, le=65535)
    "0 = any free one"
    token_file: str = ""
    "file with the token that every request must bring; empty = none"
    insecure: bool = False
    "listen beyond loopback without a token"
    history: int = Field(default=16, ge=1, le=100)
    "past interactions of a user that are kept to be shown"
    accuracy_events: int = Field(default=1_000, ge=1, le=100_000)
    "interactions over which the running accuracy is taken"
    half_life_days: float = Field(default=7.0, gt=0)
    "of event time, in the counts behind the list for unknown users"
    streams: int = Field(default=500, ge=1)
    "live streams at a time; one more gets 503"
    connections: int = Field(default=2_000, ge=1)
    "open connections at a time; one more is closed"
    body_bytes: int = Field(default=262_144, ge=1_024)
    "of one request; a text of 20,000 characters may be escaped to 240,000"
    request_seconds: float = Field(default=10.0, gt=0)
    "a client may take so long to send a request, Kafka to take an event"
    stale_seconds: float = Field(default=3.0, gt=0)
    "Kafka may be silent for so long before /readyz turns red"


class _Environment(EnvSettingsSource):
    """`CROSSNET_*` variables, with `CROSSNET_BOOTSTRAP` as the short name of the broker's."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        short = os.environ.get("CROSSNET_BOOTSTRAP")
        if short:
            values.setdefault("kafka", {}).setdefault("bootstrap", short)
        return values


class Settings(BaseSettings):
    """All settings; frozen, unknown keys refused."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="CROSSNET_", env_nested_delimiter="__", nested_model_default_partial_update=True
    )

    networks: dict[str, str] = Field(default={"twitter": "tweets", "gplus": "gplus-posts"})
    "source networks: name to Kafka topic"
    kafka: KafkaSettings = KafkaSettings()
    line: LineSettings = LineSettings()
    worker: WorkerSettings = WorkerSettings()
    serve: ServeSettings = ServeSettings()

    @field_validator("networks")
    @classmethod
    def _distinct(cls, networks: dict[str, str]) -> dict[str, str]:
        if len(set(networks.values())) != len(networks):
            raise ValueError(f"two networks share a Kafka topic: {networks}; give each its own")
        return networks

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over files; options are merged by `load` above both."""
        del env_settings, dotenv_settings, file_secret_settings
        return (_Environment(settings_cls), init_settings)

    def input_topics(self) -> tuple[str, ...]:
        """Kafka topics that the worker reads in event-time order: sources first, then the target."""
        return (*self.networks.values(), self.kafka.target)


def load(*files: Path, options: Mapping[str, Any] | None = None) -> Settings:
    """Settings from defaults, then each of `files` (later wins), then the environment, then `options` ("kafka.bootstrap": value).

    Raises SettingsError with the offending key, its value and the nearest known key.
    """
    values: dict[str, Any] = {}
    for file in files:
        _merge(values, _read(file))
    for dotted, value in (options or {}).items():
        if value is not None:
            _environment_beaten_by(dotted, value, values)
    try:
        settings = Settings(**values)
        return _with_options(settings, options or {})
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error


def _with_options(settings: Settings, options: Mapping[str, Any]) -> Settings:
    """Options beat the environment, so they are laid over the finished settings and validated once more."""
    values = settings.model_dump()
    for dotted, value in options.items():
        if value is not None:
            _environment_beaten_by(dotted, value, values)
    return Settings.model_construct(
        networks=settings.networks,
        kafka=KafkaSettings(**values["kafka"]),
        line=LineSettings(**values["line"]),
        worker=WorkerSettings(**values["worker"]),
        serve=ServeSettings(**values["serve"]),
    )


def _environment_beaten_by(dotted: str, value: object, values: dict[str, Any]) -> None:
    section, _, key = dotted.partition(".")
    values.setdefault(section, {})[key] = value


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"no settings file {file}; name one that exists or leave the option out") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        # `networks` is a set of its own: naming some means these and no others.
        if isinstance(value, dict) and isinstance(into.get(key), dict) and key != "networks":
            _merge(into[key], value)
        else:
            into[key] = value


def _sentence(error: ValidationError) -> str:
    """Only the first of pydantic's findings: one clear sentence with the remedy."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path, _known_keys(), n=1, cutoff=0.0)
        return f"unknown setting {path!r}; the nearest known one is {near[0]!r}"
    return f"setting {path} = {first.get('input')!r}: {first['msg']}"


def _known_keys() -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "kafka": KafkaSettings, "line": LineSettings, "worker": WorkerSettings, "serve": ServeSettings,
    }  # fmt: skip
    return ["networks", *(f"{name}.{key}" for name, section in sections.items() for key in section.model_fields)]

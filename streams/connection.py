"""How programs reach Kafka: one place that knows of TLS and passwords, and the clients made from it.

The password comes from the environment (`CROSSNET_KAFKA_PASSWORD`) or from the file that `kafka.password_file` names. It is read when
a client is made and stands in no settings, so that nothing that prints or logs settings can tell it.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed
from aiokafka.protocol.admin import ApiVersionRequest

from streams.errors import BrokerError, SettingsError
from streams.settings import KafkaSettings, Settings

PASSWORD = "CROSSNET_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable, no password
_REQUEST_MS = 8_000  # a healthy broker answers in a few; an operator wants to know soon
_CLOSING_SECONDS = 0.05  # aiokafka closes a refused connection without waiting for its end


def options(kafka: KafkaSettings) -> dict[str, Any]:
    """What every aiokafka client is made with. Raises SettingsError for an unreadable file or a missing password."""
    common: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "security_protocol": kafka.security}
    if kafka.is_encrypted:
        common["ssl_context"] = tls(kafka)
    if kafka.has_password:
        common |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": password(kafka),
        }
    return common


def tls(kafka: KafkaSettings) -> ssl.SSLContext:
    """Checks the broker's certificate and host name, against `kafka.ca_file` or what the system trusts."""
    try:
        return ssl.create_default_context(cafile=kafka.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"kafka.ca_file = {kafka.ca_file!r} cannot be used ({error}); give a PEM file of certificates") from error


def password(kafka: KafkaSettings) -> str:
    """The password; SettingsError where there is none, without a word of what was found."""
    if kafka.password_file:
        try:
            found = Path(kafka.password_file).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"kafka.password_file = {kafka.password_file!r} cannot be read ({type(error).__name__}); name a file with one line"
            ) from error
    else:
        found = os.environ.get(PASSWORD, "")
    if not found:
        raise SettingsError(f"no password for the Kafka user {kafka.username!r}; set {PASSWORD} or kafka.password_file")
    return found


@asynccontextmanager
async def consumer(kafka: KafkaSettings, **more: Any) -> AsyncIterator[AIOKafkaConsumer]:  # noqa: ANN401 - aiokafka's own options
    """A plain consumer outside any group unless told otherwise; assigned and sought by the caller, nothing committed by itself."""
    client = AIOKafkaConsumer(**options(kafka), **{"enable_auto_commit": False, "auto_offset_reset": "earliest", **more})
    async with _started(client, kafka):
        yield client


@asynccontextmanager
async def producer(kafka: KafkaSettings, **more: Any) -> AsyncIterator[AIOKafkaProducer]:  # noqa: ANN401 - aiokafka's own options
    """An idempotent producer; what was sent has arrived when the block ends."""
    client = AIOKafkaProducer(**options(kafka), **{"acks": "all", "enable_idempotence": True, **more})
    async with _started(client, kafka):
        yield client


@asynccontextmanager
async def admin(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client."""
    client = AIOKafkaAdminClient(**options(kafka), request_timeout_ms=_REQUEST_MS)
    async with _started(client, kafka):
        yield client


@asynccontextmanager
async def _started(client: Any, kafka: KafkaSettings) -> AsyncIterator[None]:  # noqa: ANN401 - aiokafka ships no types
    try:
        await client.start()
        yield
    except (KafkaError, OSError) as error:
        raise await named(error, kafka) from error
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


def input_partitions(settings: Settings) -> list[TopicPartition]:
    """All partitions that the worker reads, as the settings have them."""
    return [TopicPartition(name, number) for name in settings.input_topics() for number in range(settings.kafka.partitions)]


async def named(error: BaseException, kafka: KafkaSettings) -> BrokerError:
    """An error of a client as one sentence with the remedy. aiokafka tells the cause of a failed start only to its log."""
    cause = await why(kafka) if isinstance(error, KafkaConnectionError | TimeoutError | OSError) else None
    if cause is not None:
        return BrokerError(cause)
    return BrokerError(f"Kafka at {kafka.bootstrap} refuses: {type(error).__name__}: {error}; see the broker's log and its ACLs")


async def why(kafka: KafkaSettings) -> str | None:
    """Why no broker can be reached, as one sentence with the remedy; None when one can."""
    said = None
    for address in kafka.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdigit():
            return f"broker address {address!r} is not host:port, such as 127.0.0.1:9092"
        said = await _why_not(host.strip("[]"), int(port), kafka)
        if said is None:
            break
    await asyncio.sleep(_CLOSING_SECONDS)
    return said


async def api_keys(kafka: KafkaSettings) -> frozenset[int]:
    """The kinds of request that the first broker offers, by their numbers in Kafka's protocol."""
    given = {name: value for name, value in options(kafka).items() if name != "bootstrap_servers"}
    host, _, port = kafka.bootstrap.split(",")[0].strip().rpartition(":")
    connection = await create_conn(host.strip("[]"), int(port), request_timeout_ms=_REQUEST_MS, **given)
    try:
        answer = await connection.send(ApiVersionRequest())
    finally:
        connection.close()
        await asyncio.sleep(_CLOSING_SECONDS)
    return frozenset(key for key, *_ in answer.api_versions)


async def _why_not(host: str, port: int, kafka: KafkaSettings) -> str | None:
    given = {name: value for name, value in options(kafka).items() if name != "bootstrap_servers"}
    where = f"Kafka at {host}:{port}"
    try:
        connection = await create_conn(host, port, request_timeout_ms=_REQUEST_MS, **given)
    except SaslAuthenticationFailed:
        return f"{where} refuses the user {kafka.username!r} or his password; mend kafka.username, kafka.password_file or {PASSWORD}"
    except ssl.SSLCertVerificationError as error:
        return f"{where} shows a certificate that is not trusted ({error.verify_message}); name its CA in kafka.ca_file"
    except (ssl.SSLError, ConnectionResetError, asyncio.IncompleteReadError, KafkaError) as error:
        # Something listens, and ends the conversation at its beginning.
        return f"{where} does not speak {kafka.security} ({type(error).__name__}); mend kafka.security, kafka.mechanism or the port"
    except (OSError, TimeoutError) as error:
        detail = _first_line(error) or type(error).__name__
        return (
            f"no Kafka broker answers at {kafka.bootstrap} ({detail}); start one with `crossnet broker up`, "
            "or name yours with --bootstrap or CROSSNET_BOOTSTRAP"
        )
    connection.close()
    return None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else ""

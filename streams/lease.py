"""Who of a group's workers is active: it is the one member of the consumer group `<group>-active`; others look and wait.

A worker that stops leaves that group, one that freezes is dropped by Kafka after `session_timeout_ms`. One that was killed is
dropped then too, but on its own machine it is known at once by its process id and leaves by another's hand: Kafka, too, would keep
a newcomer waiting for it.
"""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest

from streams.connection import admin, options
from streams.errors import BrokerError
from streams.settings import Settings

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_CLAIM_SECONDS = 20.0
_PREFIX = "crossnet-worker"


class Lease:
    """This process's claim."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._me = _client_id()
        self._member: AIOKafkaConsumer | None = None
        self._admission: _Admission | None = None

    async def take(self, waits: Callable[[str], None]) -> None:
        """Return once this process is the active worker; `waits` is told once of whom it waits for."""
        told = False
        while True:
            others = await self._others()
            if not others:
                await self._join()
                others = await self._others()
                if not others:
                    return
                # Two came at the same moment: both step back, for different times.
                await self.release()
                await asyncio.sleep(random.uniform(0, 2 * _LOOK_SECONDS))  # noqa: S311 - no secret
                continue
            if not told:
                waits(others[0])
                told = True
            await asyncio.sleep(_LOOK_SECONDS)

    async def release(self) -> None:
        """Let the next one in."""
        if self._member is not None:
            member, self._member = self._member, None
            await member.stop()

    def was_out(self) -> bool:
        """Whether Kafka has let this process in since the last call; if not for the first time, another may have been active."""
        return self._admission is not None and self._admission.take()

    async def _others(self) -> list[str]:
        async with admin(self._settings.kafka) as client:
            members = await self._members(client)
            # Before this process has joined, one of its name is a dead one that had its process id.
            gone = [member for member, name in members.items() if _is_gone(name) and (self._member is None or name != self._me)]
            for member in gone:
                await self._remove(client, member)
        return [name for member, name in members.items() if name != self._me and member not in gone]

    async def _members(self, client: AIOKafkaAdminClient) -> dict[str, str]:
        """The client ids of the workers in the group, by the names that Kafka has given them."""
        answer = await self._described(client)
        ((_, _, _, _, _, members, *_),) = answer.groups
        return {str(member): str(name) for member, name, *_ in members if str(name).startswith(_PREFIX)}

    async def _remove(self, client: AIOKafkaAdminClient, member: str) -> None:
        """Have a dead member leave. Where Kafka does not let it, it drops it by itself, later."""
        coordinator = await client.find_coordinator(self._group)
        # The admin client has no call for it.
        await client._send_request(LeaveGroupRequest(self._group, member), coordinator)  # noqa: SLF001

    async def _described(self, client: AIOKafkaAdminClient) -> Any:  # noqa: ANN401 - aiokafka ships no types
        deadline = time.monotonic() + _CLAIM_SECONDS
        while True:
            try:
                return (await client.describe_consumer_groups([self._group]))[0]
            except KafkaError as error:  # the first group of a new broker takes it a while
                if not error.retriable or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)

    async def _join(self) -> None:
        kafka, worker = self._settings.kafka, self._settings.worker
        self._member = AIOKafkaConsumer(
            **options(kafka), group_id=self._group, client_id=self._me, enable_auto_commit=False, auto_offset_reset="latest",
            session_timeout_ms=worker.session_timeout_ms, heartbeat_interval_ms=worker.heartbeat_ms, max_poll_interval_ms=2**31 - 1,
        )  # fmt: skip
        # Kafka wants a subscription; nothing is read.
        self._admission = _Admission(self._member)
        self._member.subscribe([kafka.lessons], listener=self._admission)
        await self._member.start()
        deadline = time.monotonic() + _CLAIM_SECONDS
        async with admin(kafka) as client:
            while self._me not in (await self._members(client)).values():
                if time.monotonic() > deadline:
                    raise BrokerError(f"Kafka does not let this worker into the group {self._group} within {_CLAIM_SECONDS:.0f} s")
                await asyncio.sleep(_LOOK_SECONDS / 10)

    @property
    def _group(self) -> str:
        return f"{self._settings.kafka.group}-active"


class _Admission(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Notes that Kafka has let this process in, and fetches nothing of what it assigns."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._is_new = False

    def take(self) -> bool:
        """Whether it has since the last call."""
        was_new, self._is_new = self._is_new, False
        return was_new

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to give back."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Read nothing."""
        self._is_new = True
        self._consumer.pause(*assigned)


def _client_id() -> str:
    return f"{_PREFIX}/{socket.gethostname()}/{_namespace()}/{os.getpid()}"


def _namespace() -> str:
    """Whose process ids these are: those of one container say nothing about another's."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _is_gone(client_id: str) -> bool:
    """Whether a worker ran on this machine and runs no more."""
    place, _, pid = client_id.rpartition("/")
    if place != _client_id().rpartition("/")[0] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid()

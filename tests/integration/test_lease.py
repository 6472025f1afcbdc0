"""Promises of the claim on being active."""

import asyncio

from streams.connection import admin
from streams.lease import Lease
from streams.settings import Settings, WorkerSettings
from tests.integration.kafka import Kafka
from tests.integration.until import until


def test_who_was_dropped_while_frozen_is_told_so(kafka: Kafka) -> None:
    """A frozen process that Kafka has dropped learns of it by itself, whether or not it has anything to do."""
    settings = kafka.settings(("press",), worker=WorkerSettings(session_timeout_ms=6_000))
    kafka.create(settings)
    lease = Lease(settings)
    with asyncio.Runner() as its_own:
        its_own.run(lease.take(_nobody))
        its_own.run(_admitted(lease))
        assert not lease.was_out()
        until(lambda: not _members(settings), "Kafka drops the process whose loop stands still", 60)
        its_own.run(_admitted(lease))
        its_own.run(lease.release())


def _nobody(other: str) -> None:
    raise AssertionError(f"nobody else is there, not {other}")


async def _admitted(lease: Lease) -> None:
    async with asyncio.timeout(60):
        while not lease.was_out():  # noqa: ASYNC110 - aiokafka's callback sets no event
            await asyncio.sleep(0.05)


def _members(settings: Settings) -> int:
    async def members() -> int:
        async with admin(settings.kafka) as client:
            ((answer, *_),) = [one.groups for one in await client.describe_consumer_groups([f"{settings.kafka.group}-active"])]
            return len(answer[5])

    return asyncio.run(members())

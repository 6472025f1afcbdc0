"""Promises of the claim on being active."""

import asyncio
import subprocess
import sys

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


def test_who_was_killed_keeps_nobody_waiting(kafka: Kafka) -> None:
    """A dead process of this machine leaves the group by its successor's hand, who is in long before Kafka would have dropped it."""
    settings = kafka.settings(("press",), worker=WorkerSettings(session_timeout_ms=90_000))
    kafka.create(settings)
    with subprocess.Popen([sys.executable, "-c", _TAKES, settings.model_dump_json()], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert b"taken\n" == killed.stdout.readline()
        killed.kill()
    lease = Lease(settings)
    with asyncio.Runner() as its_own:
        its_own.run(asyncio.wait_for(lease.take(_nobody), 60))
        assert 1 == _members(settings)
        its_own.run(lease.release())


_TAKES = """
import asyncio, sys
from streams.lease import Lease
from streams.settings import Settings

async def take():
    await Lease(Settings.model_validate_json(sys.argv[1])).take(print)
    print("taken", flush=True)
    await asyncio.sleep(600)

asyncio.run(take())
"""


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

"""`crossnet tail`: lists and posts as they are on Kafka, readable."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import click
from aiokafka import ConsumerRecord

from streams import tail
from streams.cli.options import artifacts_option, bootstrap_option, for_artifacts, json_option, plain, told
from streams.records import Item
from streams.settings import Settings

_TEXT = 110  # characters of a post on its line
_Show = Callable[[str, dict[str, Any]], str]


@click.group()
def command() -> None:
    """Show what is on Kafka, newest last; --follow goes on until ctrl-C.

    Example: crossnet tail recommendations --last 3
    """


_LAST = click.option("--last", "count", default=10, type=click.IntRange(0), show_default=True, help="So many of the newest.")
_FOLLOW = click.option("--follow", "-f", is_flag=True, help="Go on with those that come.")
_USER = click.option("--user", help="Only this user's.")


@command.command()
@_LAST
@_FOLLOW
@_USER
@click.option("--items", "size", default=5, type=click.IntRange(1), show_default=True, help="Of each list so many items.")
@artifacts_option
@bootstrap_option
@json_option
def recommendations(
    count: int, user: str | None, size: int, artifacts: Path | None, bootstrap: str | None, *, follow: bool, as_json: bool
) -> None:
    """Show lists, with titles: whose, why, what he took before and at which rank it stood, and the first items.

    Example: crossnet tail recommendations --follow --user user0042
    """
    settings = for_artifacts(artifacts, bootstrap)
    names = [settings.kafka.recommendations]
    asyncio.run(_tail(settings, names, count, user, partial(_lists, size), follow=follow, as_json=as_json))


@command.command()
@_LAST
@_FOLLOW
@_USER
@artifacts_option
@bootstrap_option
@json_option
def posts(count: int, user: str | None, artifacts: Path | None, bootstrap: str | None, *, follow: bool, as_json: bool) -> None:
    """Show posts of all source networks.

    Example: crossnet tail posts --last 20 --json
    """
    settings = for_artifacts(artifacts, bootstrap)
    networks = {name: network for network, name in settings.networks.items()}

    def shown(kafka_topic: str, post: dict[str, Any]) -> str:
        text = " ".join(str(post.get("text", "")).split())
        return f"{_when(post)}  {networks[kafka_topic]:8}  {plain(post.get('user'))}: {plain(text)[:_TEXT]}"

    asyncio.run(_tail(settings, list(networks), count, user, lambda _: shown, follow=follow, as_json=as_json))


async def _tail(
    settings: Settings, names: Sequence[str], count: int, user: str | None, show: Callable[[dict[str, Item]], _Show],
    *, follow: bool, as_json: bool,
) -> None:  # fmt: skip
    def wanted(record: ConsumerRecord) -> bool:
        return (tail.fields(record) or {}).get("user") == user

    shown = show({} if as_json else await tail.items(settings))
    async with aclosing(tail.last(settings, names, count, keep=None if user is None else wanted, follow=follow)) as records:
        async for record in records:
            value = tail.fields(record)
            if value is None:
                continue
            place = {"kafka_topic": record.topic, "partition": record.partition, "offset": record.offset}
            click.echo(json.dumps({**place, **value}) if as_json else _or_raw(shown, record.topic, value))


def _or_raw(shown: _Show, kafka_topic: str, value: dict[str, Any]) -> str:
    """Whoever may write to the Kafka topic may write what is no list."""
    try:
        return shown(kafka_topic, value)
    except (KeyError, TypeError, ValueError, AttributeError):
        return f"{_when(value)}  not understood: {plain(json.dumps(value))[:_TEXT]}"


def _lists(size: int, items: dict[str, Item]) -> _Show:
    """How a list is shown, its first `size` items with their titles."""

    def title(name: object) -> str:
        known = items.get(str(name))
        return plain(known.title if known and known.title else name)

    def shown(_: str, value: dict[str, Any]) -> str:
        head = f"{_when(value)}  {plain(value.get('user'))}  list after {plain(value.get('trigger'))}"
        if last := value.get("last"):
            rank = last.get("rank_scored")
            head += f", took {title(last.get('item'))} ({f'rank {rank}' if rank else 'unknown before'})"
        first = enumerate(value.get("items", [])[:size], 1)
        return "\n".join([head, *(f"   {place}. {title(one['item'])}  {one['score']:.3f}" for place, one in first)])

    return shown


def _when(value: dict[str, Any]) -> str:
    at = value.get("at")
    return told(at) if isinstance(at, int) else str(at)

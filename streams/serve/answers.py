"""What the read side answers, as plain values: a user's list, his window and past, an item, the running figures."""

import time
from collections.abc import Mapping, Set
from typing import Any

from streams.serve.live import Told
from streams.serve.popularity import Popularity
from streams.serve.store import Kept, Store, why, window

_TOP = 3
_USER_LIST = 20


class Answers:
    """Reads the store; changes nothing."""

    def __init__(self, store: Store, popularity: Popularity, labels: Mapping[int, list[str]]) -> None:
        self._store, self._popularity, self._labels = store, popularity, labels

    def recommendations(self, user: str, size: int, exclude: Set[str]) -> dict[str, Any]:
        """The first `size` items of a user's list; for an unknown user what is popular, marked `fallback`."""
        kept = self._store.kept(user)
        if kept is None:
            return {"user": user, "fallback": True, "id": None, "at": None, "age_seconds": None, "trigger": None, "model": None,
                    "items": self._popular(size, exclude)}  # fmt: skip
        fields = kept.fields(size)
        entries = self._entries(fields["items"], size, exclude)
        if len(entries) < size:  # some were left out
            entries = self._entries(kept.fields()["items"], size, exclude)
        return {
            "user": user, "fallback": False, "id": fields["id"], "at": fields["at"], "age_seconds": _age(kept),
            "trigger": fields["trigger"], "model": fields["model"], "items": entries,
        }  # fmt: skip

    def user(self, user: str) -> dict[str, Any] | None:
        """All that the list's record says about a user, and his past interactions, newest first; None for an unknown one."""
        kept = self._store.kept(user)
        if kept is None:
            return None
        fields = kept.fields(_USER_LIST)
        last = fields["last"]
        return {
            "user": user, "id": fields["id"], "at": fields["at"], "age_seconds": _age(kept), "trigger": fields["trigger"],
            "model": fields["model"], "window": self._window(fields["window"]),
            "attention": [{"steps_ago": steps, "weight": weight} for steps, weight in fields["attention"]],
            "last": self._interaction({**last, "at": fields["at"]}) if last else None,
            "past": [self._interaction(one) for one in self._store.past(kept)],
            "items": self._entries(fields["items"], _USER_LIST, frozenset()),
        }  # fmt: skip

    def item(self, name: str) -> dict[str, Any] | None:
        """An item as the Kafka topic has it; None for an unknown one."""
        one = self._store.item(name)
        return None if one is None else {"item": one.item, "title": one.title, "text": one.text, "retired": one.retired}

    def short(self, told: Told) -> dict[str, Any]:
        """A list in the few words of the live stream."""
        fields, published_ms = told
        last = fields["last"]
        return {
            "user": fields["user"], "at": fields["at"], "published_ms": published_ms, "trigger": fields["trigger"],
            "items": [{"item": one["item"], "title": self._store.title(one["item"])} for one in fields["items"][:_TOP]],
            "last": None if last is None else {
                "item": last["item"], "title": self._store.title(last["item"]),
                "rank_published": last.get("rank_published"), "rank_scored": last.get("rank_scored"),
            },
        }  # fmt: skip

    def _entries(self, entries: list[dict[str, Any]], size: int, exclude: Set[str]) -> list[dict[str, Any]]:
        store, shown = self._store, list[dict[str, Any]]()
        for one in entries:
            name = one["item"]
            if name in exclude or name in store.retired:
                continue
            entry = {"item": name, "title": store.title(name), "score": one["score"]}
            if isinstance(one.get("why"), dict):
                entry["why"] = self._why(why(one["why"]))
            shown.append(entry)
            if len(shown) == size:
                break
        return shown

    def _why(self, fields: dict[str, Any]) -> dict[str, Any]:
        if "moved" not in fields:
            return fields
        moved = {
            network: {"by": one["by"], "topics": [
                {"topic": int(topic), "by": part, "words": self._labels.get(int(topic), [])} for topic, part in one["topics"].items()
            ]} for network, one in fields["moved"].items()
        }  # fmt: skip
        return {**fields, "moved": moved}

    def _popular(self, size: int, exclude: Set[str]) -> list[dict[str, Any]]:
        best = self._popularity.without(exclude | self._store.retired, size, time.monotonic())
        return [{"item": name, "title": self._store.title(name), "score": share} for name, share in best]

    def _interaction(self, last: dict[str, Any]) -> dict[str, Any]:
        ranks = {name: last.get(name) for name in ("rank_scored", "rank_published", "rank_popularity")}
        title = self._store.title(last["item"])
        return {"item": last["item"], "title": title, "at": last["at"], **ranks, "window": self._window(window(last.get("window")))}

    def _window(self, fields: dict[str, Any]) -> dict[str, Any]:
        topics = {
            name: [{"topic": topic, "weight": weight, "words": self._labels.get(topic, [])} for topic, weight in pairs]
            for name, pairs in fields["topics"].items()
        }
        return {**fields, "topics": topics}


def _age(kept: Kept) -> float:
    return round(max(0.0, time.time() - kept.published_ms / 1000), 3)

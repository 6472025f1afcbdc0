"""The OpenAPI document of the read side; tests make requests from it and hold the answers against it."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from streams.records import MAX_ID_BYTES, MAX_TEXT_CHARACTERS

MAX_SIZE = 1_000
MAX_EXCLUDED = 200
Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number"}
_NULLABLE_NUMBER: Schema = {"type": ["number", "null"]}
_INTEGER: Schema = {"type": "integer"}
_NULLABLE_INTEGER: Schema = {"type": ["integer", "null"]}
_TEXT: Schema = {"type": "string"}
_NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
_BOOLEAN: Schema = {"type": "boolean"}
_NULLABLE_OBJECT: Schema = {"type": ["object", "null"]}
_ANY_OBJECT: Schema = {"type": "object"}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES, "description": f"1 to {MAX_ID_BYTES} bytes in UTF-8"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TOPIC = _object(topic=_INTEGER, weight=_NUMBER, words=_array(_TEXT))
_WINDOW = _object(
    gap_seconds=_NULLABLE_NUMBER,
    posts={"type": "object", "additionalProperties": _INTEGER},
    topics={"type": "object", "additionalProperties": _array(_TOPIC)},
)
_MOVED = _object(by=_NUMBER, topics=_array(_object(topic=_INTEGER, by=_NUMBER, words=_array(_TEXT))))
_WHY: Schema = {
    "type": "object", "description": "terms that sum to the score, and what of them goes back to posts",
    "additionalProperties": _NUMBER, "properties": {"moved": {"type": "object", "additionalProperties": _MOVED}},
}  # fmt: skip
_ENTRY = {
    "type": "object", "required": ["item", "title", "score"],
    "properties": {"item": _TEXT, "title": _TEXT, "score": _NUMBER, "why": _WHY},
}  # fmt: skip
_INTERACTION = _object(
    item=_TEXT, title=_TEXT, at=_INTEGER, rank_scored=_NULLABLE_INTEGER, rank_published=_NULLABLE_INTEGER,
    rank_popularity=_NULLABLE_INTEGER, window=_ref("Window"),
)  # fmt: skip
_LIST = _object(
    user=_TEXT, fallback={"type": "boolean", "description": "true: nothing is known of this user, these items are popular"},
    id=_NULLABLE_TEXT, at=_NULLABLE_INTEGER, age_seconds=_NULLABLE_NUMBER, trigger=_NULLABLE_TEXT, model=_NULLABLE_OBJECT,
    items=_array(_ref("Entry")),
)  # fmt: skip
_USER = _object(
    user=_TEXT, id=_TEXT, at=_INTEGER, age_seconds=_NUMBER, trigger=_TEXT, model=_ANY_OBJECT, window=_ref("Window"),
    attention=_array(_object(steps_ago=_INTEGER, weight=_NUMBER)), last={"oneOf": [_ref("Interaction"), {"type": "null"}]},
    past=_array(_ref("Interaction")), items=_array(_ref("Entry")),
)  # fmt: skip
_ITEM = _object(item=_TEXT, title=_TEXT, text=_TEXT, retired=_BOOLEAN)
_FIGURES = _object(
    ready=_BOOLEAN, trouble=_NULLABLE_TEXT, users=_INTEGER, items=_INTEGER, lists_read=_INTEGER, lists_per_second=_NUMBER,
    records_per_second=_NULLABLE_NUMBER, lag=_NULLABLE_INTEGER, accuracy=_ANY_OBJECT, dead_letters=_ANY_OBJECT,
    curve=_array(_ANY_OBJECT),
)  # fmt: skip
_ERROR = _object(error=_TEXT, message=_TEXT)
_WRITTEN = _object(kafka_topic=_TEXT, partition=_INTEGER, offset=_INTEGER)
_OPTIONAL_TEXT: Schema = {"type": ["string", "null"], "maxLength": MAX_TEXT_CHARACTERS}
_AT: Schema = {
    "description": "epoch milliseconds or ISO 8601, at most a day ahead; missing, the moment of arrival counts",
    # Not `date-time`: that is RFC 3339, and ISO 8601 has more forms that are taken.
    "oneOf": [{"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "null"}],
}
_POST = {"type": "object", "required": ["user", "text"],
         "properties": {"user": _ID, "text": {"type": "string", "maxLength": MAX_TEXT_CHARACTERS}, "at": _AT}}  # fmt: skip
_TAKEN = {"type": "object", "required": ["user", "item"],
          "properties": {"user": _ID, "item": _ID, "title": _OPTIONAL_TEXT, "text": _OPTIONAL_TEXT, "at": _AT}}  # fmt: skip
_SCHEMAS = {"Window": _WINDOW, "Entry": _ENTRY, "Interaction": _INTERACTION, "List": _LIST, "User": _USER, "Item": _ITEM,
            "Figures": _FIGURES, "Error": _ERROR, "Written": _WRITTEN, "PostEvent": _POST, "InteractionEvent": _TAKEN}  # fmt: skip
_WHAT_ERRORS_SAY = {
    400: "not HTTP, a line above 8,190 bytes, or more than 128 headers",
    401: "no token, or a wrong one", 404: "nothing is known by this name",
    405: "another method", 408: "the body took too long", 413: "the body is too large", 415: "not application/json",
    421: "the name of another host", 422: "the value, and what would be right", 503: "Kafka does not answer, or too much at once",
}  # fmt: skip


def document(networks: Iterable[str], target: str, *, needs_token: bool) -> Schema:
    """The document for these source networks and the Kafka topic of the target network."""
    one = {"required": True, "in": "path", "schema": _ID}
    return {
        "openapi": "3.1.0",
        "info": {"title": "crossnet serve", "version": version("crossnet"), "description": "Top-K lists from Kafka, events to Kafka."},
        "paths": {
            "/recommendations/{user}": {"get": _get("A user's list", "List", [{"name": "user", **one}, _SIZE, _EXCLUDE], 422)},
            "/users/{user}": {"get": _get("What a user's list stands on", "User", [{"name": "user", **one}], 404, 422)},
            "/items/{item}": {"get": _get("An item", "Item", [{"name": "item", **one}], 404, 422)},
            "/figures": {"get": _get("Running figures", "Figures", [])},
            **{f"/events/{name}": {"post": _post("PostEvent")} for name in networks},
            f"/events/{target}": {"post": _post("InteractionEvent")},
            "/live": {"get": {"summary": "Lists and figures as they come", "responses": {
                "200": {"description": "server-sent events `start` and `tick`", "content": {"text/event-stream": {"schema": _TEXT}}},
                **_errors(503)}}},
            "/healthz": {"get": _plain("Whether the process answers")},
            "/readyz": {"get": _plain("Whether lists are up to date; the reason where not", 503)},
            "/metrics": {"get": _plain("For Prometheus")},
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        **({"security": [{"token": []}]} if needs_token else {}),
    }  # fmt: skip


_SIZE = {"name": "n", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": 10}}
_EXCLUDE = {"name": "exclude", "in": "query", "description": "items to leave out; may be repeated",
            "schema": {"type": "array", "items": _ID, "maxItems": MAX_EXCLUDED}}  # fmt: skip


def _errors(*statuses: int) -> Schema:
    content = {"application/json": {"schema": _ref("Error")}}
    answers = {str(status): {"description": _WHAT_ERRORS_SAY[status], "content": content} for status in sorted({401, 421, *statuses})}
    # Said before anything of ours is asked.
    return {"400": {"description": _WHAT_ERRORS_SAY[400], "content": {"text/plain": {"schema": _TEXT}}}, **answers}


def _answer(description: str, schema: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _get(summary: str, schema: str, parameters: Sequence[Schema], *statuses: int) -> Schema:
    return {"summary": summary, "parameters": list(parameters), "responses": {"200": _answer(summary, schema), **_errors(*statuses)}}


def _plain(summary: str, *statuses: int) -> Schema:
    text = {"description": summary, "content": {"text/plain": {"schema": _TEXT}}}
    answers = {str(status): {**text, "description": _WHAT_ERRORS_SAY[status]} for status in statuses}
    return {"summary": summary, "responses": {"200": text, **_errors(), **answers}}


def _post(schema: str) -> Schema:
    return {
        "summary": "Write an event to Kafka, keyed by its user",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(schema)}}},
        "responses": {"202": _answer("Where it stands in Kafka", "Written"), **_errors(404, 408, 413, 415, 422, 503)},
    }

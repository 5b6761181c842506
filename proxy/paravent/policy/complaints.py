"""From what pydantic found to sentences with a place: file, line, column, what is wrong, what to write instead.

pydantic knows every mistake of a file but not where it stands, and the JSON Schema of the same model knows what would
have been right. A value is quoted as it was written: policies hold no secrets.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from paravent.policy.hints import did_you_mean
from paravent.policy.source import Document, Where
from paravent.problems import Problem

_KEY: Final = "[key]"
"""The last step of pydantic's location when a mapping's key, not its value, is wrong."""

type _Node = Mapping[str, Any]
"""A piece of a JSON Schema."""


def validate[File](adapter: TypeAdapter[File], document: Document) -> File | tuple[Problem, ...]:
    """The typed file, or everything that is wrong with its shape."""
    if document.value is None or document.value == {}:
        return (document.at_value((), "the file says nothing"),)
    try:
        return adapter.validate_python(document.value)
    except ValidationError as error:
        schema: _Node = adapter.json_schema()
        details = error.errors(include_url=False)
        return tuple(dict.fromkeys(_complaint(document, schema, detail) for detail in details))


def without_mistakes[File](adapter: TypeAdapter[File], document: Document) -> File | None:
    """What is left without the lines that `validate` complains of, so that it can be judged too; None: not enough.

    For views, where each line, three steps down, stands for itself.
    """
    value: Any = deepcopy(document.value)
    if not isinstance(value, dict):
        return None
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            *way, last = [step for step in detail["loc"] if step != _KEY][:3] or [""]
            around = value
            for step in way:
                around = around.get(step, {})
            around.pop(last, None)
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def _complaint(document: Document, schema: _Node, detail: ErrorDetails) -> Problem:
    where = tuple(detail["loc"])
    match detail["type"], where:
        case _, (*_, str(key), "[key]"):
            return _wrong_key(document, schema, detail, key)
        case "missing", (*_, key):
            return document.at_key(where[:-1], f"{_label(where[:-1])} lacks the key {key!r}")
        case "extra_forbidden", (*_, key):
            known = _branches(_below(schema, where[:-1], schema), schema)
            members = {name for node in known for name in node.get("properties", {})}
            return document.at_key(where, f"unknown key {key!r}", did_you_mean(str(key), members))
    message, hint = _judge(detail, _below(schema, where, schema), schema)
    # A short form was read as its long one: `nom: nam` has no `type` in the text.
    return document.at_value(where, f"{_label(document.nearest(where))} {message}", hint)


def _wrong_key(document: Document, schema: _Node, detail: ErrorDetails, key: str) -> Problem:
    where = tuple(detail["loc"])[:-1]
    if detail["type"] == "value_error":
        hint = str(detail["ctx"]["error"])
    else:
        hint = _write("".join(set(_collect(_below(schema, (*where[:-1], _KEY), schema), "description", schema))))
    return document.at_key(where, f"{key!r} cannot be a key here", hint)


def _judge(detail: ErrorDetails, node: list[_Node], schema: _Node) -> tuple[str, str]:
    """What is wrong with a value, and what would be right."""
    value, context = detail["input"], detail.get("ctx", {})
    if detail["type"] == "value_error":
        return f"is {_quoted(value)}: {context['error']}", ""
    if detail["type"] == "literal_error":
        words = {str(word) for word in _collect(node, "enum", schema)}
        return f"cannot be {_quoted(value)}", did_you_mean(str(value), words)
    if detail["type"] == "string_pattern_mismatch":
        return f"cannot be {_quoted(value)}", _write("".join(set(_collect(node, "description", schema))))
    if detail["type"] == "string_type" and isinstance(value, int) and not isinstance(value, bool):
        return "must be text, not a number", f'put it in quotes: "{value}"'
    plain = _PLAIN.get(detail["type"])
    keys = {name for each in node for name in each.get("properties", {})} if detail["type"] == "model_type" else ()
    return (plain(context) if plain else detail["msg"], did_you_mean("", keys))


_PLAIN: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "string_type": lambda _: "must be text",
    "int_type": lambda _: "must be a whole number: digits alone, not in quotes and without a leading zero",
    "bool_type": lambda _: "must be true or false",
    "dict_type": lambda _: "must be a mapping of keys to values",
    "model_type": lambda _: "must be a mapping of keys to values",
    "list_type": lambda _: "must be a list: [a, b]",
    "too_short": lambda context: f"needs at least {context['min_length']}",
    "too_long": lambda context: f"may have at most {context['max_length']}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"may have at most {context['max_length']} characters",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"may be at most {context['le']}",
}


def _label(where: Where) -> str:
    """The nearest key, with the indexes after it: `persons[0]`."""
    text = ""
    for step in reversed(where):
        if isinstance(step, str):
            return step + text
        text = f"[{step}]" + text
    return "the file"


def _quoted(value: object) -> str:
    text = "empty" if value is None else repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else "what it is"


def _write(description: str) -> str:
    return f"write {description}" if description else ""


# ---- walking the schema along a location


def _below(schema: _Node, where: Where, node: _Node) -> list[_Node]:
    """The schema nodes that may describe what stands at `where`."""
    nodes = list(_branches([node], schema))
    for step in where:
        nodes = [inner for outer in nodes for inner in _branches(_children(outer, step), schema)]
    return nodes


def _children(node: _Node, step: str | int) -> list[_Node]:
    if isinstance(step, int):
        return [node["items"]] if "items" in node else []
    if step == _KEY:
        return [node["propertyNames"]] if "propertyNames" in node else []
    properties = node.get("properties", {})
    if step in properties:
        return [properties[step]]
    others = node.get("additionalProperties")
    return [others] if isinstance(others, dict) else []


def _branches(nodes: list[_Node], schema: _Node) -> Iterator[_Node]:
    """Each node itself, with references followed and alternatives opened."""
    for node in nodes:
        yield node
        if "$ref" in node:
            yield from _branches([schema["$defs"][node["$ref"].rpartition("/")[2]]], schema)
        yield from _branches([*node.get("anyOf", ()), *node.get("allOf", ())], schema)


def _collect(nodes: list[_Node], key: str, schema: _Node) -> Iterator[Any]:
    for node in _branches(nodes, schema):
        value = node.get(key, ())
        yield from value if isinstance(value, list) else [value] if value else []

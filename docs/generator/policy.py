"""policy.md, from the models of `paravent.policy.schema` and the field types of `paravent.policy.fields`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from generator.markdown import code, codes, made_by, table
from paravent.policy.fields import DOMAINS, URL_TYPES, accepts, accepts_text
from paravent.policy.lint import MAX_WINDOW_S
from paravent.policy.lint_operations import MAX_AUTH_AGE_S
from paravent.policy.paths import MAX_STEPS, duration_text
from paravent.policy.schema import KINDS
from paravent.rules import FieldType, RequestField

_INTRODUCTION: Final = """\
What each file of a policy folder may hold. An editor with a YAML language server knows all this from
[the schemas](../../policies/schema/); [the folder's own page](../../policies/README.md) says how to work on it.
`paravent policy check FOLDER` lists every problem at once.

A key that is not listed here is an error. Nothing is converted: `no`, `12:30` and `0123` are text, and a code is
written in quotes.

"""

FILES: Final[Mapping[str, tuple[str, str]]] = {
    "vocabulary": (
        "vocabulary.yaml",
        "Professions with their TRE_G15 codes, and purposes. The other files use these words.",
    ),
    "assurance": (
        "assurance.yaml",
        "Levels stand strongest first: a requirement is met by its level or by one above it. A token without `amr` "
        "meets no level.",
    ),
    "quotas": (
        "quotas.yaml",
        "By profession, and for `establishment`, `client`, `certificate`, `network` and `fleet`. A profession with a "
        f"view needs all three budgets. A trailing window is at most {duration_text(MAX_WINDOW_S)} long; one of the "
        "calendar begins at midnight in Paris, a week's on Monday. How they are counted: "
        "[how budgets work](../explanation/budgets.md).",
    ),
    "operations": (
        "operations/*.yaml",
        "The questions that may be asked, by name. A request that matches none is refused. `weight` is what one "
        "costs in budgets of `units`. `max_auth_age` is at most "
        f"{duration_text(MAX_AUTH_AGE_S)}. A person is named by `nir`, `birth_date` and `birth_rank` together, or not "
        "at all.",
    ),
    "views": (
        "views/PROFESSION.yaml",
        "Operation, then purpose, then one line a field: its path and an [operator](operators.md). What is not listed "
        "is not sent.",
    ),
}
"""By kind: where it stands, and what the models do not say."""

_ALIASES: Final[Mapping[str, str]] = {
    "PathText": "a [path](#paths)",
    "TemplateText": "a request path; `{name}` is a parameter",
    "Duration": "a duration: `10s`, `5m`, `4h` or `30d`",
    "Days": "days: `30d`",
    "Percent": "a share: `80%`",
    "SpanText": "a duration, or `calendar-day`, `calendar-week` or `calendar-month`",
    "FieldTypeWord": "a [field type](#field-types)",
    "_RuleInput": "an [operator](operators.md), or `{operator: parameter}`",
    "Word": "a word",
    "OperationName": "words joined by dots",
    "Name": "a name",
    "Member": "a member name",
    "QueryName": "a name of the query",
    "Pointer": "`/member`, `{parameter}` or `?parameter`",
    "Claim": "text",
    "Sentence": "a sentence",
}
"""Definitions that are named in words rather than spelled out."""

_PATHS: Final = f"""\
## Paths

    /contratsAMC[]/numeroAMC                              every element of a list
    /contratsAMC[]/garanties[domaine=PHAR]/tauxPourcent   only elements with that member

At most {MAX_STEPS} steps. A path names a field, never a whole object, and is written the same way as the operation's
`persons` where it goes through one of them: otherwise a person would leave unscoped.

"""

FIELD_TYPES: Final[Mapping[FieldType, tuple[str, object, object]]] = {
    FieldType.NIR: ("13 characters, or 15 with the right key", "1990799990999", "199079999099900"),
    FieldType.BIRTH_DATE: ("eight digits, not always a calendar date", "19994200", "1999-07-01"),
    FieldType.BIRTH_RANK: ("a number from 1 to 9 (rang gémellaire)", 1, "1"),
    FieldType.DATE: (
        "a calendar date (RFC 3339); in a body as near to today as `past` and `ahead` say",
        "2026-11-22",
        "20261122",
    ),
    FieldType.NAME: ("Latin letters, spaces, apostrophes, hyphens, dots; at most 60", "D'ESSAI-TEST", "DU%"),
    FieldType.CODE: ("letters and digits, at most 20", "A12", "A-12"),
    FieldType.DOMAIN: (f"one of {codes(DOMAINS)}", "PHAR", "PHARMACIE"),
    FieldType.AMC_NUMBER: ("8 to 10 digits", "99990001", "9999"),
    FieldType.ACTS: (
        "1 to 50 acts of a quote, each a code and an amount in cents; in a JSON body alone",
        [{"code": "2212345", "montantCentimes": 45000}],
        [{"code": "2212345", "montantCentimes": 45000, "libelle": "Monture"}],
    ),
    FieldType.MEMBER_NUMBER: ("letters and digits, at most 30 (n° adhérent)", "0012345678", "00/123"),
    FieldType.CHOICE: ("one of the texts of `one_of`: letters, digits and `. _ : -`", "Coverage:payor", "Coverage:*"),
    FieldType.PERSONS: (
        "1 to `at_most` persons, each an object of the three `members`, nobody twice; in a JSON body alone",
        [{"nir": "1990799990999", "birth_date": "19990701", "birth_rank": 1}],
        [{"nir": "1990799990999"}],
    ),
    FieldType.NUMBER: ("a whole number from 1 to `at_most`; in a JSON body a JSON number", 3, "03"),
}
"""What a value is, one that is accepted, one that is refused."""


def page() -> str:
    """The whole page."""
    files = "".join(_file(kind) for kind in KINDS)
    source = made_by("`proxy/paravent/policy/schema.py`")
    return "# The policy's files\n\n" + source + _INTRODUCTION + files + _PATHS + _field_types()


def _file(kind: str) -> str:
    name, note = FILES[kind]
    schema = KINDS[kind].json_schema()
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    text = f"## {name}\n\n{note}\n\n"
    root = f"{_words(schema, definitions)}\n\n" if "properties" not in schema else ""
    return text + _capital(root) + "".join(_model(model, definitions) for model in _models(schema, definitions))


def _models(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The file's own mapping, then the mappings inside it, each before those it holds."""
    waiting, seen = [schema], set[str]()
    while waiting:
        current = waiting.pop(0)
        if "properties" in current:
            yield current
        for name in _referred(current):
            if name not in seen and name not in _ALIASES:
                seen.add(name)
                waiting.append(definitions[name])


def _referred(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            elif key != "$defs":
                yield from _referred(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _referred(item)


def _model(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (code(name), _words(value, definitions), _presence(value, name in required), value.get("description", ""))
        for name, value in schema["properties"].items()
    ]
    return f"{schema['description']}\n\n{table(('key', 'value', 'required', 'meaning'), rows)}\n"


def _presence(schema: Mapping[str, Any], required: bool) -> str:
    default = schema.get("default")
    if required:
        return "yes"
    return f"no; `{str(default).lower()}`" if isinstance(default, bool | int | str) else "no"


def _words(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON Schema as a reader would say it."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return _ALIASES.get(name) or _words(definitions[name], definitions)
        case {"anyOf": list(choices)}:
            return ", or ".join(_words(each, definitions) for each in choices if each != {"type": "null"})
        case {"enum": list(words)}:
            return " or ".join(map(code, words))
        case {"const": word}:
            return code(word)
        case {"type": "array", "items": items}:
            return f"a list: {_words(items, definitions)}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            key = _words(schema["propertyNames"], definitions)
            return f"a mapping: {key} → {_words(values, definitions)}"
        case {"type": "object"}:
            return f"keys: {codes(schema['properties'])}"
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"{low} to {high:,}".replace(",", " ")
        case {"type": "boolean"}:
            return "`true` or `false`"
        case {"type": "string"}:
            return "text"
    raise ValueError("a schema that this page has no words for")


def _field_types() -> str:
    rows = [_field_type(kind) for kind in FieldType]
    head = ("type", "a value is", "accepted", "refused", "in a path or query")
    introduction = (
        "## Field types\n\nWhat `request`, `parameters` and `query` of an operation may hold. Nothing is trimmed or "
        "folded: a value is of its type as sent, or the request is refused. Paths and queries end up in logs, so what "
        "names a person may not stand in one.\n\n"
    )
    return introduction + table(head, rows)


_MEMBERS: Final = ("nir", "birth_date", "birth_rank")
_CHOICES: Final = {FieldType.CHOICE: frozenset({"Coverage:payor"})}


def _field_type(kind: FieldType) -> tuple[str, ...]:
    meaning, good, bad = FIELD_TYPES[kind]
    field = RequestField("field", kind, one_of=_CHOICES.get(kind, frozenset()), at_most=9, members=_MEMBERS)
    if not accepts(field, good) or accepts(field, bad):  # type: ignore[arg-type]  # texts and numbers are JSON
        raise ValueError(f"the examples of {kind} are wrong")
    if kind in URL_TYPES and not accepts_text(field, str(good)):
        raise ValueError(f"{kind} cannot stand in a path")
    return code(kind), meaning, _value(good), _value(bad), "yes" if kind in URL_TYPES else ""


def _value(value: object) -> str:
    return code(value if isinstance(value, int) else f'"{value}"')


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

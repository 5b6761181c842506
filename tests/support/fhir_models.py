"""What FHIR R4 says of elements, as the models of fhir.resources know it: which are required, and of what type.

for way, model in objects("Coverage"): ...              # ("Coverage", "class"), the class of its objects
required_of(model)                                      # {"type", "value"}; of a choice {"valueMoney|valueQuantity"}
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, get_args

_DEEPEST: Final = 7
_APART: Final = frozenset({"extension", "modifierExtension", "contained", "text", "meta"})
"""What no line can name."""


def objects(kind: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every object of a resource, by the way to it. What a Reference leads to is no part of it."""
    yield from _below((kind,), _model(kind, ""))


def _below(way: tuple[str, ...], model: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield way, model
    for name, type_ in _elements(model):
        if isinstance(type_, type) and type_.__name__ not in {"ReferenceType", "ExtensionType"} and len(way) < _DEEPEST:
            inner = _model(type_.__name__.removesuffix("Type"), model.__module__)
            if inner is not None and name not in way:
                yield from _below((*way, name), inner)


def leaves_of(model: Any) -> Iterator[tuple[str, str]]:
    """Elements that hold a value, each with its primitive type: `String`, `Date`, `bool`."""
    for name, type_ in _elements(model):
        if not isinstance(type_, type):
            yield name, type(type_.__metadata__[0]).__name__
        elif not type_.__name__.endswith("Type"):
            yield name, type_.__name__


def required_of(model: Any) -> set[str]:
    """Elements of at least one; of a choice of types all names, with | between."""
    found, choices = set(), dict[str, list[str]]()
    for name, field in model.model_fields.items():
        extra, name_ = field.json_schema_extra or {}, field.alias or name
        if extra.get("one_of_many_required"):
            choices.setdefault(extra["one_of_many"], []).append(name_)
        elif field.is_required() or extra.get("element_required"):
            found.add(name_)
    return found | {"|".join(sorted(names)) for names in choices.values()}


def _elements(model: Any) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra or {}
        if extra.get("element_property") and name not in _APART and not name.endswith("__ext"):
            yield field.alias or name, _inner(field.annotation)


def _inner(annotation: Any) -> Any:
    if hasattr(annotation, "__metadata__"):
        return annotation
    some = [each for each in get_args(annotation) if each is not type(None)]
    return _inner(some[0]) if some else annotation


def _model(kind: str, beside: str) -> Any:
    for module in filter(None, (beside, f"fhir.resources.R4B.{kind.lower()}")):
        try:
            return getattr(import_module(module), kind)
        except (ImportError, AttributeError):
            continue
    return None

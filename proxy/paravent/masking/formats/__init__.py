"""One format a file: how an answer is read before a view reduces it, and written after."""

from collections.abc import Iterator
from typing import assert_never

from paravent.masking.formats.base import Dress
from paravent.masking.formats.fhir import UNWRITTEN, fhir_dress, fhir_problems, fhir_shape, fhir_spec
from paravent.masking.formats.json import JSON
from paravent.masking.formats.xml import xml_dress, xml_problems
from paravent.rules import Format, ResponseShape, ViewSpec

__all__ = ["JSON", "UNWRITTEN", "Dress", "arrangement", "dress_of", "dress_problems"]


def dress_of(spec: ViewSpec, shape: ResponseShape) -> Dress:
    """The format of one view's answers."""
    match shape.format:
        case Format.JSON:
            return JSON
        case Format.XML:
            return xml_dress(spec, shape)
        case Format.FHIR:
            return fhir_dress(spec)
        case Format.HTML | Format.CSV | Format.STATIC:
            raise NotImplementedError
        case _:
            assert_never(shape.format)


def dress_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """What is wrong with a view, of whose lines nothing else is, in its format."""
    if shape.format is Format.XML:
        yield from xml_problems(spec, shape)
    if shape.format is Format.FHIR:
        yield from fhir_problems(spec, shape)


def arrangement(spec: ViewSpec, shape: ResponseShape) -> tuple[ViewSpec, ResponseShape]:
    """The lines and the persons paths of a view in the tree that its format reads."""
    return (fhir_spec(spec), fhir_shape(shape)) if shape.format is Format.FHIR else (spec, shape)

"""One format a file: how an answer is read before a view reduces it, and written after."""

from collections.abc import Iterator
from typing import assert_never

from paravent.masking.formats.base import Dress
from paravent.masking.formats.csv import csv_dress, csv_problems
from paravent.masking.formats.fhir import UNWRITTEN, fhir_dress, fhir_problems, fhir_shape, fhir_spec
from paravent.masking.formats.html import html_dress, html_problems
from paravent.masking.formats.json import JSON
from paravent.masking.formats.static import static_dress, static_problems
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
        case Format.HTML:
            return html_dress(spec, shape)
        case Format.CSV:
            return csv_dress(spec, shape)
        case Format.STATIC:
            return static_dress(shape)
        case _:
            assert_never(shape.format)


def dress_problems(spec: ViewSpec, shape: ResponseShape) -> Iterator[str]:
    """What is wrong with a view, of whose lines nothing else is, in its format."""
    match shape.format:
        case Format.JSON:
            pass
        case Format.XML:
            yield from xml_problems(spec, shape)
        case Format.FHIR:
            yield from fhir_problems(spec, shape)
        case Format.HTML:
            yield from html_problems(spec, shape)
        case Format.CSV:
            yield from csv_problems(spec, shape)
        case Format.STATIC:
            yield from static_problems(spec, shape)
        case _:
            assert_never(shape.format)


def arrangement(spec: ViewSpec, shape: ResponseShape) -> tuple[ViewSpec, ResponseShape]:
    """The lines and the persons paths of a view in the tree that its format reads."""
    return (fhir_spec(spec), fhir_shape(shape)) if shape.format is Format.FHIR else (spec, shape)

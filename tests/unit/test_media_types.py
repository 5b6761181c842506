"""Which values of Content-Type are one format in UTF-8."""

import pytest

from paravent.media_types import ACTION, CSV_HEADER, FHIR_R4, media_type

JSON = media_type(rb"application/json")
XML = media_type(rb"text/xml|application/xml|application/soap\+xml", ACTION)
FHIR = media_type(rb"application/(?:fhir\+)?json", FHIR_R4)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"application/json", id="no charset"),
        pytest.param(b"application/json; charset=utf-8", id="one"),
        pytest.param(b"application/json;charset=UTF-8", id="in capitals, without a blank"),
        pytest.param(b'Application/JSON\t; \tcharset="utf-8"', id="in quotes, with blanks"),
        pytest.param(b"application/json; charset=utf8", id="by the other name that all browsers know it by"),
        pytest.param(b'application/json; charset="UTF8"', id="the same in quotes"),
    ],
)
def test_a_type_in_utf_8_is_read(value: bytes) -> None:
    """Names are case-insensitive (RFC 9110 section 8.3.1); utf8 is a label of UTF-8 (Encoding Standard section 4.2)."""
    assert JSON.fullmatch(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"application/jsonp", id="another type"),
        pytest.param(b"text/json", id="one that is alike"),
        pytest.param(b"application/json; charset=iso-8859-1", id="another charset"),
        pytest.param(b"application/json; charset=utf-16", id="one of more bytes"),
        pytest.param(b"application/json; charset=utf--8", id="one that is none"),
        pytest.param(b"application/json; charset=utf-8; charset=utf-8", id="two"),
        pytest.param(b"application/json; charset='utf-8'", id="quotes that are none"),
        pytest.param(b"application/json; charset = utf-8", id="blanks around the sign"),
        pytest.param(b"application/json;", id="a parameter without a name"),
        pytest.param(b"application/json, text/html", id="two types"),
        pytest.param(b"application/json; action=a", id="a parameter of another type"),
        pytest.param(b"application/json; charset=utf-8 ", id="a blank at the end"),
    ],
)
def test_what_may_be_read_otherwise_is_not(value: bytes) -> None:
    """Another charset, or what says nothing that we know."""
    assert not JSON.fullmatch(value)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        pytest.param(b"text/xml", True, id="the first name"),
        pytest.param(b"application/soap+xml", True, id="the last name"),
        pytest.param(b'text/xml; charset=utf-8; action="urn:a"', True, id="behind the charset"),
        pytest.param(b'text/xml; action="urn:a"; charset=utf-8', True, id="before it"),
        pytest.param(b"text/xml; action=a", True, id="without it"),
        pytest.param(b'text/xml; action=""', True, id="one that says nothing"),
        pytest.param(b'text/xml; action="a"; charset=utf-8; action="a"', False, id="on both sides"),
        pytest.param(b'text/xml; action="a\\"b"', False, id="with an escape"),
        pytest.param(b'text/xml; action="a"b"', False, id="with a quote inside"),
        pytest.param(b"text/xml; action=", False, id="without a value"),
    ],
)
def test_a_parameter_of_its_own_stands_once(value: bytes, read: bool) -> None:
    """Beside the charset, on either side."""
    assert bool(XML.fullmatch(value)) is read


def test_a_table_has_a_header() -> None:
    """It may say so, and may not say that it has none."""
    table = media_type(rb"text/csv", CSV_HEADER)
    assert table.fullmatch(b"text/csv; header=present; charset=utf-8")
    assert not table.fullmatch(b"text/csv; header=absent")


def test_fhir_is_of_one_version() -> None:
    """The one whose elements are known."""
    assert FHIR.fullmatch(b"application/fhir+json; fhirVersion=4.0; charset=utf-8")
    assert not FHIR.fullmatch(b"application/fhir+json; fhirVersion=4.3")

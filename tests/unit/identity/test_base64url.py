"""One spelling for each value: what decodes is exactly what encoding writes."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asking import CALLER_KEY, ISSUER_KEY, ask, facts
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.base64url import decode, decode_text, encode
from tokens import dpop_headers, mint, prove


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_what_was_encoded_decodes(data: bytes) -> None:
    """And the encoding is the standard library's, without its padding."""
    text = encode(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decode(text.encode()) == decode_text(text) == data


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ABQgwxyz019-_+/= \n\0é", max_size=12).map(lambda text: text.encode("latin-1")))
def test_what_decodes_was_encoded(text: bytes) -> None:
    """No other text decodes: neither the other alphabet nor padding, blanks, foreign characters or loose last bits."""
    data = decode(text)
    assert data is None or encode(data).encode() == text


@pytest.mark.parametrize(
    "text", [b"A", b"AB", b"AAB", b"AA==", b"AA=", b"A A", b"AAAA\n", b"AA+/", b"\xffAAA", b"====", b"A\0AA"]
)
def test_lenient_readers_take_these(text: bytes) -> None:
    """Each is a second spelling of something, to somebody."""
    assert decode(text) is None


def test_a_signature_has_one_spelling() -> None:
    """Threat row 14: four foreign characters in a signature, which lenient decoders skip, make no second token."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    for foreign, expected in (("", Authenticated), ("!!!!", Refusal), ("++++", Refusal), ("====", Refusal)):
        spelt = token[:-8] + foreign + token[-8:]
        assert isinstance(ask(facts(dpop_headers(spelt, prove(CALLER_KEY, spelt)))).result, expected)


@pytest.mark.parametrize("value", [None, 1, [], {}, "é", "AA==", "\ud800"])
def test_values_of_a_document_that_are_no_base64url(value: object) -> None:
    """Whatever a document holds in its place: None, never an exception."""
    assert decode_text(value) is None

"""Tokens bound to a client certificate (RFC 8705 section 3), and which binding a policy takes."""

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from asking import ASSURANCE, CALLER_KEY, ISSUER_KEY, ask, asked_with_dpop, facts
from paravent.effects import FindKey, FindRevocations
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.model import Facts
from paravent.reasons import Reason
from paravent.rules import Binding, ThumbprintEncoding
from tokens import b64url, bearer_headers, dpop_headers, mint, prove

DIGEST = hashlib.sha256(b"certificate of this connection").digest()
RFC8705 = b64url(DIGEST)
ANS = base64.b64encode(DIGEST.hex().encode()).decode()
ANS_POLICY = replace(ASSURANCE, thumbprint_encoding=ThumbprintEncoding.ANS_HEX)


def bound_to(x5t: str, certificate_sha256: bytes | None = DIGEST, **claims: Any) -> Facts:
    return facts(bearer_headers(mint(ISSUER_KEY, x5t=x5t, **claims)), certificate_sha256=certificate_sha256)


def reason_of(asked: Facts, **known: Any) -> Reason | None:
    result = ask(asked, **known).result
    return result.reason if isinstance(result, Refusal) else None


def test_the_certificate_of_the_connection_is_the_proof() -> None:
    """A token bound to this certificate is accepted as Bearer, and no replay memory is needed."""
    told = ask(bound_to(RFC8705))
    assert isinstance(told.result, Authenticated)
    assert told.result.evidence.binding == "mtls"
    assert [type(effect) for effect in told.asked] == [FindKey, FindRevocations]


@pytest.mark.parametrize(
    ("x5t", "certificate", "claim"),
    [
        (RFC8705, None, "34: no certificate on this connection"),
        (RFC8705, hashlib.sha256(b"another").digest(), "34: another certificate"),
        (RFC8705 + "=", DIGEST, "34: padded"),
        (RFC8705.swapcase(), DIGEST, "34: in another case"),
        (base64.b64encode(DIGEST).decode(), DIGEST, "34: padded base64 instead of base64url"),
        (DIGEST.hex(), DIGEST, "34: in hexadecimal"),
        (ANS, DIGEST, "34: as the ANS guide prints it, which this policy does not declare"),
        ("é", DIGEST, "34: not ASCII"),
        ("", DIGEST, "34: empty"),
    ],
)
def test_other_thumbprints_are_refused(x5t: str, certificate: bytes | None, claim: str) -> None:
    """Threat row 34: one spelling of one certificate."""
    assert reason_of(bound_to(x5t, certificate)) is Reason.BINDING_CERTIFICATE, claim


def test_a_certificate_in_a_header_proves_nothing() -> None:
    """Threat row 34: only the connection says which certificate it has."""
    headers = (*bearer_headers(mint(ISSUER_KEY, x5t=RFC8705)), (b"client-cert", b":MIIB:"), (b"x-ssl-sha256", b"aa"))
    assert reason_of(facts(headers)) is Reason.BINDING_CERTIFICATE


@pytest.mark.parametrize(
    "x5t",
    [ANS, ANS.rstrip("="), base64.b64encode(DIGEST.hex().upper().encode()).decode()],
)
def test_the_encoding_of_the_ans_guide_when_declared(x5t: str) -> None:
    """A policy that declares ans-hex takes base64 of the hexadecimal digest."""
    assert isinstance(ask(bound_to(x5t), assurance=ANS_POLICY).result, Authenticated)


def test_encodings_are_declared_never_guessed() -> None:
    """With ans-hex, the encoding of RFC 8705 does not match, nor does a wrong digest."""
    assert reason_of(bound_to(RFC8705), assurance=ANS_POLICY) is Reason.BINDING_CERTIFICATE
    other = hashlib.sha256(b"another").digest()
    assert reason_of(bound_to(ANS, other), assurance=ANS_POLICY) is Reason.BINDING_CERTIFICATE


def test_a_certificate_bound_token_is_not_a_dpop_token() -> None:
    """Scheme DPoP with a proof by any key does not stand in for the certificate."""
    token = mint(ISSUER_KEY, x5t=RFC8705)
    asked = facts(dpop_headers(token, prove(CALLER_KEY, token)), certificate_sha256=DIGEST)
    assert reason_of(asked) is Reason.BINDING_DOWNGRADE


@pytest.mark.parametrize(
    ("bindings", "asked"),
    [
        (frozenset({Binding.MTLS}), asked_with_dpop()),
        (frozenset({Binding.DPOP}), bound_to(RFC8705)),
        (frozenset(), asked_with_dpop()),
        (frozenset(), bound_to(RFC8705)),
    ],
)
def test_a_policy_names_the_bindings_it_takes(bindings: frozenset[Binding], asked: Facts) -> None:
    """A binding that the policy does not list is refused, however well it is proven."""
    assert reason_of(asked, assurance=replace(ASSURANCE, bindings=bindings)) is Reason.BINDING_NOT_ACCEPTED

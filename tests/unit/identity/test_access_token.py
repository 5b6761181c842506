"""Tokens that must not get anybody in, and those that must. Each row is an attack somebody has tried on such a service.

Rows are signed by the issuer's own key unless they say otherwise: what refuses them is the check that the row names.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from asking import CALLER_KEY, ISSUER_KEY, ISSUERS, ask, asked_with_dpop, facts, world
from paravent.effects import FindKey, KeyMissing
from paravent.identity import algorithms, jws
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.claims import _practitioner
from paravent.identity.issuers import MAX_LIFETIME_S, Issuer
from paravent.model import Practitioner
from paravent.reasons import Reason
from tokens import (
    ABSENT,
    AUDIENCE,
    CLIENT,
    FINESS,
    ISSUER,
    NOW_MS,
    NOW_S,
    RPPS,
    SigningKey,
    b64url,
    claims,
    compact,
    dpop_headers,
    header_of,
    mint,
    prove,
    signing_key,
)

PHARMACIST = Practitioner(rpps=RPPS, profession="21", finess=FINESS, client=CLIENT, issuer="operateur")


def presented(token: str) -> Any:
    """This token, with a good proof for it."""
    return facts(dpop_headers(token, prove(CALLER_KEY, token)))


def refused(asked: Any, reason: Reason, **known: Any) -> Refusal:
    result = ask(asked, **known).result
    assert isinstance(result, Refusal)
    assert result.reason is reason
    return result


def test_an_honest_token_tells_who_asks() -> None:
    """A token as the contract describes it is a practitioner, with the level, age and binding of their login."""
    told = ask(asked_with_dpop())
    assert isinstance(told.result, Authenticated)
    assert told.result.practitioner == PHARMACIST
    evidence = told.result.evidence
    assert (evidence.level, evidence.auth_age_s, evidence.binding, len(evidence.token_id)) == ("eleve", 600, "dpop", 16)
    assert told.asked[0] == FindKey("operateur", "k1", "ES256")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "EdDSA"])
def test_each_algorithm_of_the_default_list_verifies(alg: str) -> None:
    """Issuers may sign with any algorithm of the list."""
    key = signing_key(alg, f"issuer-{alg}")
    assert isinstance(ask(asked_with_dpop(key), world(key)).result, Authenticated)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"header": {"typ": "application/at+jwt"}}, "RFC 9068 section 4 names both spellings"),
        ({"header": {"typ": "AT+JWT"}}, "RFC 7515 section 4.1.9: media types have no case"),
        ({"aud": [AUDIENCE]}, "RFC 7519 section 4.1.3: an audience may be a list"),
        ({"azp": CLIENT}, "azp may repeat client_id"),
        ({"nbf": NOW_S - 60}, "nbf may be there"),
        ({"finess": ABSENT}, "a practitioner may have no establishment"),
        ({"iat": NOW_S + 10, "exp": NOW_S + 250}, "the issuer's clock may be ten seconds ahead"),
        ({"auth_time": NOW_S + 3}, "so may the time of a login of this moment"),
        ({"auth_time": NOW_S + 10}, "as far as the clock of the issuer"),
        ({"exp": NOW_S + 1}, "a token is good until its last second"),
        ({"iat": NOW_S, "exp": NOW_S + 1}, "though it never had another"),
        ({"exp": NOW_S - 60 + 4 * 3600}, "and for as long as agreed"),
        ({"scope": "droits.read", "extra": {"a": [1]}}, "claims that the profile does not know are ignored"),
        ({"roles": ["pharmacien"], "realm_access": {"roles": []}, "sid": "1"}, "nor those of an authorization server"),
        ({"header": {"x5t": "abc", "x5t#S256": "abc", "org": 1}}, "header members that name no key are ignored"),
        ({"header": {"typ": "Application/AT+jwt"}}, "RFC 7515 section 4.1.9: in any case, with application/ or not"),
    ],
)
def test_honest_variants_are_accepted(change: dict[str, Any], why: str) -> None:
    """What authorization servers legitimately vary stops nobody."""
    assert isinstance(ask(asked_with_dpop(**change)).result, Authenticated), why


# ---- the header field


def authorization(*values: bytes, target: bytes = b"/v1/droits/consultation") -> Any:
    return facts(tuple((b"authorization", value) for value in values), target=target)


GOOD = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt).encode()
HEAD, BODY, SIGNATURE = GOOD.split(b".")


@pytest.mark.parametrize(
    ("values", "claim"),
    [
        ([GOOD], "44: a token without a scheme"),
        ([b"dpop " + GOOD], "44: the scheme in another case"),
        ([b"Dpop " + GOOD], "44: the scheme in mixed case"),
        ([b"Basic " + GOOD], "44: another scheme"),
        ([b"DPoP  " + GOOD], "44: two blanks"),
        ([b"DPoP\t" + GOOD], "44: a tab"),
        ([b"DPoP " + GOOD + b", DPoP " + GOOD], "44: two tokens joined by a comma"),
        ([b"DPoP " + GOOD, b"DPoP " + GOOD], "44: two Authorization headers, even equal ones"),
        ([b"DPoP " + GOOD + b"\n"], "44: a line end, which a pattern ending in $ would let pass"),
        ([b"DPoP "], "44: a scheme without a token"),
        ([b"DPoP " + GOOD + b"\xff"], "15: a byte that is not ASCII"),
        (["DPoP é".encode() + GOOD], "15: a letter that is not ASCII"),
        ([b"DPoP " + b"a" * 9000], "16: more than 8 KB"),
        ([b"DPoP " + HEAD + b"." + BODY], "13: two parts"),
        ([b"DPoP " + GOOD + b"." + SIGNATURE], "13: four parts"),
        ([b"DPoP " + GOOD + b".a.a"], "13 and 17: five parts, an encrypted token"),
        ([b"DPoP " + HEAD + b"." + BODY + b"."], "1: an empty signature"),
        ([b"DPoP " + HEAD + b".." + SIGNATURE], "10: an empty payload, as with b64=false"),
        ([b'DPoP {"payload":"","signatures":[]}'], "13: the JSON serialisation"),
        ([b"DPoP " + HEAD + b"." + BODY + b"==." + SIGNATURE], "14: padding on the payload"),
        ([b"DPoP " + GOOD + b"=="], "14: padding on the signature"),
    ],
)
def test_the_authorization_header_has_one_spelling(values: list[bytes], claim: str) -> None:
    """Threat rows 10 and 13 to 17 and 44: everything but `DPoP <token>` is refused before any key is looked for."""
    told = ask(authorization(*values))
    assert isinstance(told.result, Refusal), claim
    assert told.result.reason is Reason.TOKEN_MALFORMED, claim
    assert told.asked == (), claim


def test_no_authorization_header_is_a_missing_token() -> None:
    """Without credentials the challenge names a scheme and no error (RFC 6750 section 3.1)."""
    told = refused(facts(), Reason.TOKEN_MISSING)
    assert told.challenge is not None
    assert told.challenge.error is None


@pytest.mark.parametrize("target", [b"/v1/x?access_token=" + GOOD, b"/v1/x?a=1&access%5Ftoken=x"])
def test_a_token_in_the_query_is_refused(target: bytes) -> None:
    """Threat row 45: it would be in logs by now, with or without a second one in the header."""
    refused(authorization(b"DPoP " + GOOD, target=target), Reason.TOKEN_MALFORMED)
    refused(authorization(target=target), Reason.TOKEN_MALFORMED)


@pytest.mark.parametrize("header", [b"cookie", b"x-access-token", b"proxy-authorization"])
def test_a_token_elsewhere_is_not_looked_for(header: bytes) -> None:
    """Threat row 45: cookies and other headers carry no credentials."""
    refused(facts(((header, b"DPoP " + GOOD),)), Reason.TOKEN_MISSING)


# ---- the header of the token


@pytest.mark.parametrize(
    ("member", "claim"),
    [
        ({"jku": "https://evil.example/jwks"}, "8: where to fetch the key"),
        ({"x5u": "https://evil.example/cert"}, "8: where to fetch the certificate"),
        ({"jwk": CALLER_KEY.jwk()}, "8: the key itself"),
        ({"x5c": ["MIIB"]}, "8: the certificate itself"),
        ({"crit": ["exp"]}, "9: an extension that must be understood"),
        ({"crit": []}, "9: no extension that must be understood"),
        ({"crit": "exp"}, "9: crit as a text"),
        ({"b64": True}, "9: b64, even true"),
        ({"b64": False, "crit": ["b64"]}, "10: an unencoded payload"),
        ({"cty": "JWT"}, "12: a token in the token"),
        ({"zip": "DEF"}, "12: a compressed payload"),
        ({"enc": "A256GCM"}, "12: an encrypted one"),
        ({"typ": "JWT"}, "11: an ordinary JWT, an ID token for instance"),
        ({"typ": "logout+jwt"}, "11: a logout token"),
        ({"typ": "dpop+jwt"}, "11: a DPoP proof"),
        ({"typ": "at+jwt "}, "11: nearly the type"),
        ({"typ": "application/application/at+jwt"}, "11: application/ twice"),
        ({"typ": "text/at+jwt"}, "11: another type"),
        ({"typ": "aT+jwt\u0130"}, "11: a letter that folds to more than one"),
        ({"typ": ["at+jwt"]}, "11: the type in a list"),
        ({"typ": ABSENT}, "11: no type"),
        ({"kid": ABSENT}, "6: no kid"),
        ({"kid": 1}, "6: a kid that is a number"),
        ({"kid": ""}, "6: an empty kid"),
        ({"kid": "../../etc/passwd"}, "6: a path that leaves its folder"),
        ({"kid": "k1\\k2"}, "6: a backslash"),
        ({"kid": "k1%00"}, "6: an escape"),
        ({"kid": "k1' OR '1'='1"}, "6: SQL"),
        ({"kid": "k1\n"}, "6: a control character"),
        ({"kid": "k" * 129}, "6: longer than 128 characters"),
    ],
)
def test_header_members_that_are_refused(member: dict[str, Any], claim: str) -> None:
    """Threat rows 6 and 8 to 12: a well-signed token with such a header is refused before any key is looked for."""
    told = ask(asked_with_dpop(header=member))
    assert isinstance(told.result, Refusal), claim
    assert told.result.reason is Reason.TOKEN_MALFORMED, claim
    assert told.asked == (), claim


@pytest.mark.parametrize(
    "alg", ["none", "nOnE", "", "HS256", "RS256", "ES512", "es256", ["ES256"], {"a": 1}, 1, None, ABSENT]
)
def test_algorithms_outside_the_issuers_list(alg: Any) -> None:
    """Threat rows 1, 2 and 3: none in any spelling, HMAC, and whatever the issuer does not use, never reach a key."""
    told = ask(asked_with_dpop(header={"alg": alg}))
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.TOKEN_SIGNATURE
    assert told.asked == ()


@pytest.mark.parametrize(
    ("alg", "stored", "claim"),
    [
        ("PS256", signing_key("ES256", "k1"), "4: an RSA algorithm with an EC key, a TypeError in libraries"),
        ("EdDSA", signing_key("ES256", "k1"), "4: an Edwards algorithm with an EC key"),
        ("ES256", signing_key("PS256", "k1"), "4: an EC algorithm with an RSA key"),
        ("ES384", signing_key("ES256", "k1"), "5: ES384 with a P-256 key"),
        ("ES256", signing_key("ES384", "k1"), "5: ES256 with a P-384 key"),
        (
            "PS256",
            SigningKey(signing_key("RS256", "k1").private, "RS256", "k1"),
            "5: PS256 where the signature is RS256",
        ),
        ("PS256", signing_key("PS256", "k1", 1024), "43: an RSA key of 1024 bits"),
        ("PS256", SigningKey(rsa.generate_private_key(3, 2048), "PS256", "k1"), "37: an RSA key with exponent 3"),
    ],
)
def test_algorithms_that_do_not_fit_the_key(alg: str, stored: SigningKey, claim: str) -> None:
    """Threat rows 4, 5 and 43, should a key source ever hand out such a key: refused, never an exception."""
    token = compact(stored, header_of(stored, alg=alg), claims(jkt=CALLER_KEY.jkt))
    told = ask(presented(token), {FindKey: stored.public})
    assert isinstance(told.result, Refusal), claim
    assert told.result.reason is Reason.TOKEN_SIGNATURE, claim


def test_hmac_with_the_public_key_as_secret() -> None:
    """Threat row 2: the classic confusion. HS256 is in no list, so the public key is never used as a secret."""
    pem = ISSUER_KEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [json.dumps(part).encode() for part in (header_of(ISSUER_KEY, alg="HS256"), claims(jkt=CALLER_KEY.jkt))]
    signing_input = ".".join(b64url(part) for part in parts)
    token = signing_input + "." + b64url(hmac.digest(pem, signing_input.encode(), hashlib.sha256))
    refused(presented(token), Reason.TOKEN_SIGNATURE)


def test_hmac_cannot_be_put_into_a_list() -> None:
    """An issuer that would accept HMAC, none, or too much leeway cannot be built."""
    usual = Issuer("operateur", ISSUER, (AUDIENCE,), frozenset({CLIENT}))
    for wrong in (
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"leeway_s": 31},
        {"leeway_s": -1},
        {"max_lifetime_s": 10 * 365 * 86400},
        {"max_lifetime_s": 0},
        {"audience": ()},
        {"clients": frozenset()},
        {"name": ""},
        {"issuer": ""},
        {"certificates": {"autre": frozenset({b"c" * 32})}},
    ):
        members = {name: getattr(usual, name) for name in ("name", "issuer", "audience", "clients")}
        with pytest.raises(ValueError, match=r"must|needs|only"):
            Issuer(**{**members, **wrong})
    least = Issuer("a", ISSUER, (AUDIENCE,), frozenset({CLIENT}), algorithms.KNOWN, leeway_s=0, max_lifetime_s=1)
    most = Issuer("a", ISSUER, (AUDIENCE,), frozenset({CLIENT}), leeway_s=30, max_lifetime_s=MAX_LIFETIME_S)
    assert (least.leeway_s, most.leeway_s) == (0, 30)


# ---- key and signature


def test_a_key_that_the_issuer_does_not_have() -> None:
    """Threat row 7: an unknown kid is one look into memory and a refusal."""
    told = ask(asked_with_dpop(), {FindKey: KeyMissing.UNKNOWN})
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.TOKEN_KEY_UNKNOWN
    assert len(told.asked) == 1


def test_no_key_set_at_all_is_our_outage() -> None:
    """Threat row 49: without a usable key set the answer is 503, and nobody is asked to log in again."""
    told = refused(asked_with_dpop(), Reason.KEYS_UNAVAILABLE, replies={FindKey: KeyMissing.UNAVAILABLE})
    assert told.challenge is None


def test_keys_are_looked_up_with_the_issuer_that_the_token_names() -> None:
    """Threat row 28: another issuer's key with the same kid is never used."""
    other = Issuer("autre", "https://other.example", (AUDIENCE,), frozenset({CLIENT}))
    issuers = {**ISSUERS, other.issuer: other}
    told = ask(asked_with_dpop(iss=other.issuer), {FindKey: KeyMissing.UNKNOWN}, issuers=issuers)
    assert told.asked == (FindKey("autre", "k1", "ES256"),)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("droits", None),
        ("openid droits profile", None),
        ("droits:lire", Reason.TOKEN_SCOPE),
        ("openid", Reason.TOKEN_SCOPE),
        ("DROITS", Reason.TOKEN_SCOPE),
        ("droits\tprofile", Reason.TOKEN_SCOPE),
        ("", Reason.TOKEN_SCOPE),
        (["droits"], Reason.TOKEN_SCOPE),
        (None, Reason.TOKEN_SCOPE),
        (ABSENT, Reason.TOKEN_SCOPE),
    ],
)
def test_an_issuer_may_demand_scopes(scope: Any, told: Reason | None) -> None:
    """Threat row 47: RFC 9068 section 2.2.3, as RFC 8693 section 4.2 writes them. Each is a whole name."""
    issuers = {ISSUER: replace(ISSUERS[ISSUER], scopes=frozenset({"droits"}))}
    result = ask(asked_with_dpop(scope=scope), issuers=issuers).result
    assert (result.reason if isinstance(result, Refusal) else None) is told


def test_a_token_signed_by_somebody_else() -> None:
    """The right kid over a wrong key does not verify; nobody is named by it."""
    stranger = SigningKey(CALLER_KEY.private, "ES256", "k1")
    told = refused(asked_with_dpop(stranger), Reason.TOKEN_SIGNATURE)
    assert told.practitioner is None


def test_a_signature_has_a_second_form_and_the_token_one_name() -> None:
    """Threat row 42: (r, N - s) verifies too. Both spellings of the token have the same token id."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    first = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    signing_input, _, signature = first.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    second = signing_input + "." + b64url(r.to_bytes(32, "big") + (order - s).to_bytes(32, "big"))
    ids = {result.evidence.token_id for result in _accepted(presented(first), presented(second))}
    assert first != second
    assert len(ids) == 1


def _accepted(*asked: Any) -> list[Authenticated]:
    results = [ask(one).result for one in asked]
    assert all(isinstance(result, Authenticated) for result in results)
    return [result for result in results if isinstance(result, Authenticated)]


# ---- the JSON

USUAL = json.dumps(claims(jkt=CALLER_KEY.jkt))


@pytest.mark.parametrize(
    ("payload", "claim"),
    [
        (USUAL.replace('"sub":', '"sub": "810003461033", "sub":').encode(), "19: a claim twice"),
        (USUAL.replace('"sub":', '"s\\u0075b": "810003461033", "sub":').encode(), "19: twice, once escaped"),
        (USUAL.encode("utf-16"), "20: UTF-16"),
        (b"\xef\xbb\xbf" + USUAL.encode(), "20: a byte order mark"),
        (USUAL.replace("portail", "port\xe9").encode("latin-1"), "20: not UTF-8"),
        (USUAL.replace("token-1", "\\ud800").encode(), "15: half a surrogate pair"),
        (USUAL.replace("{", '{"x": ' + "[" * 300 + "]" * 300 + ",", 1).encode(), "18: nesting"),
        (USUAL.replace("{", '{"x": ' + "9" * 5000 + ",", 1).encode(), "18: an integer of 5000 digits"),
        (USUAL.replace("{", '{"x": NaN,', 1).encode(), "23: NaN"),
        (b"[" + USUAL.encode() + b"]", "an array"),
        (b'"token"', "a text"),
        (USUAL.encode() + b"{}", "two documents"),
        (USUAL[:-1].encode(), "half a document"),
    ],
)
def test_payloads_that_two_parsers_could_read_differently(payload: bytes, claim: str) -> None:
    """Threat rows 15, 18, 19, 20 and 23: refused unread, although the issuer signed them."""
    told = ask(presented(compact(ISSUER_KEY, header_of(ISSUER_KEY), payload)))
    assert isinstance(told.result, Refusal), claim
    assert told.result.reason is Reason.TOKEN_MALFORMED, claim
    assert told.asked == (), claim


def test_a_header_member_twice() -> None:
    """Threat row 19, on the header: a library that keeps the last would read "none" here."""
    header = json.dumps(header_of(ISSUER_KEY)).replace("{", '{"alg": "none", ', 1).encode()
    refused(presented(compact(ISSUER_KEY, header, claims(jkt=CALLER_KEY.jkt))), Reason.TOKEN_MALFORMED)


def test_a_library_that_breaks_has_verified_nothing() -> None:
    """Whatever it makes of a stranger's key and text."""

    class Breaking(Ed25519PublicKey):
        def verify(self, signature: bytes, data: bytes) -> None:
            raise RuntimeError

    Breaking.__abstractmethods__ = frozenset()
    parts = jws.split(GOOD, len(GOOD))
    assert parts is not None
    assert jws.verifies(parts, Breaking(), "EdDSA") is False


# ---- the claims

MALFORMED, LIFETIME, IDENTITY = Reason.TOKEN_MALFORMED, Reason.TOKEN_LIFETIME, Reason.TOKEN_IDENTITY
EARLY, EXPIRED, AUDIENCE_ = Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_EXPIRED, Reason.TOKEN_AUDIENCE
CLIENT_, ISSUER_ = Reason.TOKEN_CLIENT, Reason.TOKEN_ISSUER_UNKNOWN


@pytest.mark.parametrize(
    ("changes", "reason", "claim"),
    [
        ({"exp": ABSENT}, MALFORMED, "21: no exp"),
        ({"exp": None}, MALFORMED, "21: a null exp"),
        ({"iat": ABSENT}, MALFORMED, "21: no iat"),
        ({"iat": ABSENT, "nbf": NOW_S - 60}, MALFORMED, "21: nor does an nbf stand for it"),
        ({"jti": ABSENT}, MALFORMED, "21: no jti"),
        ({"exp": str(NOW_S + 240)}, MALFORMED, "22: exp as a text"),
        ({"exp": NOW_S + 240.0}, MALFORMED, "22: exp as a float"),
        ({"exp": f" {NOW_S + 240}"}, MALFORMED, "22: exp with a blank"),
        ({"exp": True}, MALFORMED, "23: exp as a boolean"),
        ({"exp": [NOW_S + 240]}, MALFORMED, "23: exp in a list"),
        ({"exp": -1}, EXPIRED, "23: a negative exp"),
        ({"exp": NOW_S}, EXPIRED, "RFC 7519 section 4.1.4: on exp is expired"),
        ({"exp": NOW_S - 1}, EXPIRED, "after exp is expired"),
        ({"exp": 10**30}, LIFETIME, "24: exp at the end of time"),
        ({"exp": NOW_S - 60 + 4 * 3600 + 1}, LIFETIME, "24: a second more than the agreed lifetime"),
        ({"iat": 1}, LIFETIME, "25: issued in 1970"),
        ({"iat": -(10**12)}, LIFETIME, "25: issued before that"),
        ({"iat": NOW_S + 300, "exp": NOW_S + 200}, EARLY, "25: expires before it is issued"),
        ({"iat": NOW_S + 5, "exp": NOW_S + 3}, LIFETIME, "25: the same, within the leeway"),
        ({"iat": NOW_S + 5, "exp": NOW_S + 5}, LIFETIME, "25: expires as it is issued"),
        ({"iat": NOW_S + 11}, EARLY, "25 and 26: issued eleven seconds from now"),
        ({"nbf": NOW_S + 11}, EARLY, "25: not before eleven seconds from now"),
        ({"nbf": None}, MALFORMED, "25: a null nbf"),
        ({"nbf": "0"}, MALFORMED, "25: nbf as a text"),
        ({"iat": True}, MALFORMED, "22: iat as a boolean"),
        ({"aud": ABSENT}, AUDIENCE_, "27: no audience"),
        ({"aud": "urn:paravent:droit"}, AUDIENCE_, "27: a prefix of ours"),
        ({"aud": "URN:paravent:droits"}, AUDIENCE_, "27: ours in another case"),
        ({"aud": []}, AUDIENCE_, "27: an empty list"),
        ({"aud": {AUDIENCE: 1}}, AUDIENCE_, "27: an object"),
        ({"aud": [AUDIENCE, "https://other.example"]}, AUDIENCE_, "27: ours and somebody else's"),
        ({"aud": [AUDIENCE, None]}, AUDIENCE_, "27: ours and null"),
        ({"iss": ISSUER + "/"}, ISSUER_, "28: a slash more"),
        ({"iss": ISSUER.upper()}, ISSUER_, "28: another case"),
        ({"iss": [ISSUER]}, ISSUER_, "28: in a list"),
        ({"iss": ABSENT}, ISSUER_, "28: no issuer"),
        ({"sub": ABSENT}, IDENTITY, "29: no subject"),
        ({"sub": ""}, IDENTITY, "29: an empty subject"),
        ({"sub": " 8" + RPPS}, IDENTITY, "29: a blank before it"),
        ({"sub": "8" + RPPS + "\n"}, IDENTITY, "29: a line end after it"),
        ({"sub": int("8" + RPPS)}, IDENTITY, "29: as a number"),
        ({"sub": ["8" + RPPS]}, IDENTITY, "29: in a list"),
        ({"sub": "88" + RPPS}, IDENTITY, "29: its type twice"),
        ({"sub": "0" + RPPS}, IDENTITY, "29: of another type, ADELI"),
        (
            {"sub": "8" + RPPS.translate(str.maketrans("0123456789", "０１２３４５６７８９"))},
            IDENTITY,
            "22, 29: wide digits",
        ),
        ({"profession": ABSENT}, IDENTITY, "no profession"),
        ({"profession": 21}, IDENTITY, "profession as a number"),
        ({"profession": "210"}, IDENTITY, "profession of three digits"),
        ({"finess": ""}, IDENTITY, "an empty establishment"),
        ({"finess": None}, IDENTITY, "a null establishment"),
        ({"finess": "99000001a"}, IDENTITY, "an establishment with a small letter"),
        ({"client_id": ABSENT}, IDENTITY, "47: no client"),
        ({"client_id": ["portail"]}, IDENTITY, "47: the client in a list"),
        ({"client_id": "autre"}, CLIENT_, "47: another client"),
        ({"azp": "autre"}, CLIENT_, "47: azp names another client"),
        ({"azp": None}, CLIENT_, "47: azp is null"),
        ({"jti": ""}, MALFORMED, "an empty jti"),
        ({"jti": 7}, MALFORMED, "jti as a number"),
        ({"acr": ["eidas3"]}, MALFORMED, "30: acr in a list"),
        ({"acr": None}, MALFORMED, "30: acr null"),
        ({"amr": "mfa"}, MALFORMED, "30: amr as a text"),
        ({"amr": ["mfa", 1]}, MALFORMED, "30: amr with a number in it"),
        ({"amr": {"mfa": True}}, MALFORMED, "30: amr as an object"),
        ({"auth_time": str(NOW_S)}, MALFORMED, "32: auth_time as a text"),
        ({"auth_time": True}, MALFORMED, "32: auth_time as a boolean"),
        ({"auth_time": float(NOW_S)}, MALFORMED, "32: auth_time as a float"),
        ({"auth_time": NOW_S + 11}, EARLY, "32: a login that has not happened yet"),
        ({"cnf": ABSENT}, Reason.BINDING_MISSING, "33: bound to nothing"),
        ({"cnf": CALLER_KEY.jkt}, MALFORMED, "33: cnf as a text"),
        ({"cnf": [{"jkt": CALLER_KEY.jkt}]}, MALFORMED, "33: cnf in a list"),
        ({"cnf": {"jkt": 1}}, MALFORMED, "33: a thumbprint that is a number"),
        ({"cnf": {}}, Reason.BINDING_NOT_ACCEPTED, "33: an empty cnf"),
        ({"cnf": {"kid": "k1"}}, Reason.BINDING_NOT_ACCEPTED, "33: an unknown member"),
        ({"cnf": {"jkt": CALLER_KEY.jkt, "x5t#S256": "a"}}, Reason.BINDING_NOT_ACCEPTED, "33: two members"),
        ({"cnf": {"jkt": CALLER_KEY.jkt, "kid": "k1"}}, Reason.BINDING_NOT_ACCEPTED, "33: a known and an unknown one"),
    ],
)
def test_claims_that_are_refused(changes: dict[str, Any], reason: Reason, claim: str) -> None:
    """Threat rows 21 to 30, 32, 33 and 47: the issuer signed it, and it is refused."""
    result = ask(asked_with_dpop(**changes)).result
    assert isinstance(result, Refusal), claim
    assert result.reason is reason, claim


def test_a_token_is_dead_on_its_second_and_not_a_millisecond_before() -> None:
    """RFC 7519 section 4.1.4, "on or after", with our clock in milliseconds."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, exp=NOW_S + 1)
    headers = dpop_headers(token, prove(CALLER_KEY, token))
    assert isinstance(ask(facts(headers, now_ms=NOW_MS + 999)).result, Authenticated)
    refused(facts(headers, now_ms=NOW_MS + 1000), Reason.TOKEN_EXPIRED)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"exp": NOW_S - 1}, True),
        ({"client_id": "autre"}, True),
        ({"aud": "urn:other"}, True),
        ({"acr": "eidas1"}, True),
        ({"cnf": ABSENT}, True),
        ({"sub": "x"}, False),
    ],
)
def test_the_audit_learns_who_a_signed_token_spoke_of(changes: dict[str, Any], named: bool) -> None:
    """Once the signature holds, a refusal names the practitioner: a stolen account shows."""
    result = ask(asked_with_dpop(**changes)).result
    assert isinstance(result, Refusal)
    assert (result.practitioner is not None) is named


def test_two_practitioners_never_share_a_name() -> None:
    """The canonical RPPS is the eleven digits after the type, whoever issued the token."""
    issuer = ISSUERS[ISSUER]
    told = _practitioner(claims(sub="810003461033"), issuer)
    assert told is not None
    assert told.rpps == "10003461033"

"""Tokens and proofs of the laboratory, read by somebody else's library."""

import hashlib
import json
from typing import Any

import pytest
from joserfc import jwk, jws, jwt
from tornado.httputil import HTTPHeaders

from paravent.sandbox.issuer import handler
from paravent.sandbox.proofs import DpopKey, b64url
from paravent.sandbox.replies import Reply
from paravent.sandbox.tokens import TokenMint, Wish

NOW_S = 1_767_225_600
URL = "https://droits.example/v1/droits/consultation"
RPPS = "99921000008"


def mint() -> TokenMint:
    return TokenMint("https://as.example", "urn:paravent:droits", "portail")


def read(token: str, keys: dict[str, object]) -> jwt.Token:
    return jwt.decode(token, jwk.KeySet.import_key_set(keys), algorithms=["ES256"])


def test_a_token_is_an_rfc_9068_token() -> None:
    """Header and claims are those of the contract; joserfc verifies it with the published keys."""
    issuer, key = mint(), DpopKey.generate()
    token = read(issuer.mint(Wish(RPPS, finess="990000001", jkt=key.jkt), NOW_S), issuer.jwks())
    assert token.header["typ"] == "at+jwt"
    claims = dict(token.claims)
    assert len(str(claims.pop("jti"))) >= 16
    assert claims == {
        "iss": "https://as.example",
        "aud": "urn:paravent:droits",
        "sub": "8" + RPPS,
        "client_id": "portail",
        "iat": NOW_S,
        "exp": NOW_S + 300,
        "acr": "eidas2",
        "amr": ["swk", "pin", "mfa"],
        "auth_time": NOW_S - 60,
        "cnf": {"jkt": key.jkt},
        "profession": "21",
        "finess": "990000001",
    }


def test_a_wish_is_granted_whatever_it_is() -> None:
    """No MFA, no binding, no subject, an old login: the mint signs it."""
    wish = Wish(RPPS, acr=None, amr=("pwd",), auth_time_s=5, ttl_s=-10, claims={"sub": None, "aud": ["x"]})
    issuer = mint()
    claims = read(issuer.mint(wish, NOW_S), issuer.jwks()).claims
    assert {"sub", "acr", "cnf", "finess"} & set(claims) == set()
    assert (claims["amr"], claims["auth_time"], claims["exp"], claims["aud"]) == (["pwd"], 5, NOW_S - 10, ["x"])


def test_rotation_keeps_old_keys() -> None:
    """A token from before the rotation still verifies; new ones carry the new key id."""
    issuer = mint()
    old = issuer.mint(Wish(RPPS), NOW_S)
    kid = issuer.rotate()
    new = issuer.mint(Wish(RPPS), NOW_S)
    assert read(new, issuer.jwks()).header["kid"] == kid
    assert read(old, issuer.jwks()).header["kid"] != kid


def test_key_sets_are_public() -> None:
    """No private member of RFC 7518 section 6.2.2 is published, nor shown by repr."""
    issuer = mint()
    assert all("d" not in key for key in issuer.jwks()["keys"])  # type: ignore[attr-defined]
    assert "PRIVATE" not in repr(vars(issuer))


def test_a_proof_is_an_rfc_9449_proof() -> None:
    """It verifies with the key in its own header, whose thumbprint is `jkt`, and names method, URL, time and token."""
    key = DpopKey.generate()
    proof = key.proof("POST", URL + "?a=1#b", "the-token", NOW_S, nonce="n-1")
    header: Any = jws.extract_compact(proof.encode()).headers()
    public = jwk.ECKey.import_key(header["jwk"])
    assert public.thumbprint() == key.jkt
    assert (header["typ"], header["alg"], set(header["jwk"])) == ("dpop+jwt", "ES256", {"kty", "crv", "x", "y"})
    claims = json.loads(jws.deserialize_compact(proof, public, algorithms=["ES256"]).payload)
    assert claims.pop("jti")
    ath = b64url(hashlib.sha256(b"the-token").digest())
    assert claims == {"htm": "POST", "htu": URL, "iat": NOW_S, "ath": ath, "nonce": "n-1"}


def test_proofs_are_for_one_use() -> None:
    """Two proofs for the same request have different jti."""
    key = DpopKey.generate()
    assert key.proof("GET", URL, "t", NOW_S) != key.proof("GET", URL, "t", NOW_S)


def test_a_key_can_be_kept() -> None:
    """PEM out, PEM in, same thumbprint; another kind of key is refused."""
    key = DpopKey.generate()
    assert DpopKey.from_pem(key.pem()).jkt == key.jkt
    with pytest.raises(ValueError, match="P-256"):
        DpopKey.from_pem(jwk.ECKey.generate_key("P-384").as_pem(private=True))


# ---- the issuer's requests


def post(body: object, issuer: TokenMint | None = None) -> tuple[Reply, dict[str, Any]]:
    handle = handler(issuer or mint(), lambda: NOW_S)
    reply = handle("POST", "/token", HTTPHeaders(), json.dumps(body).encode())
    return reply, json.loads(reply.body)


def test_the_issuer_grants_every_member() -> None:
    """Each member of a request reaches the token, under the name of its claim."""
    issuer = mint()
    body = {
        "rpps": RPPS,
        "profession": "28",
        "finess": "990000001",
        "client_id": "logiciel",
        "acr": "eidas3",
        "amr": ["sc", "pin", "mfa"],
        "auth_time": NOW_S - 9,
        "x5t#S256": "abc",
        "ttl_s": 60,
        "claims": {"extra": 1},
    }
    reply, answer = post(body, issuer)
    assert (reply.status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 60)
    claims = read(answer["access_token"], issuer.jwks()).claims
    assert (claims["profession"], claims["client_id"], claims["acr"]) == ("28", "logiciel", "eidas3")
    assert (claims["amr"], claims["auth_time"], claims["cnf"]) == (["sc", "pin", "mfa"], NOW_S - 9, {"x5t#S256": "abc"})
    assert (claims["finess"], claims["exp"], claims["extra"]) == ("990000001", NOW_S + 60, 1)


def test_a_bound_token_is_called_dpop() -> None:
    """RFC 9449 section 5: token_type DPoP."""
    assert post({"rpps": RPPS, "jkt": "x"})[1]["token_type"] == "DPoP"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nobody named"),
        pytest.param([], id="no object"),
        pytest.param({"rpps": 1}, id="an rpps that is a number"),
        pytest.param({"rpps": RPPS, "scope": "x"}, id="a member it does not know"),
        pytest.param({"rpps": RPPS, "amr": "mfa"}, id="an amr that is no list"),
        pytest.param({"rpps": RPPS, "ttl_s": "60"}, id="a number as text"),
        pytest.param({"rpps": RPPS, "auth_age_s": True}, id="a number that is true"),
        pytest.param({"rpps": None}, id="a null that means nothing"),
    ],
)
def test_a_request_that_is_none_is_refused(body: object) -> None:
    reply, answer = post(body)
    assert (reply.status, answer["error"]) in {(400, "invalid_request"), (400, "CORPS_ILLISIBLE")}

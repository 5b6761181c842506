"""The laboratory's Pro Santé Connect: its tokens are those that the profile reads, and it ends them when told to."""

import orjson
import pytest
from tornado.httputil import HTTPHeaders

from paravent.identity.issuers import Issuer, Profile
from paravent.identity.psc import completed, pro_sante_connect
from paravent.sandbox.issuer import handler
from paravent.sandbox.practitioners import practitioner
from paravent.sandbox.psc import PscMint
from paravent.sandbox.tokens import Wish
from tokens import NOW_S

ISSUER = "https://psc.example/realm"
WHO = practitioner(0, "21")
WISH = Wish(rpps=WHO.rpps, profession="21", finess=WHO.finess, acr="eidas3")
TERMS = Issuer("psc", ISSUER, (), frozenset({"portail"}), ("RS256",), Profile.PRO_SANTE_CONNECT, max_lifetime_s=300)


@pytest.fixture
def mint() -> PscMint:
    return PscMint(ISSUER)


def test_its_tokens_are_read_with_what_userinfo_says(mint: PscMint) -> None:
    """The token names nobody's profession, as there; with the issuer's word for it, it is a practitioner."""
    token = mint.mint(WISH, NOW_S)
    claims = mint.introspect(token, NOW_S)
    assert claims["active"] is True
    assert not {"aud", "amr", "cnf", "SubjectRole"} & set(claims)
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 120
    person = mint.userinfo(token, NOW_S)
    assert person is not None
    whole = completed(claims, person)  # type: ignore[arg-type]
    assert whole is not None
    read = pro_sante_connect(whole, TERMS)
    assert read.practitioner is not None
    assert (read.practitioner.rpps, read.practitioner.profession) == (WHO.rpps, "21")
    assert read.practitioner.finess == WHO.finess


def test_a_token_that_does_not_stand(mint: PscMint) -> None:
    """Over, ended, or another's: not a word but that."""
    token, other = mint.mint(WISH, NOW_S), mint.mint(WISH, NOW_S)
    assert mint.introspect(token, NOW_S + 120) == {"active": False}
    assert mint.introspect("x", NOW_S) == mint.introspect(PscMint(ISSUER).mint(WISH, NOW_S), NOW_S) == {"active": False}
    assert mint.end(token)
    assert not mint.end("x")
    assert mint.introspect(token, NOW_S) == {"active": False}
    assert mint.userinfo(token, NOW_S) is None
    assert mint.introspect(other, NOW_S)["active"] is True


def test_over_http(mint: PscMint) -> None:
    """The paths that a configuration names."""
    handle = handler(mint, lambda: NOW_S)

    def call(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, object]]:
        reply = handle(method, path, HTTPHeaders(headers), body)
        return reply.status, orjson.loads(reply.body)

    status, answer = call("POST", "/token", orjson.dumps({"rpps": WHO.rpps, "jkt": "x"}))
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 120)
    token = str(answer["access_token"])
    form = f"token={token}".encode()
    assert call("POST", "/introspect", form)[1]["active"] is True
    assert call("GET", "/userinfo", Authorization=f"Bearer {token}")[0] == 200
    assert call("POST", "/end", form) == (200, {"ended": True})
    assert call("POST", "/introspect", form)[1] == {"active": False}
    assert call("GET", "/userinfo", Authorization=f"Bearer {token}")[0] == 401
    assert call("GET", "/elsewhere")[0] == 404

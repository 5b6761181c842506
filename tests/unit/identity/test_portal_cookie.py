"""A token in the cookie of a browser portal: only where it is configured, only bound, only from pages of ours."""

from pathlib import Path
from typing import Any

import pytest

from asking import CALLER_KEY, ISSUER_KEY, ask, facts
from deployments import Deployment
from paravent.effects import FindKey
from paravent.identity.authenticate import Authenticated, Refusal
from paravent.identity.portal import Portal
from paravent.model import Facts
from paravent.reasons import Problem, Reason
from tokens import ORIGIN, b64url, bearer_headers, dpop_headers, mint, prove

CERTIFICATE = b"\1" * 32
TOKEN = mint(ISSUER_KEY, x5t=b64url(CERTIFICATE))
PORTAL = Portal("__Host-paravent", frozenset({ORIGIN, "https://portail.example"}))
COOKIE = f"__Host-paravent={TOKEN}".encode()

type Headers = tuple[tuple[bytes, bytes], ...]

OF_A_PAGE: Headers = ((b"origin", ORIGIN.encode()), (b"sec-fetch-site", b"same-origin"))


def asked(cookie: bytes = COOKIE, headers: Headers = OF_A_PAGE, method: bytes = b"POST", **more: Any) -> Facts:
    return facts(((b"cookie", cookie), *headers), method=method, **({"certificate_sha256": CERTIFICATE} | more))


def reason(request: Facts, portal: Portal | None = PORTAL) -> Reason | None:
    result = ask(request, portal=portal).result
    return result.reason if isinstance(result, Refusal) else None


@pytest.mark.parametrize(
    "cookie",
    [
        COOKIE,
        b"theme=dark; " + COOKIE,
        COOKIE + b"; theme=dark",
        b"a=b;" + COOKIE + b";c",
        b"__host-paravent=x; " + COOKIE,
    ],
)
def test_a_page_of_the_portal_is_served(cookie: bytes) -> None:
    """Alone or among other cookies, whose names have another case too."""
    result = ask(asked(cookie), portal=PORTAL).result
    assert isinstance(result, Authenticated)
    assert result.evidence.binding == "mtls"


def test_without_configuration_no_cookie_is_looked_at() -> None:
    """Threat row 45: a token in a cookie is no token."""
    told = ask(asked(), [], portal=None)
    assert isinstance(told.result, Refusal)
    assert told.result.reason is Reason.TOKEN_MISSING


@pytest.mark.parametrize(
    ("cookie", "expected", "claim"),
    [
        (b"", Reason.TOKEN_MISSING, "no cookie"),
        (b"__Host-other=" + TOKEN.encode(), Reason.TOKEN_MISSING, "another cookie"),
        (b"paravent=" + TOKEN.encode(), Reason.TOKEN_MISSING, "without the prefix: another host may have set it"),
        (b"x__Host-paravent=" + TOKEN.encode(), Reason.TOKEN_MISSING, "a name that ends like ours"),
        (b"a=__Host-paravent=" + TOKEN.encode(), Reason.TOKEN_MISSING, "in the value of another"),
        (COOKIE + b"; " + COOKIE, Reason.TOKEN_MALFORMED, "twice, the same"),
        (COOKIE + b"; __Host-paravent=", Reason.TOKEN_MALFORMED, "twice, once empty"),
        (b"__Host-paravent=", Reason.TOKEN_MALFORMED, "empty"),
        (b'__Host-paravent="' + TOKEN.encode() + b'"', Reason.TOKEN_MALFORMED, "in quotes"),
        (b"__Host-paravent=Bearer " + TOKEN.encode(), Reason.TOKEN_MALFORMED, "with a scheme"),
        (b"__Host-paravent=" + b"a" * 9000, Reason.TOKEN_MALFORMED, "longer than any token"),
    ],
)
def test_cookies_that_carry_none(cookie: bytes, expected: Reason, claim: str) -> None:
    """Exactly one cookie of exactly that name, with a token and nothing else in it."""
    assert reason(asked(cookie)) is expected, claim


def test_two_ways_at_once_are_none() -> None:
    """RFC 6750 section 2: a token in the header and one in the cookie, the same or not."""
    for headers in (bearer_headers(TOKEN), bearer_headers("x")):
        assert reason(asked(headers=(*headers, *OF_A_PAGE))) is Reason.TOKEN_MALFORMED


def test_two_cookie_headers_are_read_as_one() -> None:
    """The cookie in either is found, and in both it is there twice."""
    assert reason(asked(b"a=b", ((b"cookie", COOKIE), *OF_A_PAGE))) is None
    assert reason(asked(COOKIE, ((b"cookie", COOKIE), *OF_A_PAGE))) is Reason.TOKEN_MALFORMED


def test_the_header_still_does() -> None:
    """Software of the practitioner beside the portal: nothing changes for it, whatever its Origin."""
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    assert reason(facts(dpop_headers(token, prove(CALLER_KEY, token)))) is None
    assert reason(facts(bearer_headers(TOKEN), certificate_sha256=CERTIFICATE)) is None


def test_it_must_be_bound_to_the_certificate() -> None:
    """A stolen cookie is worth nothing on another connection; a DPoP-bound or unbound token is none for a cookie."""
    assert reason(asked(certificate_sha256=b"\2" * 32)) is Reason.BINDING_CERTIFICATE
    assert reason(asked(certificate_sha256=None)) is Reason.BINDING_CERTIFICATE
    bound = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    cookie = f"__Host-paravent={bound}".encode()
    proof = (b"dpop", prove(CALLER_KEY, bound).encode())
    assert reason(asked(cookie)) is Reason.BINDING_DOWNGRADE
    assert reason(asked(cookie, (*OF_A_PAGE, proof))) is Reason.BINDING_DOWNGRADE
    assert reason(asked(f"__Host-paravent={mint(ISSUER_KEY)}".encode())) is Reason.BINDING_MISSING


def made(site: bytes | None, *origins: bytes) -> Headers:
    headers = tuple((b"origin", origin) for origin in origins)
    return headers if site is None else (*headers, (b"sec-fetch-site", site))


@pytest.mark.parametrize(
    ("headers", "post", "get", "claim"),
    [
        (made(b"same-origin", ORIGIN.encode()), True, True, "a page of ours"),
        (made(b"same-site", b"https://portail.example"), True, True, "a page of the list"),
        (made(None, ORIGIN.encode()), True, True, "a browser without Fetch Metadata"),
        (made(b"same-origin"), False, True, "browsers leave Origin out of safe requests alone"),
        (made(None), False, True, "neither: the certificate alone speaks, and nothing is changed"),
        (made(b"cross-site", ORIGIN.encode()), False, False, "a stranger's page, whatever its Origin"),
        (made(b"cross-site"), False, False, "an image in a stranger's page"),
        (made(b"none"), False, False, "an address that somebody typed, or a link in a mail"),
        (made(b"SAME-ORIGIN", ORIGIN.encode()), False, False, "a word that no browser writes"),
        (made(b"", ORIGIN.encode()), False, False, "an empty word"),
        (made(b"same-origin", b"https://evil.example"), False, False, "another origin"),
        (made(b"same-origin", b"null"), False, False, "a page without origin: a sandbox, a file"),
        (made(b"same-origin", b""), False, False, "an empty origin"),
        (made(b"same-origin", ORIGIN.upper().encode()), False, False, "an origin in another case"),
        (made(b"same-origin", ORIGIN.encode() + b"/"), False, False, "an origin with a slash"),
        (made(b"same-origin", ORIGIN.encode() + b".evil.example"), False, False, "one that begins like ours"),
        (made(b"same-origin", b"http" + ORIGIN[5:].encode()), False, False, "ours without TLS"),
        (made(b"same-origin", ORIGIN.encode(), ORIGIN.encode()), False, False, "two origins"),
        ((*made(b"same-origin", ORIGIN.encode()), (b"sec-fetch-site", b"cross-site")), False, False, "two words"),
    ],
)
def test_only_pages_of_ours(headers: Headers, post: bool, get: bool, claim: str) -> None:
    """A stranger's page cannot make a practitioner's browser ask: not for the answer, not for the budget it uses."""
    for method, accepted in ((b"POST", post), (b"PUT", post), (b"GET", get)):
        assert reason(asked(headers=headers, method=method)) is (None if accepted else Reason.TOKEN_CROSS_SITE), claim


def test_a_strangers_page_costs_nothing() -> None:
    """Refused before any key is looked for, with the one body of tokens that are not accepted."""
    told = ask(asked(headers=made(b"cross-site")), [], portal=PORTAL)
    assert not any(isinstance(effect, FindKey) for effect in told.asked)
    assert Reason.TOKEN_CROSS_SITE.problem is Problem.TOKEN_REFUSED


# ---- the configuration


MTLS = ("[upstream]", 'client_ca = "server.pem"\n\n[upstream]')


def portal(*lines: str) -> tuple[str, str]:
    return ("[policy]", "\n".join(["[portal]", *lines, "", "[policy]"]))


def test_the_cookie_is_configured_by_name(tmp_path: Path) -> None:
    """Pages of our own origin may ask when no others are named."""
    deployment = Deployment(tmp_path).change(MTLS, portal('cookie = "__Host-paravent"'))
    settings = deployment.load()
    assert settings.portal is not None
    assert (settings.portal.cookie, settings.portal.origins) == ("__Host-paravent", {ORIGIN})


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (('cookie = "session"',), "cookie must begin with __Host-"),
        (('cookie = "__Secure-paravent"',), "cookie must begin with __Host-"),
        (('cookie = "__Host-a b"',), "cookie must begin with __Host-"),
        (('origins = ["https://portail.example"]',), "origins has no effect without cookie"),
        (('cookie = "__Host-p"', 'origins = ["http://portail.example"]'), "must begin with https://"),
        (('cookie = "__Host-p"', 'origins = ["*"]'), "origins: '*'"),
    ],
)
def test_mistakes_in_the_configuration(tmp_path: Path, lines: tuple[str, ...], told: str) -> None:
    """Each is said, and nothing is started."""
    (problem,) = Deployment(tmp_path).change(MTLS, portal(*lines)).problems()
    assert told in problem


def test_a_cookie_without_client_certificates_is_a_mistake(tmp_path: Path) -> None:
    """No token in it could ever be accepted."""
    (problem,) = Deployment(tmp_path).change(portal('cookie = "__Host-paravent"')).problems()
    assert "cookie needs client certificates" in problem

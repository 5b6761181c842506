"""[issuers.NAME] of the configuration: whose tokens are accepted, and on what terms."""

from pathlib import Path
from typing import Final

from paravent.identity import algorithms
from paravent.policy.hints import did_you_mean
from paravent.settings import files, values
from paravent.settings.given import Given
from paravent.settings.keys import variable
from paravent.settings.model import Introspection, Issuer
from paravent.settings.pairs import check_pair, remark_if_open

RFC9068, PSC = PROFILES = ("rfc9068", "pro-sante-connect")
DEFAULT_ALGORITHMS: Final = {RFC9068: algorithms.DEFAULT, PSC: ("RS256",)}
"""Pro Santé Connect signs with RS256."""

INTROSPECTION: Final = (
    "introspection_client",
    "introspection_secret_file",
    "introspection_certificate",
    "introspection_key",
    "userinfo",
)
"""Keys that mean nothing without `introspection`."""


def read_issuers(given: Given) -> dict[str, Issuer]:
    issuers: dict[str, Issuer] = {}
    seen: dict[str, str] = {}
    for name in given.issuers:
        issuer = _issuer(given, name)
        if issuer is None:
            continue
        issuers[name] = issuer
        other = seen.setdefault(issuer.issuer, name)
        if other != name:
            message = f"issuer is that of [issuers.{other}]: a token could be either's"
            given.complain(("issuers", name, "issuer"), message)
    return issuers


def _issuer(given: Given, name: str) -> Issuer | None:
    profile = given.text("issuers", name, "profile")
    if profile is not None and profile not in PROFILES:
        given.complain(("issuers", name, "profile"), f"unknown profile {profile!r}", did_you_mean(profile, PROFILES))
    url = given.parsed(values.issuer, "issuers", name, "issuer")
    jwks = _jwks(given, name)
    given.file(files.certificates, "issuers", name, "ca")
    audience = given.texts("issuers", name, "audience")
    if profile != PSC and not given.has("issuers", name, "audience"):
        # Without a name for us, a token made for any other service of this issuer would open this one.
        hint = f"names by which tokens may mean us; or {variable(f'issuers.{name}', 'audience')}"
        given.complain(("issuers", name), f"audience is missing in [issuers.{name}]", hint)
    accepted = _algorithms(given, name) or DEFAULT_ALGORITHMS.get(profile or "", algorithms.DEFAULT)
    certificates = _client_certificates(given, name)
    introspection = _introspection(given, name)
    stale_for_s = given.parsed(values.stale_for, "issuers", name, "jwks_stale_for")
    if profile is None or url is None or jwks is None:
        return None
    return Issuer(
        name=name,
        profile=profile,
        issuer=url,
        jwks=jwks,
        ca=given.path("issuers", name, "ca"),
        jwks_stale_for_s=values.DEFAULT_STALE_S if stale_for_s is None else stale_for_s,
        audience=audience,
        clients=frozenset(given.texts("issuers", name, "clients")),
        scopes=_scopes(given, name),
        algorithms=accepted,
        client_certificates=certificates,
        introspection=introspection,
        untyped_logouts=given.value("issuers", name, "untyped_logouts") is True,
    )


def _scopes(given: Given, name: str) -> frozenset[str]:
    where = ("issuers", name, "scopes")
    scopes = given.texts(*where)
    for text in scopes:
        if values.SCOPE.fullmatch(text) is None:
            given.complain(where, f"scopes: {text!r} is no scope", "one name each, no blanks (RFC 6749 section 3.3)")
    return frozenset(scopes)


def _client_certificates(given: Given, name: str) -> dict[str, frozenset[bytes]]:
    where = ("issuers", name, "client_certificates")
    clients = given.texts("issuers", name, "clients")
    certificates: dict[str, frozenset[bytes]] = {}
    for text in given.texts(*where):
        try:
            client, digest = values.client_certificate(text)
        except ValueError as error:
            given.complain(where, f"client_certificates: {text!r} {error}")
            continue
        if client not in clients:
            given.complain(where, f"client_certificates: {client!r} is not in clients", did_you_mean(client, clients))
        certificates[client] = certificates.get(client, frozenset()) | {digest}
    if certificates and not given.has("listen", "client_ca"):
        message = "client_certificates has no effect: nobody is asked for a client certificate"
        given.complain(where, message, "[listen] client_ca")
    if given.text("issuers", name, "profile") == PSC and (without := sorted(set(clients) - set(certificates))):
        message = f"{without[0]} has no certificate in client_certificates: its tokens without cnf will be refused"
        given.remark(("issuers", name), message)
    return certificates


def _introspection(given: Given, name: str) -> Introspection | None:
    section = ("issuers", name)
    url = given.parsed(values.https_url, *section, "introspection")
    userinfo = given.parsed(values.https_url, *section, "userinfo")
    secret = given.file(files.secret_text, *section, "introspection_secret_file")
    remark_if_open(given, (*section, "introspection_secret_file"))
    check_pair(given, section, "introspection_certificate", "introspection_key")
    if not given.has(*section, "introspection"):
        for key in INTROSPECTION:
            if given.has(*section, key):
                given.complain((*section, key), f"{key} needs introspection")
        return None
    if not given.has(*section, "ca"):
        message = "introspection needs ca"
        given.complain((*section, "introspection"), message, "ca: the PEM file of the authority of that server")
    client = given.text(*section, "introspection_client")
    if client is None:
        given.complain((*section, "introspection"), "introspection needs introspection_client")
    ways = [given.has(*section, key) for key in ("introspection_secret_file", "introspection_certificate")]
    if sum(ways) != 1:
        message = "introspection needs one way to say who we are: a secret file or a certificate"
        given.complain((*section, "introspection"), message)
    if url is None or client is None:
        return None
    certificate, key_file = (given.path(*section, f"introspection_{each}") for each in ("certificate", "key"))
    return Introspection(url, client, secret, certificate, key_file, userinfo)


def _algorithms(given: Given, name: str) -> tuple[str, ...]:
    where = ("issuers", name, "algorithms")
    named = {text: algorithms.named(text) for text in given.texts(*where)}
    for text, algorithm in named.items():
        if algorithm is None:
            given.complain(where, f"unknown algorithm {text!r}", f"known: {', '.join(algorithms.KNOWN)}")
    return tuple(dict.fromkeys(known for known in named.values() if known is not None))


def _jwks(given: Given, name: str) -> Path | str | None:
    where = ("issuers", name, "jwks")
    text = given.text(*where)
    if text is None:
        return None
    if "://" not in text:
        keys = given.file(files.jwks, *where)
        for problem in keys.problems if keys is not None else ():
            given.remark(where, f"jwks: {problem}")
        return given.path(*where)
    if text.startswith("https://") and not given.has("issuers", name, "ca"):
        given.complain(where, "jwks is a URL and needs ca", "ca: the PEM file of the authority of that server")
    return given.parsed(values.https_url, *where)

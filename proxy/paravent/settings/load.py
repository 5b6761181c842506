"""The configuration file and the environment, made into `Settings`.

read ─► parse (toml) ─► given, by key (given) ─► sections, with their files ─► Settings, when nobody complained
"""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from paravent.problems import InvalidFiles, Problem
from paravent.settings import files, values
from paravent.settings.given import Given
from paravent.settings.issuers import read_issuers
from paravent.settings.model import (
    Audit,
    Listen,
    Metrics,
    Network,
    PolicyFolder,
    Portal,
    Redis,
    Revocation,
    Settings,
    Sqlite,
    State,
    Upstream,
)
from paravent.settings.pairs import check_pair, remark_if_open, remark_if_shut
from paravent.settings.toml import parse


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """The deployment that `path` describes, with `PARAVENT_…` of `environ` laid over it.

    Reads every file that is named, and opens no socket. Raises InvalidFiles with all problems, sorted by place.
    """
    try:
        data = files.read(path)
    except ValueError as error:
        raise InvalidFiles([Problem(path.name, 0, 0, f"the configuration file {error}")]) from None
    toml = parse(path.name, data)
    if isinstance(toml, Problem):
        raise InvalidFiles([toml])
    file = path.absolute()
    given = Given(toml, environ, file.parent)
    listen, upstream, issuers = _listen(given), _upstream(given), read_issuers(given)
    state, audit, metrics, policy = _state(given), _audit(given), _metrics(given), _policy(given)
    if listen and metrics and listen.address.port != 0 and listen.address == metrics.address:
        given.complain(("metrics", "address"), "address is that of [listen]: two listeners cannot share it")
    if listen and metrics and listen.workers > 1 and metrics.address.port + listen.workers > 65535:
        given.complain(("metrics", "address"), "address leaves no ports above it for the workers' metrics")
    portal = _portal(given, listen)
    # The last operands cannot be None without a problem; they are for the type checker.
    if given.problems or not (listen and upstream and state and audit and metrics and policy):
        raise InvalidFiles(given.problems)
    revocation = Revocation(given.path("revocation", "file"))
    notes = tuple(sorted(given.notes))
    return Settings(file, listen, upstream, issuers, state, audit, metrics, policy, revocation, portal, notes)


# ---- [listen]


def _listen(given: Given) -> Listen | None:
    address = given.parsed(values.address, "listen", "address")
    external_origin = given.parsed(values.external_origin, "listen", "external_origin")
    check_pair(given, ("listen",), "certificate", "key")
    given.file(files.certificates, "listen", "client_ca")
    networks = _networks(given)
    ours, front = (
        given.has("listen", "certificate") or given.has("listen", "key"),
        given.has("listen", "plaintext_from"),
    )
    if ours and front:
        message = "plaintext_from and certificate exclude each other: TLS ends here or at the front proxy"
        given.complain(("listen", "plaintext_from"), message)
    if not ours and not front:
        message = "neither certificate and key nor plaintext_from: say where TLS ends"
        given.complain(("listen",), message, "certificate and key; or plaintext_from, the networks of the front proxy")
    _fronts(given, front)
    if address is None or external_origin is None:
        return None
    certificate, key = given.path("listen", "certificate"), given.path("listen", "key")
    return Listen(
        address,
        external_origin,
        certificate,
        key,
        given.path("listen", "client_ca"),
        networks,
        given.path("listen", "front_certificates"),
        given.value("listen", "client_cert_header") is True,
        given.value("listen", "proxy_protocol") is True,
        _workers(given),
        given.checked(lambda value: values.count(value, values.MAX_REFUSALS), "listen", "refusals_per_minute")
        or values.DEFAULT_REFUSALS,
    )


def _workers(given: Given) -> int:
    workers = given.checked(lambda value: values.count(value, values.MAX_WORKERS), "listen", "workers") or 1
    if workers > 1 and sys.platform != "linux":
        message = "workers above 1 need Linux: other kernels do not deal connections out to them"
        given.complain(("listen", "workers"), message)
    return workers


def _fronts(given: Given, plaintext: bool) -> None:
    """What is believed of a front proxy, and which one."""
    pinned = given.has("listen", "front_certificates")
    header = given.value("listen", "client_cert_header") is True
    for certificate in given.file(files.certificates, "listen", "front_certificates") or ():
        if files.is_authority(certificate):
            message = "front_certificates holds the certificate of an authority; name the front proxies' own"
            given.complain(("listen", "front_certificates"), message)
    if pinned and plaintext:
        message = "front_certificates and plaintext_from exclude each other: a front proxy speaks TLS to us or not"
        given.complain(("listen", "front_certificates"), message)
    if header and not (plaintext or pinned):
        message = "client_cert_header needs a front proxy: anybody could write the header"
        hint = "front_certificates, or plaintext_from"
        given.complain(("listen", "client_cert_header"), message, hint)
    if header and not given.has("listen", "client_ca"):
        message = "client_cert_header needs client_ca: the certificates that it brings are judged here"
        given.complain(("listen", "client_cert_header"), message)
    if given.has("listen", "client_ca") and (plaintext or pinned) and not header:
        message = "client_ca has no effect behind a front proxy: certificates of callers are seen where TLS ends"
        given.complain(
            ("listen", "client_ca"), message, "client_cert_header = true, if the front proxy sends Client-Cert"
        )
    if given.value("listen", "proxy_protocol") is True and not plaintext:
        message = (
            "proxy_protocol needs plaintext_from: over TLS it would come before the front proxy has shown who it is"
        )
        given.complain(("listen", "proxy_protocol"), message)
    introduced = given.value("listen", "proxy_protocol") is True
    if given.has("listen", "refusals_per_minute") and (plaintext or pinned) and not introduced:
        message = (
            "refusals_per_minute bounds nobody: behind a front proxy without proxy_protocol, who calls is not known"
        )
        hint = "proxy_protocol = true with plaintext_from; or count refusals for each address at the front proxy"
        given.remark(("listen", "refusals_per_minute"), message, hint)


def _networks(given: Given) -> tuple[Network, ...]:
    networks = []
    for text in given.texts("listen", "plaintext_from"):
        try:
            networks.append(values.network(text))
        except ValueError as error:
            given.complain(("listen", "plaintext_from"), f"plaintext_from: {text!r} {error}")
    return tuple(networks)


def _portal(given: Given, listen: Listen | None) -> Portal | None:
    """[portal]"""
    cookie = given.parsed(values.cookie_name, "portal", "cookie")
    if given.has("portal", "origins") and not given.has("portal", "cookie"):
        given.complain(("portal", "origins"), "origins has no effect without cookie")
    if cookie is None or listen is None:
        return None
    if listen.certificate is not None and listen.client_ca is None:
        message = "cookie needs client certificates: a token that comes in it must be bound to one"
        given.complain(("portal", "cookie"), message, "client_ca in [listen]")
    origins = []
    for text in given.texts("portal", "origins"):
        try:
            origins.append(values.external_origin(text))
        except ValueError as error:
            given.complain(("portal", "origins"), f"origins: {text!r} {error}")
    return Portal(cookie, frozenset(origins) or frozenset({listen.external_origin}))


# ---- [upstream]


def _upstream(given: Given) -> Upstream | None:
    url = given.parsed(values.origin, "upstream", "url")
    check_pair(given, ("upstream",), "client_certificate", "client_key")
    given.file(files.certificates, "upstream", "ca")
    timeout_s = _seconds(given, "timeout") or values.DEFAULT_TIMEOUT_S
    connect_s = _seconds(given, "connect_timeout") or values.DEFAULT_CONNECT_TIMEOUT_S
    first_byte_s = _seconds(given, "first_byte_timeout")
    connections = given.checked(lambda value: values.count(value, values.MAX_CONNECTIONS), "upstream", "connections")
    for key, part_s in (("connect_timeout", connect_s), ("first_byte_timeout", first_byte_s)):
        if given.has("upstream", key) and part_s is not None and part_s > timeout_s:
            given.complain(("upstream", key), f"{key} is longer than timeout, which covers the whole exchange")
    if url is None:
        return None
    tls = url.scheme == "https"
    if tls and not given.has("upstream", "ca"):
        # A store of public authorities vouches for anybody; the upstream's own authority vouches for the upstream.
        given.complain(("upstream", "url"), "url is https and needs ca", "ca: the PEM file of the upstream's authority")
    if not tls:
        for key in ("ca", "client_certificate"):
            if given.has("upstream", key):
                given.complain(("upstream", key), f"{key} has no effect: url is http")
        if not values.is_loopback(url.host) and given.value("upstream", "allow_plaintext") is not True:
            message = "url is http to another machine: identities and rights would cross the network unencrypted"
            given.complain(
                ("upstream", "url"), message, "https with ca; or allow_plaintext = true where a mesh encrypts"
            )
    return Upstream(
        url=str(url),
        host=url.host,
        port=url.port,
        tls=tls,
        ca=given.path("upstream", "ca"),
        client_certificate=given.path("upstream", "client_certificate"),
        client_key=given.path("upstream", "client_key"),
        timeout_s=timeout_s,
        connect_timeout_s=connect_s,
        first_byte_timeout_s=first_byte_s,
        connections=connections or values.DEFAULT_CONNECTIONS,
    )


def _seconds(given: Given, key: str) -> float | None:
    return given.checked(values.seconds, "upstream", key)


# ---- [state] [audit] [metrics] [policy]


def _state(given: Given) -> State | None:
    where = ("state", "url")
    text = given.text(*where)
    if text is None:
        return None
    scheme, _, rest = text.partition(":")
    if scheme in {"redis", "rediss"}:
        return _redis(given)
    for key in ("ca", "client_certificate", "client_key", "user", "password_file", "cluster", "nodes"):
        if given.has("state", key):
            given.complain(("state", key), f"{key} has no meaning for a state file", "remove it, or use redis://")
    # sqlite:state.db is relative; sqlite:///var/lib/state.db is absolute, as RFC 8089 writes file URLs.
    path = rest[2:] if rest.startswith("///") else rest
    if scheme != "sqlite" or not path or path.startswith("//") or path.endswith("/") or set(path) & set("?#\0"):
        message = "sqlite:state.db, sqlite:///absolute/state.db, or redis://host:port/0"
        given.complain(where, "url is neither sqlite:FILE nor redis://HOST:PORT/NUMBER", message)
        return None
    database = given.base / path
    # os.path, here and below: pathlib raises for a path that is too long or may not be looked at.
    if not os.path.isdir(database.parent):
        given.complain(where, "the folder of the state file does not exist", "make it, writable by this user alone")
    elif os.path.isdir(database):
        given.complain(where, "the state file is a directory")
    remark_if_shut(given, where, database, database.parent)
    return Sqlite(database)


def _redis(given: Given) -> Redis | None:
    password = given.file(files.secret_text, "state", "password_file")
    remark_if_open(given, ("state", "password_file"))
    given.file(files.certificates, "state", "ca")
    check_pair(given, ("state",), "client_certificate", "client_key")
    parsed = given.parsed(values.redis_url, "state", "url")
    if parsed is None:
        return None
    tls, address, database = parsed
    if find_spec("hiredis") is None or find_spec("redis") is None:
        given.complain(("state", "url"), "the packages redis and hiredis are not installed", "install paravent[redis]")
    if tls != given.has("state", "ca"):
        message = "url is rediss and needs ca" if tls else "ca has no meaning without TLS"
        given.complain(("state", "url" if tls else "ca"), message, "rediss:// with ca: the PEM file of its authority")
    if given.has("state", "client_certificate") and not tls:
        given.complain(("state", "client_certificate"), "client_certificate has no meaning without TLS")
    if given.has("state", "user") and not given.has("state", "password_file"):
        given.complain(("state", "user"), "user needs password_file")
    nodes = given.checked(lambda value: values.count(value, values.MAX_NODES), "state", "nodes")
    cluster = given.value("state", "cluster") is True
    if cluster and database:
        given.complain(("state", "url"), "a Redis Cluster has number 0 alone", f"end url with {address.port}/0")
    certificate, key = given.path("state", "client_certificate"), given.path("state", "client_key")
    return Redis(
        address,
        database,
        tls,
        given.path("state", "ca"),
        given.text("state", "user"),
        password,
        nodes,
        None if certificate is None or key is None else (certificate, key),
        cluster,
    )


def _audit(given: Given) -> Audit | None:
    key = given.file(files.secret_of_32_bytes, "audit", "key_file")
    remark_if_open(given, ("audit", "key_file"))
    second = given.file(files.secret_of_32_bytes, "audit", "second_key_file")
    remark_if_open(given, ("audit", "second_key_file"))
    if key is not None and second is not None and key.reveal() == second.reveal():
        given.complain(("audit", "second_key_file"), "second_key_file holds the key of key_file", "remove it")
    path = given.path("audit", "path")
    if path is not None and os.path.exists(path) and not os.path.isdir(path):
        given.complain(("audit", "path"), "path is a file; the ledger is a directory")
    elif path is not None and not os.path.isdir(path.parent):
        given.complain(("audit", "path"), "the folder that would hold the ledger does not exist")
    if given.has("audit", "checkpoint"):
        # Nobody may believe in a copy that nothing writes.
        message = "checkpoint is not available in this version"
        given.complain(("audit", "checkpoint"), message, "remove it; back up the ledger's folder to another machine")
    if path is None or key is None:
        return None
    remark_if_shut(given, ("audit", "path"), path if os.path.isdir(path) else path.parent)
    return Audit(path, key, second)


def _metrics(given: Given) -> Metrics | None:
    address = given.parsed(values.address, "metrics", "address")
    return Metrics(address) if address is not None else None


def _policy(given: Given) -> PolicyFolder | None:
    path = given.path("policy", "path")
    if path is None:
        return None
    if not os.path.isdir(path):
        given.complain(("policy", "path"), f"path: there is no folder {given.text('policy', 'path')!r}")
    return PolicyFolder(path)

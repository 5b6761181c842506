"""Every key of the configuration, once: what it is, and whether it must be there.

The reader, the environment overrides and the reference page are made from this table.

    listen.address        PARAVENT_LISTEN_ADDRESS
    issuers.psc.jwks      PARAVENT_ISSUERS_PSC_JWKS
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a value is written."""

    TEXT = "text"
    TEXTS = "list of texts"
    """In the environment: separated by commas."""
    FLAG = "true or false"
    SECONDS = "seconds"
    """A number, or text as in "5s"."""
    COUNT = "whole number"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one section."""

    name: str
    kind: Kind
    required: bool
    meaning: str


def _key(name: str, meaning: str, kind: Kind = Kind.TEXT, *, required: bool = False) -> Key:
    return Key(name, kind, required, meaning)


ISSUERS: Final = "issuers"
"""The one section of sections: [issuers.NAME]."""

SECTIONS: Final[Mapping[str, tuple[Key, ...]]] = {
    "listen": (
        _key("address", "host:port to listen on", required=True),
        _key("external_origin", "scheme and authority that callers use, as in https://droits.example", required=True),
        _key("certificate", "PEM file: our certificate and its chain"),
        _key("key", "PEM file: its private key"),
        _key("client_ca", "PEM file: ask for client certificates from these authorities, for mtls-bound tokens"),
        _key("workers", "how many processes serve on the one address; 1 when not given", Kind.COUNT),
        _key(
            "refusals_per_minute",
            "of one network and worker, for their token or its proof, before new tokens from there wait; "
            "3000 when not given",
            Kind.COUNT,
        ),
        _key("plaintext_from", "instead of certificate and key: networks of the front proxy that ends TLS", Kind.TEXTS),
        _key("front_certificates", "PEM file: the front proxies' own certificates; nobody else may connect"),
        _key("client_cert_header", "believe the front proxy's Client-Cert; it is judged by client_ca", Kind.FLAG),
        _key("proxy_protocol", "connections of plaintext_from begin with PROXY protocol v2", Kind.FLAG),
    ),
    "upstream": (
        _key("url", "http:// or https:// and the authority of the lookup API", required=True),
        _key("ca", "PEM file: authorities of the upstream's certificate; needed with https"),
        _key("client_certificate", "PEM file: the certificate we show the upstream"),
        _key("client_key", "PEM file: its private key"),
        _key("timeout", "how long the upstream may take, at most 60 s; 5 s when not given", Kind.SECONDS),
        _key("connect_timeout", "of that, how long connecting may take; 2 s when not given", Kind.SECONDS),
        _key("first_byte_timeout", "how long an answer may take to begin; as timeout when not given", Kind.SECONDS),
        _key("connections", "how many questions may be under way at once; 256 when not given", Kind.COUNT),
        _key("allow_plaintext", "allow http:// to another machine, where the network itself encrypts", Kind.FLAG),
    ),
    ISSUERS: (
        _key("profile", '"rfc9068" or "pro-sante-connect"', required=True),
        _key("issuer", "the iss of its tokens", required=True),
        _key("jwks", "its verification keys: a file, or an https URL", required=True),
        _key("ca", "PEM file: authorities of the certificates of its URLs"),
        _key("jwks_stale_for", "how long keys are used while new ones cannot be read, 10m to 7d; 24h when not given"),
        _key("audience", "names by which tokens may mean us; needed with rfc9068", Kind.TEXTS),
        _key("clients", "client_id of the software that may call", Kind.TEXTS, required=True),
        _key("scopes", "what a token must have been granted, all of it; nothing when not given", Kind.TEXTS),
        _key("algorithms", "signature algorithms; of rfc9068 all but RS256 when not given, else RS256", Kind.TEXTS),
        _key("client_certificates", "client=fingerprint: whose certificate unbound tokens need", Kind.TEXTS),
        _key("introspection", "https URL that is asked whether a token still stands"),
        _key("introspection_client", "our client_id there"),
        _key("introspection_secret_file", "file with our secret there"),
        _key("introspection_certificate", "PEM file: instead of a secret, the certificate we show there"),
        _key("introspection_key", "PEM file: its private key"),
        _key("untyped_logouts", "its logout tokens may be typed JWT or not at all, not only logout+jwt", Kind.FLAG),
        _key("userinfo", "https URL that is asked who somebody is, where neither token nor introspection says"),
    ),
    "state": (
        _key("url", "sqlite:FILE, redis://HOST:PORT/NUMBER, or rediss:// the same with TLS", required=True),
        _key("ca", "PEM file: authorities of the Redis server's certificate; needed with rediss"),
        _key("client_certificate", "PEM file: the certificate we show to the Redis server; with rediss"),
        _key("client_key", "PEM file: its private key"),
        _key("user", "name at the Redis server; its default user when not given"),
        _key("password_file", "file with the password at the Redis server"),
        _key("cluster", "url is one node of a Redis Cluster, which is asked for the others", Kind.FLAG),
        _key("nodes", "how many nodes share it; needed for the policy's emergency budget", Kind.COUNT),
    ),
    "audit": (
        _key("path", "directory of the ledger", required=True),
        _key("key_file", "file with 64 hexadecimal characters: the key of pseudonyms and of the chain", required=True),
        _key("second_key_file", "another key file whose handles are opened too, while one replaces the other"),
        _key("checkpoint", "not available in this version: a copy of the ledger's head on another machine"),
    ),
    "metrics": (_key("address", "host:port of the management listener", required=True),),
    "policy": (_key("path", "the policy folder", required=True),),
    "revocation": (_key("file", "YAML file of what is revoked, looked at twice a second"),),
    "portal": (
        _key("cookie", "name of the one cookie that may carry a token; begins with __Host-"),
        _key("origins", "whose pages may ask, as in https://portail.example; ours when not given", Kind.TEXTS),
    ),
}

ISSUER_NAME: Final = re.compile("[a-z][a-z0-9_-]{0,30}")

_PREFIX: Final = "PARAVENT_"

# Kubernetes sets these in every container for a Service called paravent or paravent-metrics; they are not ours.
_OF_KUBERNETES: Final = re.compile(
    ".*(_SERVICE_HOST|_SERVICE_PORT(_.*)?|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def variable(section: str, key: str) -> str:
    """The environment variable of a key; `section` is "listen" or "issuers.psc"."""
    return _PREFIX + f"{section}_{key}".replace(".", "_").replace("-", "_").upper()


def our_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """The variables that mean to be configuration. Others that begin with PARAVENT_ belong to somebody else."""
    for name, value in sorted(environ.items()):
        section = name.removeprefix(_PREFIX).partition("_")[0].lower()
        # An empty variable is how compose files write "not set".
        if name.startswith(_PREFIX) and section in SECTIONS and value and not _OF_KUBERNETES.fullmatch(name):
            yield name


def issuer_of(name: str) -> tuple[str, str] | None:
    """Issuer and key that `PARAVENT_ISSUERS_…` stands for, or None: the key is the longest that fits its end."""
    rest = name.removeprefix(f"{_PREFIX}{ISSUERS.upper()}_").lower()
    fitting = [key.name for key in SECTIONS[ISSUERS] if rest.endswith(f"_{key.name}")]
    if not fitting:
        return None
    key = max(fitting, key=len)
    return rest[: -len(key) - 1], key

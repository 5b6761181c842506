"""What the platform team configures, typed. Every path is absolute, every file in it was read once and made sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from paravent.model import Secret
from paravent.problems import Problem

type Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds."""

    host: str
    """An IP address or a host name, without brackets."""
    port: int
    """0 to 65535; 0 lets the system choose."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listen:
    """[listen] Where requests come in. TLS with our certificate, or plaintext from a front proxy, never both."""

    address: Address
    external_origin: str
    """Scheme and authority that callers use, without a final slash: what DPoP `htu` is compared with."""
    certificate: Path | None
    key: Path | None
    client_ca: Path | None
    """When set, client certificates are asked for, or read from Client-Cert, and must come from here."""
    plaintext_from: tuple[Network, ...]
    """The front proxies that end TLS for us. Not empty exactly when `certificate` is None."""
    front_certificates: Path | None
    """The certificates of front proxies that come over TLS. When set, nobody else does."""
    client_cert_header: bool
    """Of either kind of front proxy. `client_ca` is set then."""
    proxy_protocol: bool
    """Of those in `plaintext_from`."""
    workers: int
    """Processes. With more than one, each has a management port of its own behind that of [metrics]."""
    refusals_per_minute: int
    """Of one network, by each process, before it verifies no new token from there."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """[upstream] The lookup API behind."""

    url: str
    """Scheme and authority, without a path: `http://127.0.0.1:9000`."""
    host: str
    port: int
    tls: bool
    ca: Path | None
    """Set whenever `tls`: the only authorities that the upstream's certificate may come from."""
    client_certificate: Path | None
    client_key: Path | None
    timeout_s: float
    """For a whole exchange."""
    connect_timeout_s: float
    first_byte_timeout_s: float | None
    """None: as long as the whole."""
    connections: int
    """Exchanges at the same time."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """Of an issuer that is asked whether its tokens still stand (RFC 7662), at an address that `ca` vouches for."""

    url: str
    client: str
    """Who we are there."""
    secret: Secret[str] | None = field(repr=False)
    """None: the certificate says it."""
    certificate: Path | None
    key: Path | None
    userinfo: str | None


@dataclass(frozen=True, slots=True)
class Issuer:
    """[issuers.NAME] Whose tokens are accepted."""

    name: str
    profile: str
    """"rfc9068" or "pro-sante-connect"."""
    issuer: str
    """`iss`, compared exactly."""
    jwks: Path | str
    """A file, or an https URL."""
    ca: Path | None
    """Set whenever `jwks` is a URL, or there is an introspection."""
    jwks_stale_for_s: float
    """How long the last good key set serves while a new one cannot be read."""
    audience: tuple[str, ...]
    clients: frozenset[str]
    scopes: frozenset[str]
    """All of which a token must have."""
    algorithms: tuple[str, ...]
    client_certificates: Mapping[str, frozenset[bytes]]
    """`client_id` → SHA-256 of its organisation's certificates."""
    introspection: Introspection | None
    untyped_logouts: bool
    """Whether its logout tokens may be typed "JWT", or not at all."""


@dataclass(frozen=True, slots=True)
class Sqlite:
    """The embedded store."""

    path: Path


@dataclass(frozen=True, slots=True)
class Redis:
    """The store that several machines share: Redis, or Valkey."""

    address: Address
    database: int
    tls: bool
    ca: Path | None
    user: str | None
    password: Secret[str] | None = field(repr=False)
    nodes: int | None = None
    """How many nodes share it, ours included. None: it is not known, and none serves without it."""
    certificate: tuple[Path, Path] | None = None
    """What we show to it: certificate and key."""
    cluster: bool = False
    """It is one node of a Redis Cluster."""


type State = Sqlite | Redis
"""[state] Where budgets and seen proofs are kept."""


@dataclass(frozen=True, slots=True)
class Audit:
    """[audit] The ledger of disclosures."""

    path: Path
    """A directory; made at start when absent."""
    key: Secret[bytes] = field(repr=False)
    """32 bytes, from `key_file`."""
    second_key: Secret[bytes] | None = field(default=None, repr=False)
    """32 bytes, from `second_key_file`: handles made with it are opened too."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """[metrics] The management listener."""

    address: Address


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """[policy] Where the policy is. Its content is judged by `paravent.policy.compile`."""

    path: Path


@dataclass(frozen=True, slots=True)
class Revocation:
    """[revocation] What is revoked by hand. What is revoked by command stands in the state store."""

    file: Path | None


@dataclass(frozen=True, slots=True)
class Portal:
    """[portal] A browser portal whose cookie carries the token."""

    cookie: str
    """Begins with `__Host-`."""
    origins: frozenset[str]
    """Whose pages may ask: scheme and authority, as browsers write them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment."""

    file: Path
    """The configuration file."""
    listen: Listen
    upstream: Upstream
    issuers: Mapping[str, Issuer]
    state: State
    audit: Audit
    metrics: Metrics
    policy: PolicyFolder
    revocation: Revocation
    portal: Portal | None
    notes: tuple[Problem, ...] = ()
    """What does not stand in the way of starting and should be known: a private key that others can read, a key of an
    issuer that is not used."""

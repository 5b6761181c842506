"""Single values of the configuration: text → typed.

Each reader raises ValueError with a sentence that goes after the key's name and never quotes the value: a URL can hold
credentials.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from paravent.identity import base64url
from paravent.identity.portal import COOKIE_NAME
from paravent.policy.paths import parse_duration
from paravent.settings.model import Address, Network

MAX_TIMEOUT_S: Final = 60.0
DEFAULT_TIMEOUT_S: Final = 5.0
DEFAULT_CONNECT_TIMEOUT_S: Final = 2.0
"""A lost SYN is sent again after 1 s (RFC 6298)."""

MAX_WORKERS: Final = 64
MAX_CONNECTIONS: Final = 4096
MAX_REFUSALS: Final = 1_000_000
DEFAULT_REFUSALS: Final = 3000
"""A minute, of one network. Fifty signatures a second take a hundredth of a core; of a thousand pharmacies behind one
address, whose tokens all end at once, each may ask three times before it logs in again."""
MAX_NODES: Final = 1000
DEFAULT_CONNECTIONS: Final = 256
"""At 50 ms an answer, 5 000 questions a second. Envoy allows 1 024 to a cluster."""

SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749 appendix A.4: scope-token."""

_HOST: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*")
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})")
_SECONDS: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)s?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def address(text: str) -> Address:
    """`127.0.0.1:8443`, `[::1]:8443`, `localhost:8443`."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("is not host:port, as in 127.0.0.1:8443 or [::]:8443")
    six, host, port = match.group(1), match.group(2), int(match.group(3))
    if port > 65535:
        raise ValueError("has a port above 65535")
    if six is not None:
        try:
            return Address(str(ipaddress.IPv6Address(six)), port)
        except ValueError:
            raise ValueError("has no IPv6 address between its brackets") from None
    if not _is_host(host):
        raise ValueError("has no IP address or host name before the colon")
    return Address(host, port)


def _is_host(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            ipaddress.IPv4Address(text)
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(text) is not None


_WIDEST: Final = {4: 8, 6: 7}
"""IP version → bits. 10.0.0.0/8 and fc00::/7 are the widest networks that are anybody's own (RFC 1918, RFC 4193)."""
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
"""RFC 4291 section 2.5.5.2: IPv4 as a socket for both versions sees it. The listener compares such peers as IPv4."""


def network(text: str) -> Network:
    """`10.0.0.7/32`, `10.0.0.7`, `fd00::/64`; not the whole world, nor half of it."""
    try:
        parsed = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("is not a network, as in 10.1.2.0/24 or 127.0.0.1/32") from None
    if isinstance(parsed, ipaddress.IPv6Network) and parsed.subnet_of(_MAPPED):
        raise ValueError("is IPv4 in IPv6's spelling: write it as in 10.1.2.0/24")
    if parsed.prefixlen < _WIDEST[parsed.version]:
        raise ValueError("names everybody; it must name the front proxy alone")
    return parsed


def seconds(value: object) -> float:
    """A number of seconds, or text as in `5s`; more than 0 and at most 60."""
    if isinstance(value, str):
        match = _SECONDS.fullmatch(value)
        value = float(match.group(1)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_TIMEOUT_S:
        raise ValueError(f"is not a time above 0 and up to {MAX_TIMEOUT_S:.0f} seconds, as in 5 or 5s")
    return float(value)


def count(value: object, most: int) -> int:
    """A whole number from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= most:
        raise ValueError(f"is not a whole number from 1 to {most}")
    return value


MIN_STALE_S: Final = 600
"""Two regular fetches of a key set: with less, one that fails would refuse everybody."""
MAX_STALE_S: Final = 7 * 86400
DEFAULT_STALE_S: Final = 86400.0


def stale_for(text: str) -> float:
    """A duration as policies write it, in seconds."""
    try:
        parsed = parse_duration(text)
    except ValueError:
        parsed = 0
    if not MIN_STALE_S <= parsed <= MAX_STALE_S:
        raise ValueError("is not a time from 10m to 7d, as in 24h")
    return float(parsed)


def is_loopback(host: str) -> bool:
    """Whether what is sent to `host` stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme and authority of a URL, in the one spelling that others will compare: small letters, no default port."""

    scheme: str
    host: str
    """Without brackets."""
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _DEFAULT_PORTS[self.scheme] else "")


def origin(text: str) -> Origin:
    """`https://droits.example`; a final slash is forgiven."""
    parts = _web(text)
    if parts.path not in ("", "/") or "?" in text or "#" in text:
        raise ValueError("has more than scheme, host and port")
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname or "", port)


def external_origin(text: str) -> str:
    """Where callers find us. http only on this machine, for development: RFC 9449 proofs and tokens need TLS."""
    parsed = origin(text)
    if parsed.scheme != "https" and not is_loopback(parsed.host):
        raise ValueError("must begin with https://")
    return str(parsed)


def cookie_name(text: str) -> str:
    """One that no other host, and no plain HTTP, can have set (RFC 6265bis section 4.1.3.2)."""
    if COOKIE_NAME.fullmatch(text) is None:
        raise ValueError("must begin with __Host- and go on with letters, digits, - and _")
    return text


def issuer(text: str) -> str:
    """RFC 8414 section 2: an https URL with no query or fragment. Kept as written: tokens are compared with it exactly.

    http only on this machine, for development.
    """
    parts = _web(text)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://")
    if "?" in text or "#" in text:
        raise ValueError("has a query or a fragment; an issuer has none")
    return text


_FINGERPRINT: Final = re.compile("(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)


def client_certificate(text: str) -> tuple[str, bytes]:
    """`portail=…`: a client_id and the SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` prints it or as
    `x5t#S256` writes it (RFC 8705 section 3.1)."""
    client, _, fingerprint = text.rpartition("=")
    if _FINGERPRINT.fullmatch(fingerprint):
        digest: bytes | None = bytes.fromhex(fingerprint.replace(":", ""))
    else:
        digest = base64url.decode(fingerprint.encode())
    if not client or digest is None or len(digest) != 32:
        raise ValueError("is not client=fingerprint, the SHA-256 of a certificate in hexadecimal or base64url")
    return client, digest


_REDIS: Final = re.compile(r"redis(s?)://([^/@?#]+?)(?:/([0-9]{1,4}))?/?")


def redis_url(text: str) -> tuple[bool, Address, int]:
    """`redis://10.0.0.5:6379/0` → TLS or not, where, which database. Neither name nor password: those have keys of
    their own, since a URL gets into logs and shells."""
    if "@" in text:
        raise ValueError("holds a name or a password")
    match = _REDIS.fullmatch(text)
    if match is None:
        raise ValueError("is not redis://host:port/number")
    host = match.group(2)
    return (
        match.group(1) == "s",
        address(host if re.search(r":[0-9]+$", host) else f"{host}:6379"),
        int(match.group(3) or 0),
    )


def https_url(text: str) -> str:
    """An https URL that can be fetched."""
    if _web(text).scheme != "https" or "#" in text:
        raise ValueError("is no https URL")
    return text


def _web(text: str) -> SplitResult:
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("has characters that a URL does not have")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("must begin with https:// (or http://) and a host")
    if "@" in parts.netloc:
        raise ValueError("has a user name before the host: secrets come from files")
    if not parts.netloc.startswith("[") and not _is_host(parts.hostname):
        raise ValueError("has no IP address or host name")
    if parts.netloc.endswith(":") or port == 0:
        raise ValueError("has no port after the colon")
    return parts

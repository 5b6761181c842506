"""Where a question comes from, as the budgets know it: a certificate and a network, each as a keyed hash.

Both are signals about a connection, not about a practitioner. They are told by the listener, which has checked them: a
certificate by a TLS handshake, an address by the TCP peer or by a front proxy that the configuration names.

There are 2^24 networks of 24 bits, and 2^32 addresses: without the key a hash of one is turned back in minutes. What is
hashed names its length, so that networks of another length are other payers.
"""

import hmac
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from paravent.model import Connection, Secret
from paravent.rules import Prefixes, Quotas

PLACES_REMEMBERED: Final = 4096
"""Some 200 bytes each."""


class Origin(NamedTuple):
    """What of a connection a policy charges."""

    certificate: bytes | None = None
    """SHA-256 of its DER. None: there is none, or no budget for it; like the next."""
    network: str | None = None
    """"192.0.2.0/24", "2001:db8:5::/48"."""


NOWHERE: Final = Origin()


def origin_of(connection: Connection, quotas: Quotas) -> Origin:
    """Only what is charged is looked at."""
    certificate = network = None
    if quotas.certificate:
        # A front proxy's own first: whoever holds its key can pass on any certificate, and with it take a fresh budget.
        certificate = connection.front_sha256 or connection.certificate_sha256
    if quotas.network and connection.source_ip is not None:
        network = network_of(connection.source_ip, quotas.prefixes)
    return Origin(certificate, network)


@lru_cache(PLACES_REMEMBERED)
def network_of(address: str, prefixes: Prefixes) -> str:
    """The network that an address is in: "2001:db8:5:6::7" → "2001:db8:5::/48". Raises ValueError for no address."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # as a socket for both families shows it (RFC 4291 section 2.5.5.2)
    bits, kept = (32, prefixes.ipv4) if isinstance(parsed, IPv4Address) else (128, prefixes.ipv6)
    first = int(parsed) >> (bits - kept) << (bits - kept)
    return f"{IPv4Address(first) if bits == 32 else IPv6Address(first)}/{kept}"


def payer_of(key: Secret[bytes], kind: str, place: bytes) -> str:
    """A payer's name: "network:" and 32 hexadecimal characters of HMAC-SHA256."""
    return f"{kind}:{hmac.digest(key.reveal(), kind.encode('ascii') + b':' + place, 'sha256').hex()[:32]}"

"""The certificate of a caller whose TLS ended at a front proxy: the header Client-Cert (RFC 9440).

    Client-Cert: :MIIBqDCCAU6gAwIBAgIBBzAKBggq…:

Read only from front proxies that the configuration names; from anybody else the header is refused with the request.
That the caller holds the key, the front proxy saw at its handshake. Whether the certificate is good, we judge
ourselves, as OpenSSL does where TLS ends here: its chain ends in `client_ca`, it is for clients, and it is in force.
One that is not is no certificate, and a token that is bound to it is refused as such.
"""

import base64
import binascii
import datetime
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    ClientVerifier,
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from paravent.reasons import Reason
from paravent_mitmproxy.listener.tls import Renewed

_SEQUENCE: Final = re.compile(rb":([A-Za-z0-9+/]{4,8192}={0,2}):")
"""RFC 9651 section 3.3.5, a Byte Sequence, and nothing beside it: no parameters. A certificate of a practitioner has
1 to 2 KB; with 4096-bit keys and long names, under 4."""

REMEMBERED: Final = 4096
"""Judgements kept. A portal shows few certificates, a thousand pharmacies one each."""
GOOD_FOR_S: Final = 3600.0
"""The same as a connection lives: where TLS ends here, the chain is judged once for it."""


_BAD_FOR_S: Final = 60.0
"""A certificate that is not good yet may become so."""
_DER: Final = Encoding.DER


def _for_clients(_policy: Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    # RFC 5280 section 4.2.1.12: a certificate that says what it is for is for nothing else.
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("not for clients")


def _signs(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    # RFC 5280 section 4.2.1.3: the key signed at the handshake.
    if usage is not None and not usage.digital_signature:
        raise ValueError("not for signatures")


_CALLER: Final = (
    # No name is compared, so none is needed: a practitioner's certificate has no SAN.
    ExtensionPolicy.permit_all()
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs)
)


class CallerCertificates:
    """Judges the header. The file of the authorities is looked at as those of TLS are."""

    def __init__(self, client_ca: Path, now_s: Callable[[], float] = time.time) -> None:
        """`now_s`: the wall clock. Raises OSError or ValueError for a file that cannot be used."""
        self._now_s = now_s
        self._store = Renewed((client_ca,), lambda: Store(x509.load_pem_x509_certificates(client_ca.read_bytes())))
        self._known: OrderedDict[bytes, tuple[Store, bytes | None, float]] = OrderedDict()

    def judge(self, header: bytes) -> bytes | Reason | None:
        """SHA-256 of the DER of a good certificate; None for one that is not; a Reason for what is no certificate."""
        store, now_s = self._store.current(), self._now_s()
        known = self._known.get(header)
        if known is not None and known[0] is store and now_s < known[2]:
            self._known.move_to_end(header)
            return known[1]
        certificate = _certificate(header)
        if certificate is None:
            return Reason.REQUEST_AMBIGUOUS
        good = _is_good(certificate, store, now_s)
        digest = hashlib.sha256(certificate.public_bytes(_DER)).digest() if good else None
        until_s = min(now_s + GOOD_FOR_S, certificate.not_valid_after_utc.timestamp()) if good else now_s + _BAD_FOR_S
        self._known[header] = (store, digest, until_s)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return digest


def _certificate(header: bytes) -> x509.Certificate | None:
    """None unless the header is one Byte Sequence that holds one certificate, in DER and nothing behind it."""
    match = _SEQUENCE.fullmatch(header)
    if match is None:
        return None
    try:
        der = base64.b64decode(match[1], validate=True)
        # Bits behind the last byte that are not 0 would be a second spelling (RFC 9651 section 4.2.7).
        if base64.b64encode(der) != match[1]:
            return None
        certificate = x509.load_der_x509_certificate(der)
        certificate.not_valid_after_utc  # noqa: B018 (read lazily: what cannot be is told here)
    except (ValueError, TypeError, binascii.Error):
        return None
    return certificate if certificate.public_bytes(_DER) == der else None


def _is_good(certificate: x509.Certificate, store: Store, now_s: float) -> bool:
    now = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
    policies = {"ca_policy": ExtensionPolicy.webpki_defaults_ca(), "ee_policy": _CALLER}
    verifier: ClientVerifier = (
        PolicyBuilder().store(store).time(now).extension_policies(**policies).build_client_verifier()
    )
    try:
        verifier.verify(certificate, [])
    except VerificationError:
        return False
    return True

"""Authorities and certificates for tests, made at run time, valid for a day unless told otherwise.

ca = Authority(folder, "ca")                          # ca.pem
server = ca.issue("server", names=["localhost"])      # server.pem, server.key
caller = ca.issue("caller", use=CLIENT)
late = ca.issue("late", use=CLIENT, until=-1)         # expired an hour ago
"""

import datetime
import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tokens import b64url

SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path
    sha256: bytes
    """Of the DER."""

    @property
    def x5t(self) -> str:
        """RFC 8705 section 3.1: what a token bound to it says."""
        return b64url(self.sha256)


class Authority:
    """Signs. Two of the same name are two authorities."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._builder(self._name, self._key.public_key(), hours=24, authority=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_signed(certificate, self._key).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        use: x509.ObjectIdentifier = SERVER,
        names: Sequence[str] = (),
        until: float = 24,
        since: float = -48,
    ) -> Pair:
        """`since`, `until`: hours from now at which it begins and ends. Files are called by `name`.

        `names`: of a server, when not given, those of this machine; of a client, none.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), hours=until, authority=False, since=since)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        names = names or (("localhost", "127.0.0.1") if use == SERVER else ())
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
        certificate = _signed(builder, self._key)
        pair = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        pair[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Pair(*pair, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, hours: float, authority: bool, since: float = -48
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(hours=since))
            .not_valid_after(now + datetime.timedelta(hours=hours))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(authority), critical=True)
        )


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )

"""A throw-away authority, a server's certificate and a practitioner's, made anew for each demo and kept for a day.

Their extensions are those that OpenSSL's strict checks ask for (RFC 5280 section 4.2.1): key identifiers, key usage,
basic constraints.
"""

import base64
import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key, as PEM files; the key is readable by its owner alone."""

    certificate: Path
    key: Path
    x5t_s256: str
    """base64url of the SHA-256 of the DER (RFC 8705 section 3.1): what a token is bound with."""


class Authority:
    """Signs certificates. Its own key is never written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Paravent demo authority")
        self._certificate = (
            self._builder(self._name, self._key.public_key(), authority=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / "ca.pem"
        self.certificate.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(self) -> KeyPair:
        """For localhost and 127.0.0.1."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        return self._issue("server", "localhost", ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str) -> KeyPair:
        """For a caller whose tokens are bound to their certificate."""
        return self._issue(name, name, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def _issue(
        self, file: str, name: str, use: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_name(name), key.public_key(), authority=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        pair[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair[1].touch(0o600)
        pair[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        return KeyPair(*pair, base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, authority: bool) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        ours = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ours), critical=False)
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )

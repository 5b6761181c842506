"""Keys, certificates and tokens as anybody makes them, with `cryptography` and PyJWT and nothing of the project."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


type Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@cache
def private_key(alg: str, name: str) -> Private:
    """The same key for the same name, all through a run."""
    match alg:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, 2048)


def jwk(algorithm: str, key: Private, **more: Any) -> dict[str, Any]:
    """The public half, as PyJWT writes it; `more` replaces members, and ABSENT leaves them out."""
    members = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key()))
    return present(members | {"use": "sig", "alg": algorithm} | more)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(public: Mapping[str, Any]) -> str:
    """RFC 7638."""
    names = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}[public["kty"]]
    canonical = json.dumps({name: public[name] for name in names}, separators=(",", ":"))
    return b64url(hashlib.sha256(canonical.encode()).digest())


def signed(alg: str, key: Private, header: Mapping[str, Any], payload: Mapping[str, Any] | bytes) -> str:
    """A JWS of any header and payload, signed with `alg` whatever the header says."""
    parts = [json.dumps(header).encode(), payload if isinstance(payload, bytes) else json.dumps(payload).encode()]
    text = ".".join(b64url(part) for part in parts)
    return f"{text}.{b64url(jwt.get_algorithm_by_name(alg).sign(text.encode(), key))}"


def certificate(
    name: str, signer: tuple[x509.Certificate, Private] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """For localhost and 127.0.0.1; without a signer, an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    authority = signer is None
    issuer, issuer_key = signer or (None, key)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage),
            critical=True,
        )
    )
    return built.sign(issuer_key, hashes.SHA256()), key  # type: ignore[arg-type]


def write_pair(folder: Path, name: str, pair: tuple[x509.Certificate, Private]) -> None:
    (folder / f"{name}.pem").write_bytes(pair[0].public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(pair[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def x5t(pair: tuple[x509.Certificate, Private]) -> str:
    return b64url(hashlib.sha256(pair[0].public_bytes(Encoding.DER)).digest())

"""Files that the configuration names: read once at start, so that what is broken is said before the first request.

Each reader raises ValueError with a sentence. The sentence never has anything of a file's content.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

MAX_FILE_BYTES: Final = 1024 * 1024
"""A bundle of authorities has some 200 KB."""

_KEY_FILE: Final = re.compile(rb"([0-9A-Fa-f]{64})\s*")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: what makes a JWK a private or a shared key."""


def read(path: Path) -> bytes:
    """The whole file, when there is one and we may."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except PermissionError:
        raise ValueError("may not be read by this user") from None
    except IsADirectoryError:
        raise ValueError("is a directory, not a file") from None
    except OSError:
        raise ValueError("cannot be read") from None
    if len(data) > MAX_FILE_BYTES:
        raise ValueError("is longer than 1 MB")
    return data


def certificates(path: Path) -> list[Certificate]:
    """At least one PEM certificate; of a chain, the first is ours."""
    data = read(path)
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError("holds no PEM certificate that can be read") from None


def public_of_key(path: Path) -> bytes:
    """The public half (DER) of a PEM private key without passphrase: enough to compare, and not the secret."""
    data = read(path)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise ValueError("is protected by a passphrase: nobody is there to type it") from None
    except Exception:
        # cryptography raises several classes for several kinds of damage; all of them mean the same here.
        raise ValueError("holds no PEM private key that can be read") from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_of_certificate(certificate: Certificate) -> bytes:
    """The public key (DER) in a certificate."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def secret_of_32_bytes(path: Path) -> bytes:
    """32 bytes written as 64 hexadecimal characters, a line end allowed."""
    match = _KEY_FILE.fullmatch(read(path))
    if match is None:
        raise ValueError("does not hold 64 hexadecimal characters and nothing else")
    return bytes.fromhex(match.group(1).decode("ascii"))


def jwks(path: Path) -> None:
    """A JWK Set (RFC 7517 section 5) of public keys. Which of them can be used is for the key source to say."""
    data = read(path)
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) and "kty" in key for key in keys):
        raise ValueError('is not a JWK Set: {"keys": [{"kty": …}, …]}')
    if any(not _PRIVATE_MEMBERS.isdisjoint(key) for key in keys):
        raise ValueError("holds a private or shared key: only public keys belong here")

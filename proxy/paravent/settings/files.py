"""Files that the configuration names: read once at start, so that what is broken is said before the first request.

Each reader raises ValueError with a sentence. The sentence never has anything of a file's content.

Permissions. A private key that others can read is remarked upon and not refused: Docker mounts a secret with mode 0444,
Kubernetes with 0644, or 0440 and the group of `fsGroup`, in a file system that only the container sees. To refuse these
would be to refuse to start where most will run it; ssh may, because it knows that it runs on somebody's desk.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound, load_pem_x509_certificates

from paravent.identity.jwks import KeySet, parse_key_set
from paravent.model import Secret

MAX_FILE_BYTES: Final = 1024 * 1024
"""A bundle of authorities has some 200 KB."""

_KEY_FILE: Final = re.compile(rb"([0-9A-Fa-f]{64})\s*")


_SECRET_FILE: Final = re.compile(rb"([\x21-\x7e]{1,1024})(?:\r?\n)?")


def read(path: Path) -> bytes:
    """The whole file, when there is one and we may."""
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            # Opening a pipe waits for whoever writes to it; a device has no end.
            raise ValueError("is not a regular file")
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


def is_open_to_all(path: Path) -> bool:
    """Whether everybody on this machine may read or change the file."""
    try:
        return bool(os.stat(path).st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def certificates(path: Path) -> list[Certificate]:
    """At least one PEM certificate; of a chain, the first is ours."""
    data = read(path)
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError("holds no PEM certificate that can be read") from None


def is_authority(certificate: Certificate) -> bool:
    """Whether it may sign others (RFC 5280 section 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except (ExtensionNotFound, ValueError):
        return False


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


def secret_of_32_bytes(path: Path) -> Secret[bytes]:
    """32 bytes written as 64 hexadecimal characters, a line end allowed."""
    match = _KEY_FILE.fullmatch(read(path))
    if match is None:
        raise ValueError("does not hold 64 hexadecimal characters and nothing else")
    return Secret(bytes.fromhex(match.group(1).decode("ascii")))


def secret_text(path: Path) -> Secret[str]:
    """One line of visible ASCII (RFC 6749 appendix A.2), a line end allowed."""
    match = _SECRET_FILE.fullmatch(read(path))
    if match is None:
        raise ValueError("does not hold one line of visible ASCII and nothing else")
    return Secret(match.group(1).decode("ascii"))


def jwks(path: Path) -> KeySet:
    """A JWK Set (RFC 7517 section 5) with at least one key that can be used. Those that cannot are in `problems`."""
    keys = parse_key_set(read(path))
    if not keys.keys:
        raise ValueError(f"gives no key to verify tokens with: {'; '.join(keys.problems)}")
    return keys

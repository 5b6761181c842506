"""The name of a key: RFC 7638 JWK thumbprint, with SHA-256 as RFC 9449 section 6.1 asks of `jkt`."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from paravent.model import Json

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "EC": ("crv", "kty", "x", "y"),  # RFC 7638 section 3.2
    "RSA": ("e", "kty", "n"),
    "OKP": ("crv", "kty", "x"),  # RFC 8037 section 2
}

_WITHOUT_BLANKS: Final = json.JSONEncoder(separators=(",", ":"))


def thumbprint(jwk: Mapping[str, Json]) -> bytes:
    """32 bytes. The key must have passed `jwk.public_key`, which leaves each key one spelling.

    RFC 7638 section 3: the required members only, in lexicographic order, without blanks, in UTF-8.
    """
    names = _REQUIRED[str(jwk["kty"])]
    return hashlib.sha256(_WITHOUT_BLANKS.encode({name: jwk[name] for name in names}).encode()).digest()

"""Tokens bound to the client certificate of the connection (RFC 8705 section 3).

Possession of the certificate's key was shown by the TLS handshake, and its chain was checked there. What is left to see
is that this token was issued to this certificate.
"""

import base64
import hmac
from functools import lru_cache

from paravent.identity import base64url
from paravent.model import Connection
from paravent.reasons import Reason
from paravent.rules import ThumbprintEncoding


def check_certificate(connection: Connection, thumbprint: str, encoding: ThumbprintEncoding) -> Reason | None:
    """None when the certificate of this connection is the one that `x5t#S256` names."""
    digest = connection.certificate_sha256
    if digest is None or not thumbprint.isascii():
        return Reason.BINDING_CERTIFICATE
    same = [hmac.compare_digest(thumbprint, spelling) for spelling in _spellings(digest, encoding)]
    return None if any(same) else Reason.BINDING_CERTIFICATE


@lru_cache
def _spellings(digest: bytes, encoding: ThumbprintEncoding) -> tuple[str, ...]:
    match encoding:
        case ThumbprintEncoding.RFC8705:
            # Section 3.1: base64url of the 32 bytes, without padding.
            return (base64url.encode(digest),)
        case ThumbprintEncoding.ANS_HEX:
            # ANS transport guide 1.2.0, by its example: base64 of the hexadecimal text. It says nothing about padding
            # or the case of the digits, so both are taken: four spellings of one digest, none of another.
            texts = (digest.hex().encode(), digest.hex().upper().encode())
            padded = [base64.b64encode(text).decode() for text in texts]
            return (*padded, *(text.rstrip("=") for text in padded))

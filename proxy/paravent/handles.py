"""Handles: a NIR that a portal can hold, link to and send back, and can neither read, guess nor pass on.

    h1.AAAKrg9mK3…     version, then base64url of: epoch (4 bytes), synthetic IV and ciphertext

AES-SIV (RFC 5297): the same NIR has one handle for one practitioner in one epoch, and no nonce is needed, which a
decision without randomness could not make. Practitioner and epoch are authenticated with it, so that a handle opens
only for who got it and while it is young. The key of an epoch is derived from one secret: it changes by itself twice a
day, and a handle lives through its own epoch and the next. While one key file replaces another, those of both open.
"""

import base64
import hmac
import re
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from paravent.model import Disguise, Secret
from paravent.nir import parse_request_nir

EPOCH_S: Final = 12 * 3600
"""A handle lives 12 to 24 hours: over a pharmacy's day, not over a stolen backup."""
AHEAD_S: Final = 10
"""By how much the clock of the node that made it may be ahead: as much as `dpop` allows. Else a page of the first
moments of a half day would be refused by a node for which it has not begun."""
_VERSION: Final = "h1."
_LABEL: Final = b"paravent handle 1"
_FORM: Final = re.compile(r"h1\.([A-Za-z0-9_-]{44})")
"""33 bytes: 4 of epoch, 16 of synthetic IV, 13 of NIR."""


def looks_like_handle(text: str) -> bool:
    """Whether a text has the form of a handle, and so can be no NIR."""
    return _FORM.fullmatch(text) is not None


def make_handle(disguise: Disguise, nir13: str) -> str:
    """The handle of a NIR in normal form."""
    epoch = (disguise.now_s // EPOCH_S).to_bytes(4)
    sealed = _cipher(disguise.key, epoch).encrypt(nir13.encode("ascii"), [_LABEL, epoch, disguise.rpps.encode()])
    return _VERSION + base64.urlsafe_b64encode(epoch + sealed).decode("ascii")


def open_handle(disguise: Disguise, text: str) -> str | None:
    """The NIR behind a handle; None when it was made for another practitioner, is too old, or is none of ours."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    sealed = base64.urlsafe_b64decode(match.group(1))
    epoch = sealed[:4]
    if not disguise.now_s // EPOCH_S - 1 <= int.from_bytes(epoch) <= (disguise.now_s + AHEAD_S) // EPOCH_S:
        return None
    for key in (disguise.key, disguise.second):
        if key is not None:
            with suppress(InvalidTag):
                plain = _cipher(key, epoch).decrypt(sealed[4:], [_LABEL, epoch, disguise.rpps.encode()])
                return parse_request_nir(plain.decode("ascii"))
    return None


def _cipher(key: Secret[bytes], epoch: bytes) -> AESSIV:
    # HMAC as a pseudo-random function of the epoch (NIST SP 800-108r1 section 4.1): 64 bytes, AES-256 twice.
    return AESSIV(hmac.digest(key.reveal(), _LABEL + epoch, "sha512"))

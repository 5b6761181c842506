"""The bytes of a signed token: one strict reading, one signature check.

    token = header "." payload "." signature        each base64url, none empty, no padding, ASCII, one spelling

JSON is parsed here once, strictly: UTF-8 without byte order mark, no member twice, bounded nesting, no NaN. PyJWT's
algorithms check the signature; its own reading of tokens is not used. It would be a second opinion on the same bytes
(of two equal members it keeps the last), and half of the time that a verification takes.
"""

from collections.abc import Mapping
from typing import Final, cast

import jiter
from jwt import get_algorithm_by_name

from paravent.effects import PublicKey
from paravent.identity import algorithms, base64url
from paravent.model import Json
from paravent.values import Value

_REFUSED_HEADERS: Final = frozenset(
    {
        "jku",  # RFC 7515 section 4.1.2: where to fetch the key. Keys come from the configuration only.
        "x5u",  # section 4.1.5, same
        "x5c",  # section 4.1.6, the key itself
        "crit",  # section 4.1.11: extensions that must be understood. None are.
        "b64",  # RFC 7797: unencoded payload
        "zip",  # RFC 7516 section 4.1.3
        "enc",  # RFC 7516 section 4.1.2: this is no encrypted token
        "cty",  # RFC 7515 section 4.1.10: a token inside the token
    }
)

_ALGORITHMS: Final = {name: get_algorithm_by_name(name) for name in algorithms.KNOWN}


class Parts(Value, frozen=True):
    """A token in its three parts, none of them read. Nothing in it is believed until `verifies` says so."""

    HIDDEN = frozenset({"header", "payload", "signature", "signed"})

    header: bytes
    """base64url, like the payload."""
    payload: bytes
    signature: bytes
    """Decoded."""
    signed: bytes
    """What the signature covers: header, point, payload, as received (RFC 7515 section 5.2)."""


def split(raw: bytes, max_bytes: int) -> Parts | None:
    """Three parts, or None."""
    if len(raw) > max_bytes:
        return None
    parts = raw.split(b".", 3)
    if len(parts) != 3:
        return None
    header, payload, last = parts
    signature = base64url.decode(last)
    return Parts(header, payload, signature, raw[: -len(last) - 1]) if signature else None


def read_header(part: bytes) -> dict[str, Json] | None:
    """The header, or None when it is no object, or one of the refused members is in it."""
    header = read_object(part)
    return header if header is not None and _REFUSED_HEADERS.isdisjoint(header) else None


def read_object(part: bytes) -> dict[str, Json] | None:
    """One part as a JSON object, or None."""
    text = base64url.decode(part)
    return parse_object(text) if text else None


def parse_object(text: bytes) -> dict[str, Json] | None:
    """One JSON object, or None. Member names that differ only in their escapes are the same name."""
    try:
        # No cache: strings of tokens are not to stay in memory.
        value = jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")
    except ValueError:
        return None
    return cast("dict[str, Json]", value) if isinstance(value, dict) else None


def media_type(header: Mapping[str, Json]) -> str | None:
    """`typ`, in the one form in which it can be compared; None when it is absent or no text.

    RFC 7515 section 4.1.9: a media type, so its letters have no case, and "application/" may be left out.
    """
    typ = header.get("typ")
    return typ.lower().removeprefix("application/") if isinstance(typ, str) and typ.isascii() else None


def verifies(parts: Parts, key: PublicKey, algorithm: str) -> bool:
    """The signature holds under this key with this algorithm, which comes from our list and never from the token.

    ECDSA allows a second signature for the same text, (r, N - s). It verifies too: so replay and revocation are keyed
    on claims, never on the token's text.
    """
    if algorithm not in algorithms.of_key(key):
        return False
    verifier = _ALGORITHMS[algorithm]
    try:
        # Says again what `of_key` has said: the family and the curve (it raises), the length (it returns a sentence).
        prepared = verifier.prepare_key(key)
        return verifier.check_key_length(prepared) is None and verifier.verify(parts.signed, prepared, parts.signature)
    except Exception:  # Key and text are a stranger's. Whatever a library makes of them, it did not verify.
        return False

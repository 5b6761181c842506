"""A JWT that one of the configured issuers has signed: an access token, or the news of a logout.

Nothing is fetched, nothing is guessed: the unverified `iss` only selects which configured issuer to ask, the unverified
`kid` only looks up that issuer's keys.
"""

import re
from collections.abc import Mapping
from typing import Final, assert_never

from paravent import effects
from paravent.effects import Deciding, FindKey, KeyMissing, PublicKey
from paravent.identity import algorithms, jws
from paravent.identity.issuers import Issuer, Profile
from paravent.model import Json
from paravent.reasons import Reason
from paravent.values import Value

MAX_TOKEN_BYTES: Final = 8192
"""Before any work: 5 MB of token cost 0.4 s of CPU. 8 KB is the whole header section that nginx and Apache accept."""

KEY_ID: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._~:=+@/#-]{1,128}")
"""`kid`: only ever a key of a dictionary, and text for nobody. Wide enough for what issuers write: base64 (with + / =),
thumbprint URIs, DID URLs. No quote, blank or control character, and no two dots: nobody needs them, and whoever comes
after us and makes a path or a query of it would not thank us."""


class Signed(Value, frozen=True):
    """What an issuer has said. For whom, and for how long, is still to be read."""

    HIDDEN = frozenset({"payload", "key"})

    payload: Mapping[str, Json]
    issuer: Issuer
    signed_with: FindKey
    key: PublicKey


def read_signed(
    text: bytes, types: Mapping[Profile, str], issuers: Mapping[str, Issuer], loose: frozenset[str] = frozenset()
) -> Deciding[Signed | Reason]:
    """Grammar, header, issuer, key, signature. `types`: the `typ` that each profile's issuers write, without
    "application/"; `loose`: others that those with `untyped_logouts` may write, "" where there is none. `issuers` by
    issuer URL."""
    parts = jws.split(text, MAX_TOKEN_BYTES)
    header = jws.read_header(parts.header) if parts is not None else None
    payload = jws.read_object(parts.payload) if parts is not None else None
    # A `jwk` in the header (RFC 7515 section 4.1.3) would be the bearer's own idea of the issuer's key.
    if parts is None or header is None or payload is None or "jwk" in header:
        return Reason.TOKEN_MALFORMED
    typ = jws.media_type(header) if "typ" in header else ""
    if typ not in types.values() and typ not in loose:
        return Reason.TOKEN_MALFORMED
    kid = header.get("kid")
    if not isinstance(kid, str) or KEY_ID.fullmatch(kid) is None:
        return Reason.TOKEN_MALFORMED
    named = payload.get("iss")
    issuer = issuers.get(named) if isinstance(named, str) else None
    if issuer is None:
        return Reason.TOKEN_ISSUER_UNKNOWN
    if typ != types[issuer.profile] and not (issuer.untyped_logouts and typ in loose):
        return Reason.TOKEN_MALFORMED
    # The constant from our list, and the issuer's, not the token's text: RFC 8725 section 3.1.
    algorithm = algorithms.named(header.get("alg"))
    if algorithm is None or algorithm not in issuer.algorithms:
        return Reason.TOKEN_SIGNATURE
    wanted = FindKey(issuer.name, kid, algorithm)
    key = yield from effects.find_key(wanted)
    if isinstance(key, KeyMissing):
        return reason_of_missing(key)
    return Signed(payload, issuer, wanted, key) if jws.verifies(parts, key, algorithm) else Reason.TOKEN_SIGNATURE


def reason_of_missing(missing: KeyMissing) -> Reason:
    match missing:
        case KeyMissing.UNKNOWN:
            return Reason.TOKEN_KEY_UNKNOWN
        case KeyMissing.UNAVAILABLE:
            return Reason.KEYS_UNAVAILABLE
        case _:
            assert_never(missing)

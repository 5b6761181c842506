"""The address in a DPoP proof, `htu`: does it name this request? (RFC 9449 section 4.3, check 9)

The request's side is plain: the origin of the configuration and the path as it was sent. On the proof's side clients
differ, and section 4.3 asks servers to normalise by syntax and by scheme (RFC 3986 sections 6.2.2 and 6.2.3) "to reduce
the likelihood of false negatives". For https://droits.example and /v1/compte these are the same:

    https://droits.example/v1/compte          as most write it
    HTTPS://Droits.Example/v1/compte          scheme and host have no case
    https://droits.example:443/v1/compte      the default port, or a colon and no port
    https://droits.example/v1/c%6Fmpte        a character that needs no escape, escaped
    https://droits.example/v1/compte?a=1#b    query and fragment: "ignoring any query and fragment parts"

and these are not:

    https://droits.example/v1/./compte        dot-segments. No path with one is served, so no honest proof has one
    https://droits.example/V1/compte          a path has case
    https://droits.example/v1/compte/         nor does a slash come or go
    https://droits.example./v1/compte         a final dot makes another name
    https://a@droits.example/v1/compte        somebody's name before the host
    https:\\droits.example/v1/compte          what only browsers repair
"""

import re
from typing import Final

_HTU: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]*))?"
    r"(?P<path>/[!-\x22$->@-\[\]-~]*)?"  # visible ASCII but # ? and the backslash
    r"(?:[?#][!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986 section 2.3: these mean themselves, escaped or not. Any other one escaped is another character."""


def names_request(htu: str, external_origin: str, path: bytes) -> bool:
    """`external_origin`: scheme and authority in small letters, without a default port or a final slash."""
    wanted = external_origin + path.decode("ascii", errors="replace")
    return htu == wanted or _normal(htu) == wanted


def _normal(htu: str) -> str | None:
    parts = _HTU.fullmatch(htu)
    if parts is None:
        return None
    scheme, host, port = parts["scheme"].lower(), parts["host"].lower(), parts["port"]
    authority = host if port in {None, "", _DEFAULT_PORTS[scheme]} else f"{host}:{port}"
    return f"{scheme}://{authority}{_ESCAPED.sub(_plain, parts['path'] or '/')}"


def _plain(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if character in _UNRESERVED else escaped[0]

"""A browser portal that carries the token in a cookie: where the configuration names that cookie, and only then.

A browser adds cookies to whatever request a page makes, also a stranger's page. So, beside everything that a token in
the Authorization header is held to:

    the cookie    has the prefix __Host-: only this host can have set it, over TLS, for all of its paths (RFC 6265bis
                  section 4.1.3.2); it comes once
    the token     is bound to the certificate of the connection: a page's script cannot make the proofs of DPoP for it,
                  and one that could would have no need of a cookie
    the request   was made by a page of ours. Sec-Fetch-Site, where the browser says it, names this site; and a method
                  that is not safe comes with an Origin of the list (OWASP, Cross-Site Request Forgery Prevention)
"""

import re
from dataclasses import dataclass
from typing import Final

from paravent.model import Facts
from paravent.reasons import Reason

COOKIE_NAME: Final = re.compile(r"__Host-[A-Za-z0-9_-]{1,64}")

_SAFE: Final = frozenset({b"GET", b"HEAD"})
"""RFC 9110 section 9.2.1, of the methods that an operation can have."""
_OURS: Final = frozenset({b"same-origin", b"same-site"})
"""W3C Fetch Metadata, section 2.4. "none" is an address that somebody typed; nobody types a lookup."""


@dataclass(frozen=True, slots=True)
class Portal:
    """Which cookie, and whose pages."""

    cookie: str
    origins: frozenset[str]
    """As browsers write them in Origin: scheme and authority in small letters, without a final slash."""


def token_of_cookie(facts: Facts, portal: Portal) -> bytes | Reason | None:
    """The token; None when the cookie is not there."""
    headers = facts.values(b"cookie")
    name = portal.cookie.encode("ascii")
    pairs = [pair.strip(b" ").partition(b"=") for header in headers for pair in header.split(b";")]
    found = [value for key, _, value in pairs if key == name]
    if not found:
        return None
    if len(found) > 1:
        return Reason.TOKEN_MALFORMED
    return found[0] if _made_by_a_page_of_ours(facts, portal) else Reason.TOKEN_CROSS_SITE


def _made_by_a_page_of_ours(facts: Facts, portal: Portal) -> bool:
    if not _OURS.issuperset(facts.values(b"sec-fetch-site")):
        return False
    origins = facts.values(b"origin")
    if not origins:
        return facts.method in _SAFE
    return len(origins) == 1 and origins[0].decode("ascii", errors="replace") in portal.origins

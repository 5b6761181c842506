"""Whose tokens are accepted, and on what terms. Deployment facts, from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from paravent.identity import algorithms

MAX_LEEWAY_S: Final = 30
"""RFC 7519 section 4.1.4 speaks of "a few minutes" at most; a signed clock is closer than that today."""
MAX_LIFETIME_S: Final = 4 * 3600
"""ANS, "Sécurisation de la couche transport API REST Pro Santé Connectée" 1.2.0: access tokens of 1 to 4 hours."""


PSC_LIFETIME_S: Final = 300
"""Pro Santé Connect's own tokens live for two minutes, and were seen to live for five."""


class Profile(StrEnum):
    """Which claims a token carries and what they mean."""

    RFC9068 = "rfc9068"
    """JWT profile for OAuth 2.0 access tokens, with the claims of docs/reference: profession, finess, cnf."""
    PRO_SANTE_CONNECT = "pro-sante-connect"
    """Pro Santé Connect's own access tokens: see `psc`."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """One authorization server. Refuses to exist with terms that would accept too much."""

    name: str
    """In the configuration: `[issuers.NAME]`."""
    issuer: str
    """`iss`, compared exactly: RFC 9068 section 4."""
    audience: tuple[str, ...]
    """The names by which this service goes. A token must name one of them and nobody else. Empty: it must name nobody,
    as Pro Santé Connect's do."""
    clients: frozenset[str]
    """`client_id` of the software that may call."""
    algorithms: tuple[str, ...] = algorithms.DEFAULT
    """Signature algorithms accepted, from `paravent.identity.algorithms.KNOWN`."""
    profile: Profile = Profile.RFC9068
    leeway_s: int = 10
    """How far the issuer's clock may be from ours. FAPI 2.0 Security Profile section 5.3.2.1 asks for 10 seconds."""
    certificates: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """`client_id` → SHA-256 of the certificates of the organisation that runs it: what its tokens are bound to when
    they name no key themselves."""
    scopes: frozenset[str] = frozenset()
    """What a token must have been granted to be meant for this service at all (RFC 9068 section 2.2.3)."""
    introspection: bool = False
    """Whether the issuer is asked, at each use of a token, if it still stands (RFC 7662)."""
    untyped_logouts: bool = False
    """Whether its logout tokens may be typed "JWT", or not at all: Back-Channel Logout 1.0 section 2.4 only recommends
    logout+jwt."""
    max_lifetime_s: int = MAX_LIFETIME_S
    """`exp - iat` may not be more. The bound is on the authorization server's habit, not on the login: that has
    `max_auth_age` in the policy."""

    def __post_init__(self) -> None:
        """ValueError: the settings' own checks should have spoken first."""
        if not (self.name and self.issuer and self.clients and self.algorithms):
            raise ValueError("an issuer needs a name, an issuer, clients and algorithms")
        if not self.audience and self.profile is Profile.RFC9068:
            raise ValueError("an issuer of RFC 9068 tokens needs an audience")
        if not set(self.certificates) <= self.clients:
            raise ValueError("only an issuer's clients have certificates")
        if not set(self.algorithms) <= set(algorithms.KNOWN):
            raise ValueError("an issuer's algorithms must all be known ones")
        if not 0 <= self.leeway_s <= MAX_LEEWAY_S:
            raise ValueError(f"leeway_s must be 0 to {MAX_LEEWAY_S}")
        if not 0 < self.max_lifetime_s <= MAX_LIFETIME_S:
            raise ValueError(f"max_lifetime_s must be 1 to {MAX_LIFETIME_S}")

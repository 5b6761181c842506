"""What callers are judged against that no policy says: facts of the deployment, and the tokens that were verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from paravent.identity.issuers import Issuer
from paravent.identity.nonces import Nonces
from paravent.identity.portal import Portal
from paravent.identity.verified import VerifiedTokens


@dataclass(frozen=True, slots=True)
class Gate:
    """One for each revision of the rules."""

    issuers: Mapping[str, Issuer]
    """By issuer URL, exactly as the tokens write it."""
    external_origin: str
    """Scheme and authority that callers use, without a final slash: what a DPoP proof's `htu` is compared with."""
    nonces: Nonces
    """What DPoP proofs must carry where the policy asks for it."""
    portal: Portal | None = None
    """None: a token comes in the Authorization header, and a cookie is not looked at."""
    verified: VerifiedTokens = field(default_factory=VerifiedTokens)
    """A cache of functions that know nothing of the policy: one for all revisions. Whoever has just been told to look
    at fewer persons need not be looked at anew as who they are."""

"""What the core may ask of the world, and what it may be told.

The core is a generator that yields effects and receives replies; a driver (`paravent.drive`) performs them against
ports. Live traffic, explain, replay and tests are drivers of the same generators. The little functions at the
end give each effect its reply's type, so that the core reads as plain calls.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from paravent.model import Json, Secret, Subject
from paravent.rules import Window
from paravent.values import Value

type PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey


class FindKey(Value, frozen=True):
    """A verification key of one issuer, from its last good set."""

    issuer: str
    """The issuer's name in the configuration: key sets are per issuer, a kid is never looked up globally."""
    kid: str
    algorithm: str


class KeyMissing(StrEnum):
    """Why there is no key."""

    UNKNOWN = "unknown"
    """The set is fresh enough and does not hold it."""
    UNAVAILABLE = "unavailable"
    """There is no set that may still be used."""


@dataclass(frozen=True, slots=True)
class Introspect:
    """Ask an issuer whether a token of its own still stands (RFC 7662)."""

    issuer: str
    """The issuer's name in the configuration."""
    token: Secret[bytes]
    digest: bytes = field(repr=False)
    """SHA-256 of the token's text: under this name an answer is kept for a moment."""
    expires_s: int
    """Seconds since 1970. No answer is kept for longer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an issuer says of a token."""

    active: bool
    members: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """What else it says that anybody reads, unjudged."""


class IssuerDown(StrEnum):
    """The issuer could not be asked in time, or gave no answer that can be understood. Never means "active"."""

    UNAVAILABLE = "unavailable"


class FindRevocations(Value, frozen=True):
    """What has been revoked of all that a token stands on. Never fetches: lists are read beside the requests."""

    HIDDEN = frozenset({"marks"})

    marks: tuple[str, ...]
    """Names of what could be: `paravent.identity.revocation` writes them."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Somebody's word that something is not to be accepted, until it is lifted or its time is over."""

    mark: str
    until_s: int | None = None
    """From this moment on it is void; like the next, in seconds since 1970. None: it stands until it is lifted."""
    issued_before_s: int | None = None
    """Only tokens issued up to this moment, included: whoever logs in anew is let in. None: whenever they were."""
    because: str = field(default="", compare=False)
    """A ticket's number, for whoever reads the list."""


class MeasureKind(StrEnum):
    """What can be decided about one practitioner. Closed: also a metric label."""

    GRANT = "grant"
    """More persons than the policy's limits, until its end."""
    BREAK_GLASS = "break_glass"
    """More persons for the first part of its time; while it stands there is no second one."""
    SUSPENSION = "suspension"
    """Nobody at all, until its end."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Somebody's decision about one practitioner, for a time. It ends by itself."""

    id: str
    """16 hexadecimal characters: it stands in the record of every request that it had a part in."""
    kind: MeasureKind
    practitioner: str = field(repr=False)
    """A keyed hash of the RPPS number (`audit.keys.practitioner_hash`): the book names nobody."""
    persons: int
    """How many more persons each window of theirs has room for; 0 of a kind that gives none."""
    from_s: int
    """In force from this moment; like the next, in seconds since 1970."""
    until_s: int
    """From this moment on it is void."""
    author: str = field(default="", repr=False)
    because: str = field(default="", repr=False)


class FindMeasures(Value, frozen=True):
    """What has been decided about one practitioner. Never fetches: the book is read beside the requests."""

    HIDDEN = frozenset({"rpps"})

    rpps: str


class Enact(Value, frozen=True):
    """Put a measure into the book that all nodes share, unless one of its kind about the same practitioner stands.
    The reply says whether it was put there. Waits: only for a question that is refused without it."""

    HIDDEN = frozenset({"rpps"})

    rpps: str
    kind: MeasureKind
    id: str
    """As `Measure.id`."""
    persons: int
    from_s: int
    until_s: int
    because: str
    """Who decided it is this proxy."""


class ProofSeen(Value, frozen=True):
    """Remember a DPoP proof; the reply says whether it was remembered already (RFC 9449 section 11.1)."""

    HIDDEN = frozenset({"key"})

    key: bytes
    """SHA-256 over jkt and jti."""
    until_ms: int
    """The proof's own time makes it worthless after this moment."""


class BudgetKind(StrEnum):
    PERSONS = "persons"
    REQUESTS = "requests"
    MISSES = "misses"
    UNITS = "units"
    """Requests, each as many times as its operation weighs."""
    REFUSALS = "refusals"
    """Refusals over a practitioner's own budgets: what a suspension is counted by. No payer has such a budget else."""


class Scope(StrEnum):
    """Whose budget. Closed: also a metric label."""

    PRACTITIONER = "practitioner"
    ESTABLISHMENT = "establishment"
    CLIENT = "client"
    CERTIFICATE = "certificate"
    """The front proxy's own certificate, or else the caller's."""
    NETWORK = "network"
    """The network that the caller's address is in."""
    FLEET = "fleet"


class Budget(Value, frozen=True):
    """One limit list of one payer."""

    HIDDEN = frozenset({"payer"})

    scope: Scope
    payer: str
    """Who pays: "rpps:10003461033", "finess:…", "client:…", "network:…", "fleet". Stable across policy revisions."""
    kind: BudgetKind
    windows: tuple[Window, ...]


class Charge(Value, frozen=True):
    """Before the upstream is called: remember the proof, reserve the persons asked about, one request with its units,
    and one possible miss.

    Atomic over all budgets: either every one has room and all are charged, or none is. A proof that was seen before
    charges nothing; one that was not is remembered, whatever the budgets say.
    """

    id: str
    """The request's id: `Settle` names it."""
    now_ms: int
    budgets: tuple[Budget, ...]
    persons: tuple[Subject, ...]
    proof: ProofSeen | None = None
    """The DPoP proof of this request, when it has one and nobody was asked yet."""
    units: int = 1
    """What the question weighs. Like a request, never given back."""


class Settle(Value, frozen=True):
    """After the upstream has answered: what really left, or will.

    Persons reserved and not disclosed are given back, persons disclosed and not reserved are charged (refused as a
    whole if one budget has no room), and the reserved miss is kept or given back.
    """

    charge: Charge
    now_ms: int
    disclosed: tuple[Subject, ...]
    missed: bool


class Usage(Value, frozen=True):
    """How full one window of one budget is, after the charge."""

    scope: Scope
    kind: BudgetKind
    window: Window
    used: int


class Charged(Value, frozen=True):
    """It fits."""

    usage: tuple[Usage, ...]
    """One for every window of the practitioner's own budgets; wider scopes may be left out. Empty after a `Settle`."""
    emergency: bool = False
    """The store did not answer: it is this node's emergency budget that was charged."""


class OverBudget(Value, frozen=True):
    """It does not fit; nothing was charged."""

    scope: Scope
    kind: BudgetKind
    window: Window
    retry_after_s: int
    """Whole seconds, rounded up, until the refused window has room for the same charge."""
    short: int | None = None
    """So many more persons in each of the practitioner's own windows, and it would have fitted. None: whatever they
    had room for, another budget would not."""


class Replayed(StrEnum):
    """The proof of a `Charge` was seen before; nothing was charged."""

    REPLAYED = "replayed"


class StoreDown(StrEnum):
    """The state store could not be asked in time. Never means "allowed"."""

    UNAVAILABLE = "unavailable"


type Effect = FindKey | Introspect | FindRevocations | FindMeasures | Enact | ProofSeen | Charge | Settle
type Reply = (
    PublicKey
    | KeyMissing
    | Standing
    | IssuerDown
    | tuple[Revocation, ...]
    | tuple[Measure, ...]
    | bool
    | Charged
    | OverBudget
    | Replayed
    | StoreDown
)
type Deciding[Result] = Generator[Effect, Reply, Result]
"""A conversation with the world that ends in a `Result`."""


# Tuples, made once: a union would be made anew at each call, for more than the rest of it costs.
_KEY_REPLIES: Final = (EllipticCurvePublicKey, RSAPublicKey, Ed25519PublicKey, KeyMissing)
_STANDING_REPLIES: Final = (Standing, IssuerDown)
_LIST_REPLIES: Final = (tuple, StoreDown)
_PROOF_REPLIES: Final = (bool, StoreDown)
_CHARGE_REPLIES: Final = (Charged, OverBudget, Replayed, StoreDown)
_SETTLE_REPLIES: Final = (Charged, OverBudget, StoreDown)


def find_key(effect: FindKey, known: PublicKey | None = None) -> Deciding[PublicKey | KeyMissing]:
    """`known`: what it was answered with before."""
    reply = yield effect
    if (reply is known and known is not None) or isinstance(reply, _KEY_REPLIES):
        return reply
    raise TypeError("a driver answered FindKey with something else")


def introspect(effect: Introspect) -> Deciding[Standing | IssuerDown]:
    reply = yield effect
    if isinstance(reply, _STANDING_REPLIES):
        return reply
    raise TypeError("a driver answered Introspect with something else")


def find_revocations(effect: FindRevocations) -> Deciding[tuple[Revocation, ...] | StoreDown]:
    reply = yield effect
    if isinstance(reply, _LIST_REPLIES):
        return cast("tuple[Revocation, ...] | StoreDown", reply)
    raise TypeError("a driver answered FindRevocations with something else")


def find_measures(effect: FindMeasures) -> Deciding[tuple[Measure, ...] | StoreDown]:
    reply = yield effect
    if isinstance(reply, _LIST_REPLIES):
        return cast("tuple[Measure, ...] | StoreDown", reply)
    raise TypeError("a driver answered FindMeasures with something else")


def enact(effect: Enact) -> Deciding[bool | StoreDown]:
    reply = yield effect
    if isinstance(reply, bool | StoreDown):
        return reply
    raise TypeError("a driver answered Enact with something else")


def proof_seen(effect: ProofSeen) -> Deciding[bool | StoreDown]:
    reply = yield effect
    if isinstance(reply, _PROOF_REPLIES):
        return reply
    raise TypeError("a driver answered ProofSeen with something else")


def charge(effect: Charge) -> Deciding[Charged | OverBudget | Replayed | StoreDown]:
    reply = yield effect
    if isinstance(reply, _CHARGE_REPLIES):
        return reply
    raise TypeError("a driver answered Charge with something else")


def settle(effect: Settle) -> Deciding[Charged | OverBudget | StoreDown]:
    reply = yield effect
    if isinstance(reply, _SETTLE_REPLIES):
        return reply
    raise TypeError("a driver answered Settle with something else")

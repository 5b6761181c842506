"""The nouns of one request: what arrived, who asks, about whom, what was decided, what came of it.

Plain frozen values. Everything here is built once, at an edge, and only read afterwards.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import field

from paravent.reasons import Reason
from paravent.values import Value

type Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""A parsed JSON document. Numbers that a float would change are kept as text by the parser (`masking.json`)."""

REDACTED: Final = "<redacted>"


class Secret[T]:
    """A value that cannot be printed, formatted, pickled or compared by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value. Calls of this name are what a reviewer looks for."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not to be pickled")


class Connection(Value, frozen=True):
    """What is known of the connection that a request came on."""

    peer_ip: str
    """Address of the TCP peer. A signal, never an identity."""
    secure: bool
    """TLS ended here, or at a front proxy that the configuration names."""
    certificate_sha256: bytes | None = None
    """SHA-256 of the DER of the client certificate of this TLS connection, after its chain was checked. 32 bytes."""
    source_ip: str | None = None
    """Address of the caller: the TCP peer's, or the one that a front proxy introduced. None: behind a front proxy that
    introduces nobody."""
    front_sha256: bytes | None = None
    """As `certificate_sha256`, of the front proxy that has shown its own certificate. It speaks for everybody, so that
    no token is bound to it."""


class Facts(Value, frozen=True):
    """One request as it arrived, from raw bytes. Nothing in it has been normalised or believed."""

    HIDDEN = frozenset({"target", "headers", "body"})

    now_ms: int
    """When its head was complete, in milliseconds since 1970."""
    request_id: str
    """Ours, random; the `reference` of a problem document and the `id` of the audit record."""
    method: bytes
    target: bytes
    """The request target in origin form, path and query, exactly as sent."""
    headers: tuple[tuple[bytes, bytes], ...]
    """In order; names in lower case; values without surrounding blanks."""
    body: bytes
    connection: Connection

    @property
    def now_s(self) -> int:
        return self.now_ms // 1000

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header. Whoever needs exactly one says so."""
        return tuple([value for key, value in self.headers if key == name])


class Practitioner(Value, frozen=True):
    """Who asks: always and only from a verified token."""

    HIDDEN = frozenset({"rpps"})

    rpps: str
    """Canonical: 11 digits, without the type prefix 8 (ANS: IdNat_PS = "8" + RPPS)."""
    profession: str
    """TRE_G15 code: "10" doctor, "21" pharmacist, "28" optician."""
    finess: str | None
    """Establishment, 9 characters, or None when the token names none."""
    client: str
    """`client_id` of the software or portal (RFC 9068 section 2.2)."""
    issuer: str
    """The name of the issuer in the configuration, not its URL."""


class Evidence(Value, frozen=True):
    """How the practitioner proved it: what the audit keeps of the token."""

    HIDDEN = frozenset({"token_id"})

    level: str
    """The assurance level of the policy that matched."""
    auth_age_s: int
    """Seconds between the last active login (`auth_time`) and this request."""
    binding: str
    """"dpop", "mtls", or "none" for a token that is only watched and never answered."""
    token_id: str
    """First 16 hexadecimal characters of SHA-256 over iss and jti: names a token without being one."""


class Disguise(Value, frozen=True):
    """What pseudonyms and handles are made with: for one practitioner, at one moment."""

    HIDDEN = frozenset({"rpps"})

    key: Secret[bytes]
    """32 bytes."""
    rpps: str
    now_s: int
    second: Secret[bytes] | None = None
    """32 bytes of another key file: handles made with it are opened, and none is made."""


class Asked(Value, frozen=True):
    """What the caller already knows, because it is in the request. Only these values may be echoed.

    `subject` values are normalised (`paravent.nir`); `fields` are as sent, by their JSON pointer or path parameter.
    """

    HIDDEN = frozenset({"nir", "birth_date", "birth_rank", "fields", "several"})

    nir: str | None = None
    """13 characters, upper case, without key."""
    birth_date: str | None = None
    """YYYYMMDD, not always a calendar date."""
    birth_rank: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """Every scalar of the request: "/nom" or "{numeroAMC}" → text."""
    by_handle: bool = False
    """The caller sent a handle of ours in place of the NIR, and does not know it."""
    care_date: str | None = None
    """YYYYMMDD: the day of the care, or of the request when it names none."""
    disguise: Disguise | None = None
    several: tuple[tuple[str, str, int], ...] = ()
    """NIR, birth date and birth rank of each, where the question names several persons."""

    @property
    def sent_nirs(self) -> frozenset[str]:
        """Every NIR that the caller sent."""
        nirs = [nir for nir, _, _ in self.several]
        return frozenset(nirs if self.sent_nir is None else [*nirs, self.sent_nir])

    @property
    def sent_nir(self) -> str | None:
        """The NIR, where the caller sent it: what may be echoed."""
        return None if self.by_handle else self.nir


class Subject(Value, frozen=True):
    """One person (or, where a policy says so, one card) as the budgets and the audit know them: a keyed hash."""

    HIDDEN = frozenset({"key"})

    key: bytes
    """16 bytes: HMAC-SHA-256 under the subject key, truncated."""

    def __repr__(self) -> str:
        return f"Subject({self.key.hex()[:8]}…)"


class UpstreamRequest(Value, frozen=True):
    """The request that we build for the upstream. Nothing of the caller's bytes is copied into it."""

    HIDDEN = frozenset({"target", "headers", "body"})

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """Without Host and Content-Length: whoever sends it adds them."""
    body: bytes
    repeatable: bool = False
    """Whether it may be sent once more when a kept connection was closed before the first byte of an answer."""


class Answer(Value, frozen=True):
    """What the upstream said, from raw bytes."""

    HIDDEN = frozenset({"headers", "body"})

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    body: bytes

    def values(self, name: bytes) -> tuple[bytes, ...]:
        return tuple([value for key, value in self.headers if key == name])


class About(Value, frozen=True):
    """How far a decision got: for the audit, whatever the verdict."""

    HIDDEN = frozenset({"justification"})

    operation: str | None = None
    purpose: str | None = None
    practitioner: Practitioner | None = None
    evidence: Evidence | None = None
    subject: Subject | None = None
    measures: tuple[str, ...] = ()
    """Ids of the measures that had a part in it."""
    emergency: bool = False
    """Let through by a node's emergency budget, without the state store."""
    justification: str | None = None
    """Why the practitioner broke the glass, in their words."""


class Challenge(Value, frozen=True):
    """What a 401 asks for (RFC 9110 section 11.6.1, RFC 9449 section 7.1, RFC 9470 section 3)."""

    scheme: str
    """"DPoP" or "Bearer"."""
    error: str | None = None
    """"invalid_token", "insufficient_user_authentication", "invalid_dpop_proof", "use_dpop_nonce"; None when no
    credentials came."""
    acr_values: tuple[str, ...] = ()
    max_age_s: int | None = None
    nonce: str | None = None
    """What the next proof must carry (RFC 9449 section 8); a header of its own."""


class Deny(Value, frozen=True):
    """The upstream is not called."""

    reason: Reason
    about: About = About()
    challenge: Challenge | None = None
    retry_after_s: int | None = None
    """Whole seconds, rounded up, until the same question can be asked again."""


class Withhold(Value, frozen=True):
    """The upstream was called; what it said does not leave."""

    reason: Reason
    about: About = About()
    persons: tuple[Subject, ...] = ()
    retry_after_s: int | None = None


class Release(Value, frozen=True):
    """The reduced answer. Everything in it was serialised anew from a parsed tree."""

    HIDDEN = frozenset({"body"})

    body: bytes
    content_type: bytes
    about: About
    persons: tuple[Subject, ...]
    """Distinct persons that this answer discloses."""
    released: Mapping[str, int]
    """Policy path of a field → how many values of it leave."""
    dropped: int
    """How many values of the upstream's answer do not leave."""
    unnamed: tuple[str, ...] = ()
    """Paths of this answer that no view of the operation names: looked for in one answer of some hundreds."""

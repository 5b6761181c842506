"""A loaded policy, as data. `policy` produces it from YAML; `identity`, `quota` and `masking` read their part.

It lies below them all because siblings do not import each other. Nothing here interprets anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands, for `explain`, lint and the audit."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


# ---- who, how strongly


@dataclass(frozen=True, slots=True)
class Methods:
    """Conditions on a set of methods of login. All of them must hold; an empty one asks nothing."""

    all: frozenset[str] = frozenset()
    """It holds every one of these."""
    any: frozenset[str] = frozenset()
    """It holds at least one of these."""
    none: frozenset[str] = frozenset()
    """It holds none of these. CNIL, délibération 2025-019: a code received by e-mail is not a factor."""

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return bool(self.all or self.any or self.none)


@dataclass(frozen=True, slots=True)
class Level:
    """One named strength of authentication: evidence that a token must show. All given sets must agree."""

    name: str
    acr: frozenset[str]
    """`acr` is one of these (OpenID Connect Core section 2)."""
    amr: Methods = Methods()
    """On `amr` (RFC 8176)."""
    auth_mode: Methods = Methods()
    """On `authMode`, by which Pro Santé Connect says what `amr` says elsewhere."""


class Binding(StrEnum):
    """How a token is tied to a key the caller holds."""

    MTLS = "mtls"
    """RFC 8705: `cnf["x5t#S256"]` is the certificate of this connection."""
    DPOP = "dpop"
    """RFC 9449: `cnf.jkt` is the key that signed this request's proof."""


class ThumbprintEncoding(StrEnum):
    """How `x5t#S256` is written. Declared, never guessed."""

    RFC8705 = "rfc8705"
    """base64url of the 32 bytes (RFC 8705 section 3.1)."""
    ANS_HEX = "ans-hex"
    """base64 of the 64-character hexadecimal digest, as the ANS transport guide v1.2.0 prints it."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """policies/assurance.yaml"""

    levels: tuple[Level, ...]
    """Strongest first. A requirement is met by its level or by one listed before it."""
    bindings: frozenset[Binding]
    thumbprint_encoding: ThumbprintEncoding
    dpop_nonces: bool = False
    """Whether a DPoP proof must carry a nonce of ours (RFC 9449 section 8)."""
    observe_unbound: frozenset[str] = frozenset()
    """Names of issuers whose tokens without `cnf` are judged to the end and put on record, and refused all the same."""


# ---- how much


class Calendar(IntEnum):
    """A day, week or month that begins at midnight in Paris.

    The number stands where a store keeps a trailing window's seconds: below zero, where no length is. Never changed.
    """

    DAY = -1
    WEEK = -2
    """From Monday (ISO 8601)."""
    MONTH = -3

    @property
    def word(self) -> str:
        """As a policy writes it: "calendar-day"."""
        return f"calendar-{self.name.lower()}"

    @property
    def longest_s(self) -> int:
        """On the longest of them clocks are set back: it has an hour more."""
        return {Calendar.DAY: 1, Calendar.WEEK: 7, Calendar.MONTH: 31}[self] * 86_400 + 3_600

    def shortest_s(self, number: int) -> int:
        """So many of them in a row never take less: in one of them clocks may be set forward; not in February."""
        return number * {Calendar.DAY: 1, Calendar.WEEK: 7, Calendar.MONTH: 28}[self] * 86_400 - (
            0 if self is Calendar.MONTH else 3_600
        )


type Span = int
"""Which part of the past a window holds: the last so many seconds, or since the beginning of a `Calendar`."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` in any trailing `per_s` seconds, or in each day, week or month of the calendar."""

    limit: int
    per_s: int
    """Of a calendar's: the longest that it can be."""
    calendar: Calendar | None = None

    @classmethod
    def over(cls, limit: int, span: Span) -> Self:
        """The window of a span."""
        return cls(limit, span) if span > 0 else cls(limit, Calendar(span).longest_s, Calendar(span))

    @property
    def span(self) -> Span:
        """What tells it from the other windows of a budget."""
        return self.per_s if self.calendar is None else int(self.calendar)


@dataclass(frozen=True, slots=True)
class Budgets:
    """The limits of one scope."""

    persons: tuple[Window, ...] = ()
    """Distinct beneficiaries disclosed."""
    misses: tuple[Window, ...] = ()
    """Questions that the upstream could not answer: unknown, invalid, not entitled."""
    requests: tuple[Window, ...] = ()
    """Questions that were let through to the upstream, or could have been."""
    units: tuple[Window, ...] = ()
    """The same questions, each counted as often as its operation weighs."""

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return bool(self.persons or self.misses or self.requests or self.units)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """How many leading bits of an address name its network."""

    ipv4: int = 24
    """The longest prefix that is routed on its own in practice: what one subscriber can move about in is not larger."""
    ipv6: int = 48
    """One site (RFC 6177 section 2)."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What a grant to one practitioner may give at most, all that stand at once together."""

    extra_persons: int
    """More than the limit, in each window of persons."""
    longest_s: int
    """From its beginning to its end."""


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """What a practitioner may take beyond their limits with a written justification."""

    extra_persons: int
    """More than the limit, in each window of persons."""
    lasts_s: int
    """From the question that broke it."""
    once_per_s: int
    """From there to the next that may."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """When a practitioner is refused altogether for a time."""

    refusals: int
    """Over their own budgets, in the window: with this one it begins."""
    within_s: int
    lasts_s: int


@dataclass(frozen=True, slots=True)
class StepUp:
    """What a fresh login adds to a practitioner's limits of persons."""

    max_auth_age_s: int
    """A login that is no older than this is fresh."""
    extra_persons: int
    """More than the limit, in each window of persons."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """What nodes let through by themselves while the shared state store does not answer."""

    practitioner: int
    """Persons of one practitioner on one node, in the window."""
    node: int
    """Persons on one node together, all its workers."""
    total: int
    """Persons on all nodes together. A node does not start where there are more nodes than that leaves room for."""
    per_s: int
    """The trailing window of the three."""
    longest_s: int
    """So long after the store last answered the node goes on; no longer."""

    @property
    def nodes(self) -> int:
        """How many there can be."""
        return self.total // self.node


@dataclass(frozen=True, slots=True)
class Quotas:
    """policies/quotas.yaml"""

    professions: Mapping[str, Budgets]
    """TRE_G15 code → the budgets of one practitioner of that profession."""
    establishment: Budgets = Budgets()
    client: Budgets = Budgets()
    certificate: Budgets = Budgets()
    """Of one front proxy that shows its own certificate; of one caller's certificate where there is none."""
    network: Budgets = Budgets()
    """Of one network that callers' addresses are in."""
    prefixes: Prefixes = Prefixes()
    fleet: Budgets = Budgets()
    grants: Grants | None = None
    """None: a grant has no effect."""
    step_up: StepUp | None = None
    """None: who is over a limit can only wait."""
    break_glass: BreakGlass | None = None
    """None: no justification opens anything."""
    suspension: Suspension | None = None
    """None: nobody is suspended but by command."""
    warn_at_percent: int | None = None
    """Of a limit of persons: an answer that leaves a window as full as this says so. None: no answer does."""
    emergency: Emergency | None = None
    """None: without the state store nobody is served."""


# ---- what may be asked


class FieldType(StrEnum):
    """The closed list of what a request field may be. `policy` documents each."""

    NIR = "nir"
    BIRTH_DATE = "birth-date"
    BIRTH_RANK = "birth-rank"
    DATE = "date"
    NAME = "name"
    CODE = "code"
    DOMAIN = "domain"
    AMC_NUMBER = "amc-number"
    MEMBER_NUMBER = "member-number"
    ACTS = "acts"
    CHOICE = "choice"
    NUMBER = "number"
    PERSONS = "persons"


@dataclass(frozen=True, slots=True)
class RequestField:
    """One value that the caller may send, and must unless `required` is false."""

    name: str
    type: FieldType
    required: bool = True
    one_of: frozenset[str] = frozenset()
    """When not empty, the only texts accepted."""
    handle: bool = False
    """Whether a handle of ours is accepted in place of a NIR."""
    at_most: int = 0
    """Of a number: the largest accepted. Of persons: how many."""
    members: tuple[str, ...] = ()
    """Of persons: what each is named by, its NIR, birth date and birth rank."""
    past_days: int | None = None
    """Of a date: how long before today it may be. None: as long as there are dates."""
    ahead_days: int | None = None
    """Of a date: how long after today it may be."""


class BodyFormat(StrEnum):
    """How a question's members stand in the request's body."""

    JSON = "json"
    FORM = "form"
    """application/x-www-form-urlencoded, as a page of the portal posts it."""
    XML = "xml"
    """One element with a child a member, in a SOAP envelope or bare."""
    FHIR = "fhir"
    """A CoverageEligibilityRequest with a contained Patient (FHIR R4)."""


class Envelope(StrEnum):
    """What stands around the content of an XML message."""

    SOAP11 = "soap11"
    SOAP12 = "soap12"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BodyShape:
    """The dress of a question: the members are the same in all of them."""

    format: BodyFormat = BodyFormat.JSON
    element: str = ""
    """XML: local name of the element whose children are the members."""
    namespace: str = ""
    """XML: URI of that element and its children."""
    envelope: Envelope = Envelope.NONE
    action: str = ""
    """SOAP 1.1: value of the SOAPAction header (section 6.1.1)."""
    unqualified: bool = False
    """XML: the children have no namespace (XML Schema 1.0 part 1, section 3.3.2: `elementFormDefault`)."""

    @property
    def inner(self) -> str:
        """XML: the namespace of the children."""
        return "" if self.unqualified else self.namespace


@dataclass(frozen=True, slots=True)
class SubjectFields:
    """Which request fields say who is asked about: "/member", "{parameter}" of the path, "?parameter" of the query."""

    nir: str | None = None
    birth_date: str | None = None
    birth_rank: str | None = None
    card: tuple[str, ...] = ()
    """A card (AMC number, member number) stands for a person where the question names no person."""
    persons: str | None = None
    """The field that names several persons, all of them asked about."""


@dataclass(frozen=True, slots=True)
class PersonFields:
    """Which members of a person object in the answer identify that person."""

    nir: str
    birth_date: str
    birth_rank: str
    nir_also: tuple[str, ...] = ()
    """Members that hold the NIR, or part of it, once more: its key, the INS. Held to the same operators."""


# ---- what may leave


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a member, perhaps every element of the array in it, perhaps only some of those.

    `/contratsAMC[]/garanties[domaine=PHAR]/tauxPourcent` is
    Step("contratsAMC", array=True), Step("garanties", array=True, where=("domaine", "PHAR")), Step("tauxPourcent").
    """

    name: str
    array: bool = False
    where: tuple[str, str] | None = None
    """Keep only elements (objects) whose member equals the text."""


type Path = tuple[Step, ...]


def path_text(path: Path) -> str:
    """The path as a policy writes it."""
    parts: list[str] = []
    for step in path:
        where = f"{step.where[0]}={step.where[1]}" if step.where else ""
        parts.append(f"/{step.name}" + (f"[{where}]" if step.array else ""))
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line of a view: this leaf may leave, through this operator."""

    path: Path
    operator: str
    """Name in the registry of `masking.operators`."""
    parameter: str | int | bool | tuple[tuple[str, str], ...] | None = None
    """What stands after the operator's name in `{operator: parameter}`."""
    place: Place = Place("", 0)


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """What one profession sees of one operation's answer, for one purpose. Not listed is not sent."""

    operation: str
    profession: str
    """TRE_G15 code."""
    purpose: str
    fields: tuple[FieldRule, ...]


class Format(StrEnum):
    """What an answer is written in."""

    JSON = "json"
    FHIR = "fhir"
    """FHIR R4, in JSON."""
    XML = "xml"
    HTML = "html"
    CSV = "csv"
    STATIC = "static"
    """A file that is about nobody."""


@dataclass(frozen=True, slots=True)
class XmlShape:
    """The dress of an XML answer."""

    namespace: str
    """URI of every element that a path names. Elements of other namespaces are not seen."""
    envelope: Envelope = Envelope.NONE
    unqualified: bool = False
    """Only the first element of a path has that namespace, and those below it have none."""


@dataclass(frozen=True, slots=True)
class HtmlField:
    """One value of a region."""

    name: str
    """The step of a path that names it."""
    selector: str
    """CSS, from the match of the region on: of one element or none."""
    label: str
    """What stands beside it on the page that leaves."""


@dataclass(frozen=True, slots=True)
class HtmlRegion:
    """One part of a page that values are read from."""

    name: str
    selector: str
    """CSS. Each match is an element of the list that paths name as `/name[]`."""
    fields: tuple[HtmlField, ...]


@dataclass(frozen=True, slots=True)
class HtmlShape:
    """What is read from a page, and what stands around it on the page that leaves."""

    title: str
    regions: tuple[HtmlRegion, ...]
    stylesheets: tuple[str, ...] = ()
    """Paths of this very site."""
    language: str = "fr"


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How a table is cut."""

    separator: str = ","
    """What parts the cells of a record: a comma, or the semicolon of French spreadsheets."""


@dataclass(frozen=True, slots=True)
class StaticShape:
    """A file that is the same for everybody."""

    media_type: str
    sha256: frozenset[str] = frozenset()
    """Digests of the contents that may leave, lower-case hexadecimal. Empty: any UTF-8 text without an identifier."""


type FormatShape = XmlShape | HtmlShape | CsvShape | StaticShape | None
"""What a format needs to know beyond paths."""


@dataclass(frozen=True, slots=True)
class ResponseShape:
    """Where persons stand in an answer, so that only the one asked about leaves."""

    persons: tuple[Path, ...] = ()
    """Paths of person objects: `/beneficiaireDeSoins`, `/famille[]`."""
    identified_by: PersonFields | None = None
    """How a person object names its person. Required when `persons` is not empty."""
    scope: str = "asked"
    """"asked": only the person asked about. "listed": every person at `persons`, each counted (a search)."""
    max_persons: int = 1
    """More than this in one answer, after scoping, and it is withheld."""
    format: Format = Format.JSON
    details: FormatShape = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One question of the upstream API that the policy knows. All others are refused."""

    name: str
    method: bytes
    path: tuple[str, ...]
    """Segments; "{name}" is a parameter: ("v1", "cartes", "{numeroAMC}", …)."""
    level: str
    max_auth_age_s: int
    request: tuple[RequestField, ...]
    """Members of the body. Empty: no body is accepted."""
    parameters: tuple[RequestField, ...]
    """Path parameters, by name."""
    subject: SubjectFields
    response: ResponseShape
    place: Place
    body: BodyShape = BodyShape()
    weight: int = 1
    """Units that one question costs."""
    repeatable: bool = False
    """Whether it may be asked again when the upstream closed a kept connection before the first byte of an answer."""
    query: tuple[RequestField, ...] = ()
    """Query parameters, in the order in which they go upstream. Empty: no query is accepted."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything the policy folder says, checked."""

    revision: str
    """First 16 hexadecimal characters of SHA-256 over the files: stamped on every record."""
    professions: Mapping[str, str]
    """TRE_G15 code → the policy's word for it: "21" → "pharmacien"."""
    purposes: frozenset[str]
    """The closed list of what a lookup may be for."""
    default_purpose: Mapping[str, str]
    """TRE_G15 code → the purpose when the request names none."""
    assurance: Assurance
    quotas: Quotas
    operations: Mapping[str, Operation]
    views: tuple[ViewSpec, ...]

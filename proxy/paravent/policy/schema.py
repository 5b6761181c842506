"""The shape of each file of a policy: one pydantic model per mapping, strict, nothing unknown.

    vocabulary.yaml            professions (TRE_G15 codes) and purposes: the words that the other files may use
    assurance.yaml             what a token must show
    quotas.yaml                how much, for whom, how fast
    operations/*.yaml          the questions that may be asked
    views/<profession>.yaml    what may leave, by operation and purpose

Only shapes are judged here, one file at a time; what files say about one another is judged in `lint`. The models also
generate the JSON Schemas that editors complete from (`editor`), so each field carries its description.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from paravent.policy.paths import QUERY_NAME, parse_duration, parse_path, parse_template
from paravent.rules import Calendar

MAX_LIMIT: Final = 10_000_000
"""No budget of a country of 68 million needs more; a typing error does."""

MAX_EMERGENCY: Final = 10_000
"""Of one node: so many pairs stand in its memory, and are charged to the store when it is back."""

MAX_WEIGHT: Final = 1000
"""Of one operation, beside the lightest."""

MAX_LINES: Final = 400
"""Of one view. The longest of the reference policy has 27; the whole of the reference API's answer has some 120."""

# ---- words


def _through(parse: Callable[[str], object]) -> AfterValidator:
    """Keep the text once its grammar has been checked."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


type Word = Annotated[
    str,
    Field(pattern="^[a-z][a-z0-9-]{0,30}$", description="lower-case letters, digits and hyphens, as in dispensation"),
]
type OperationName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9-]{0,30}(\.[a-z][a-z0-9-]{0,30}){0,3}$",
        description="lower-case words joined by dots, as in droits.consultation",
    ),
]
type Name = Annotated[
    str, Field(pattern="^[A-Za-z][A-Za-z0-9]{0,31}$", description="letters and digits, as in dateNaissance")
]
_MEMBER: Final = "[A-Za-z_][A-Za-z0-9_.-]{0,63}"
type Member = Annotated[
    str,
    Field(
        pattern=f"^{_MEMBER}$",
        description="letters, digits and _ . -, as in dateNaissance or date_naissance",
    ),
]
"""What JSON, a form and XML can all call a value, in one spelling."""
type QueryName = Annotated[
    str,
    Field(
        pattern=f"^{QUERY_NAME}$",
        description="a name of the upstream, as in subscriber-id, _include or payor:identifier",
    ),
]
type Pointer = Annotated[
    str,
    Field(
        pattern=rf"^(/{_MEMBER}|\{{[A-Za-z][A-Za-z0-9]{{0,31}}\}}|\?{QUERY_NAME})$",
        description="/member of the request body, {parameter} of the path or ?parameter of the query",
    ),
]
type PathText = Annotated[str, _through(parse_path)]
type TemplateText = Annotated[str, _through(parse_template)]
type Claim = Annotated[str, Field(pattern="^[A-Za-z0-9:/._-]{1,128}$", description="a value as tokens write it")]
type IssuerName = Annotated[
    str, Field(pattern="^[a-z][a-z0-9_-]{0,30}$", description="the NAME of a section [issuers.NAME]")
]
type Sentence = Annotated[str, Field(min_length=1, max_length=300)]


def _seconds(value: object) -> object:
    return parse_duration(value if isinstance(value, str) else "")


type _DurationText = Annotated[
    str, Field(pattern="^[1-9][0-9]{0,5}[smhd]$", description="a whole number and a unit: 10s, 5m, 4h or 30d")
]
type Duration = Annotated[int, BeforeValidator(_seconds, json_schema_input_type=_DurationText)]


def _percent(value: object) -> object:
    text = value if isinstance(value, str) else ""
    if _PERCENT.fullmatch(text) is None:
        raise ValueError("write a share, as in 80%")
    return int(text[:-1])


_PERCENT: Final = re.compile("[1-9][0-9]?%")
type _PercentText = Annotated[str, Field(pattern="^[1-9][0-9]?%$", description="a whole number of percent: 80%")]
type Percent = Annotated[int, BeforeValidator(_percent, json_schema_input_type=_PercentText)]


def _days(value: object) -> object:
    text = value if isinstance(value, str) else ""
    if _DAYS.fullmatch(text) is None:
        raise ValueError("write a whole number of days, as in 30d")
    return int(text[:-1])


_DAYS: Final = re.compile("(?:0|[1-9][0-9]{0,5})d")
type _DaysText = Annotated[str, Field(pattern="^(0|[1-9][0-9]{0,5})d$", description="a whole number of days: 30d")]
type Days = Annotated[int, BeforeValidator(_days, json_schema_input_type=_DaysText)]


class Strict(BaseModel):
    """No coercion, no unknown key, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


# ---- vocabulary.yaml


class ProfessionText(Strict):
    """One profession of TRE_G15."""

    code: Annotated[str, Field(pattern="^[0-9]{2}$", description='the TRE_G15 code, two digits in quotes, as in "21"')]
    default_purpose: Annotated[Word, Field(description="the purpose when a request names none")]


class VocabularyFile(Strict):
    """The words that the other files may use."""

    professions: Annotated[dict[Word, ProfessionText], Field(min_length=1)]
    purposes: Annotated[dict[Word, Sentence], Field(min_length=1, description="each with a sentence that explains it")]


# ---- assurance.yaml


class MethodsText(Strict):
    """Conditions on the methods of login that a token names."""

    all: Annotated[list[Claim], Field(description="it holds every one of these")] = []
    any: Annotated[list[Claim], Field(description="it holds at least one of these")] = []
    none: Annotated[list[Claim], Field(description="it holds none of these")] = []


class LevelText(Strict):
    """Evidence that a token must show; all conditions together."""

    acr: Annotated[list[Claim], Field(min_length=1, description="acr is one of these")]
    amr: Annotated[MethodsText, Field(description="on amr (RFC 8176)")] = MethodsText()
    auth_mode: Annotated[MethodsText, Field(description="on authMode, which Pro Santé Connect writes for amr")] = (
        MethodsText()
    )


class AssuranceFile(Strict):
    """What a token must show."""

    levels: Annotated[dict[Word, LevelText], Field(min_length=1, description="strongest first")]
    bindings: Annotated[list[Literal["mtls", "dpop"]], Field(min_length=1)]
    thumbprint_encoding: Annotated[
        Literal["rfc8705", "ans-hex"], Field(description="how x5t#S256 is written; declared, never guessed")
    ]
    dpop_nonces: Annotated[
        Literal["required", "off"],
        Field(description="whether a DPoP proof must carry a nonce that this proxy gave out a minute ago"),
    ] = "off"
    observe_unbound: Annotated[
        list[IssuerName],
        Field(description="issuers whose unbound tokens are judged and put on record, and refused all the same"),
    ] = []


# ---- quotas.yaml


def _span(value: object) -> object:
    text = value if isinstance(value, str) else ""
    if text.startswith("calendar") and text not in CALENDARS:
        raise ValueError(f"write {', '.join(CALENDARS)}, or a duration")
    return int(CALENDARS[text]) if text in CALENDARS else _seconds(value)


CALENDARS: Final = {each.word: each for each in Calendar}
type CalendarWord = Literal["calendar-day", "calendar-week", "calendar-month"]
type SpanText = Annotated[int, BeforeValidator(_span, json_schema_input_type=_DurationText | CalendarWord)]


class WindowText(Strict):
    """At most `limit` in any trailing `per`, or in each day, week or month of Paris."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)]
    per: SpanText


class BudgetsText(Strict):
    """The limits of one payer."""

    persons: Annotated[list[WindowText], Field(description="distinct beneficiaries disclosed")] = []
    misses: Annotated[list[WindowText], Field(description="questions that the upstream could not answer")] = []
    requests: Annotated[list[WindowText], Field(description="questions let through")] = []
    units: Annotated[
        list[WindowText], Field(description="questions let through, each as often as its operation weighs")
    ] = []


class GrantsText(Strict):
    """What grants to one practitioner may give at most, all together."""

    extra_persons: Annotated[
        int, Field(ge=1, le=MAX_LIMIT, description="more than the limit, in each window of persons")
    ]
    longest: Annotated[Duration, Field(description="from the beginning of a grant to its end")]


class PrefixesText(Strict):
    """How many leading bits of an address name its network. Another length is another payer."""

    ipv4: Annotated[int, Field(ge=8, le=32)] = 24
    ipv6: Annotated[int, Field(ge=16, le=64, description="a subscriber moves freely in the last 64 bits")] = 48


class BreakGlassText(Strict):
    """Who has spent their persons may take some more with a written justification, once in a long while."""

    extra_persons: Annotated[
        int, Field(ge=1, le=MAX_LIMIT, description="more than the limit, in each window of persons")
    ]
    lasts: Annotated[Duration, Field(description="from the question that breaks it")]
    once_per: Annotated[Duration, Field(description="from there to the next that may")]


class SuspensionText(Strict):
    """Who goes on asking after being refused is suspended for a time."""

    refusals: Annotated[int, Field(ge=2, le=100_000, description="over the practitioner's own budgets, in the window")]
    within: Annotated[Duration, Field(description="the trailing window")]
    lasts: Annotated[Duration, Field(description="from the refusal that is one too many")]


class StepUpText(Strict):
    """Who has spent their persons may look up some more after a fresh login."""

    max_auth_age: Annotated[Duration, Field(description="how old a login may be and count as fresh")]
    extra_persons: Annotated[
        int, Field(ge=1, le=MAX_LIMIT, description="more than the limit, in each window of persons")
    ]


class EmergencyText(Strict):
    """How many persons nodes let through by themselves while the shared state store does not answer."""

    practitioner: Annotated[int, Field(ge=1, le=1000, description="of one practitioner on one node")]
    node: Annotated[int, Field(ge=1, le=MAX_EMERGENCY, description="on one node together")]
    total: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="on all nodes together: so many nodes can there be")]
    per: Annotated[Duration, Field(description="the trailing window of the three")]
    longest: Annotated[Duration, Field(description="after the store last answered")]


class QuotasFile(Strict):
    """Budgets of each profession, and of establishment, client, certificate, network and fleet."""

    quotas: Annotated[dict[Word, BudgetsText], Field(min_length=1)]
    grants: Annotated[
        GrantsText | None, Field(description="what `paravent grant` may give at most; without it, nothing")
    ] = None
    step_up: Annotated[
        StepUpText | None, Field(description="what a fresh login adds; without it, who is over a limit waits")
    ] = None
    break_glass: Annotated[
        BreakGlassText | None, Field(description="what a written justification opens; without it, nothing")
    ] = None
    suspension: Annotated[
        SuspensionText | None, Field(description="when somebody is suspended; without it, by command alone")
    ] = None
    warn_at: Annotated[
        Percent | None, Field(description="of a limit of persons: from there on, answers say so; without it, none does")
    ] = None
    prefixes: Annotated[PrefixesText, Field(description="what a network is")] = PrefixesText()
    emergency: Annotated[
        EmergencyText | None,
        Field(description="what nodes let through while Redis does not answer; without it, nothing"),
    ] = None


WIDER_SCOPES: Final = ("establishment", "client", "certificate", "network", "fleet")
"""Keys of quotas.yaml that are not professions."""


# ---- operations/*.yaml

type FieldTypeWord = Literal[
    "nir",
    "birth-date",
    "birth-rank",
    "date",
    "name",
    "code",
    "domain",
    "amc-number",
    "member-number",
    "acts",
    "choice",
    "number",
    "persons",
]
"""`rules.FieldType`, spelled out for the type checker; a test holds the two together."""


class NamedByText(Strict):
    """What names each of several persons: members of an object, no more and no less."""

    nir: Member
    birth_date: Member
    birth_rank: Member


class RequestFieldText(Strict):
    """One value that the caller may send."""

    type: FieldTypeWord
    required: bool = True
    one_of: Annotated[list[str], Field(description="the only values accepted")] = []
    handle: Annotated[bool, Field(description="nir: a handle of ours is accepted in its place")] = False
    at_most: Annotated[int, Field(ge=0, le=MAX_LIMIT, description="number: the largest; persons: how many")] = 0
    members: Annotated[NamedByText | None, Field(description="persons: what each of them is named by")] = None
    past: Annotated[Days | None, Field(description="date: how long before today at most; without it, any time")] = None
    ahead: Annotated[Days | None, Field(description="date: how long after today at most; without it, any time")] = None


def _long_form(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


type FieldText = Annotated[
    RequestFieldText, BeforeValidator(_long_form, json_schema_input_type=FieldTypeWord | RequestFieldText)
]


class MatchText(Strict):
    """Which requests ask this question."""

    method: Literal["GET", "POST"]
    path: TemplateText


class RequireText(Strict):
    """How strongly and how recently the practitioner must have logged in."""

    level: Annotated[Word, Field(description="a level of assurance.yaml")]
    max_auth_age: Duration


class SubjectText(Strict):
    """Which request fields say who is asked about."""

    nir: Pointer | None = None
    birth_date: Pointer | None = None
    birth_rank: Pointer | None = None
    card: Annotated[
        list[Pointer], Field(max_length=2, description="AMC number and member number, where no person is named")
    ] = []
    persons: Annotated[Pointer | None, Field(description="the field that names several persons")] = None


type PersonMember = Annotated[
    str,
    Field(
        pattern=f"^({_MEMBER})?(@{_MEMBER})?$",
        min_length=1,
        description="a name as of a member in request; with @ an XML attribute, as in noNIRCertifie@cle",
    ),
]


class PersonText(Strict):
    """Which members of a person object name that person."""

    nir: PersonMember
    birth_date: PersonMember
    birth_rank: PersonMember
    nir_also: Annotated[
        list[PersonMember],
        Field(max_length=8, description="members that repeat the NIR or hold a part of it: its key, the INS"),
    ] = []


type EnvelopeWord = Literal["soap11", "soap12", "none"]
type NamespaceText = Annotated[
    str, Field(pattern="^[A-Za-z0-9:/._#-]{1,200}$", description="the URI of the elements, as in urn:exemple:droits:1")
]


class XmlText(Strict):
    """What an XML answer is made of."""

    namespace: NamespaceText
    envelope: EnvelopeWord = "none"
    unqualified: Annotated[bool, Field(description="the outermost element alone has the namespace")] = False


class HtmlFieldText(Strict):
    """One value of a region."""

    selector: Annotated[str, Field(min_length=1, max_length=200, description="CSS, from the match of the region on")]
    label: Annotated[str, Field(min_length=1, max_length=60, description="its heading on the page that leaves")]


class HtmlRegionText(Strict):
    """One part of a page that values are read from."""

    selector: Annotated[str, Field(min_length=1, max_length=200, description="CSS; each match is one element")]
    fields: Annotated[dict[Name, HtmlFieldText], Field(min_length=1, max_length=40)]


class HtmlText(Strict):
    """What is read from a page, and what stands around it on the page that leaves."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    stylesheets: Annotated[list[TemplateText], Field(max_length=4, description="paths of this site")] = []
    regions: Annotated[dict[Name, HtmlRegionText], Field(min_length=1, max_length=20)]


class CsvText(Strict):
    """How a table is cut."""

    separator: Annotated[Literal[",", ";"], Field(description="what parts the cells of a record")]


class StaticText(Strict):
    """A file that is the same for everybody."""

    type: Literal["text/css", "text/javascript", "image/svg+xml", "image/png", "image/x-icon", "font/woff2"]
    sha256: Annotated[
        list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]],
        Field(description="the contents that may leave; none listed: any UTF-8 text without an identifier"),
    ] = []


class BodyText(Strict):
    """How the members of `request` stand in the body."""

    format: Literal["json", "form", "xml", "fhir"]
    element: Annotated[Member | None, Field(description="xml: the element whose children are the members")] = None
    namespace: Annotated[NamespaceText | None, Field(description="xml: the URI of the elements")] = None
    envelope: EnvelopeWord = "none"
    action: Annotated[str, Field(pattern="^[A-Za-z0-9:/._#-]{0,200}$", description="soap11: the SOAPAction header")] = (
        ""
    )
    unqualified: Annotated[bool, Field(description="xml: the children have no namespace")] = False


class ResponseText(Strict):
    """Where persons stand in the answer."""

    format: Literal["json", "xml", "fhir", "html", "csv", "static"]
    xml: XmlText | None = None
    html: HtmlText | None = None
    csv: CsvText | None = None
    static: StaticText | None = None
    persons: Annotated[list[PathText], Field(description="paths of person objects, as in /famille[]")] = []
    identified_by: PersonText | None = None
    scope: Annotated[
        Literal["asked", "listed"],
        Field(description="asked: only the person asked about leaves; listed: every person, each counted"),
    ] = "asked"
    max_persons: Annotated[int, Field(ge=1, le=50, description="more in one answer, and it is withheld")] = 1


class OperationText(Strict):
    """One question of the upstream API."""

    match: MatchText
    require: RequireText
    request: Annotated[dict[Member, FieldText], Field(description="members of the body; no other is accepted")] = {}
    body: Annotated[BodyText, Field(description="how they stand in it")] = BodyText(format="json")
    parameters: Annotated[dict[Name, FieldText], Field(description="types of the path's {parameters}")] = {}
    query: Annotated[
        dict[QueryName, FieldText], Field(description="parameters of the query; no other is accepted")
    ] = {}
    subject: SubjectText = SubjectText()
    response: ResponseText
    weight: Annotated[int, Field(ge=1, le=MAX_WEIGHT, description="what one question costs in `units`")] = 1
    repeatable: Annotated[
        bool,
        Field(description="to ask it twice changes nothing, as with GET: sent again when a kept connection was closed"),
    ] = False


type OperationsFile = Annotated[dict[OperationName, OperationText], Field(min_length=1)]


# ---- views/<profession>.yaml

type Parameter = str | int | bool | tuple[tuple[str, str], ...] | None


class RuleText(Strict):
    """One operator, with what stands after its name."""

    operator: Annotated[str, Field(max_length=30, description="an operator's name")]
    parameter: Parameter = None


def _operator(value: object) -> object:
    match value:
        case str():
            return {"operator": value}
        case dict() if len(value) == 1:
            operator, parameter = next(iter(value.items()))
            if isinstance(parameter, str | int | bool):
                return {"operator": operator, "parameter": parameter}
            if isinstance(parameter, dict) and all(isinstance(text, str) for text in parameter.values()):
                return {"operator": operator, "parameter": tuple(parameter.items())}
    raise ValueError("write an operator, as in keep, or {operator: parameter}, as in {mask: 4}")


type OperatorWord = Literal[
    "keep",
    "echo",
    "redact",
    "mask",
    "year",
    "initial",
    "exists",
    "free-text",
    "pseudonym",
    "handle",
    "code-map",
    "filter-period",
]
"""For completion only. Which operators exist, and where they may stand, is the injected checker's word; a test holds
this list and theirs together."""
OPERATORS: Final[tuple[str, ...]] = get_args(OperatorWord.__value__)

type _RuleInput = (
    OperatorWord | Annotated[dict[OperatorWord, str | int | bool | dict[str, str]], Field(min_length=1, max_length=1)]
)
type Rule = Annotated[RuleText, BeforeValidator(_operator, json_schema_input_type=_RuleInput)]
type ViewText = Annotated[
    dict[PathText, Rule], Field(min_length=1, max_length=MAX_LINES, description="what is not listed is not sent")
]
type ViewsFile = Annotated[dict[OperationName, dict[Word, ViewText]], Field(min_length=1)]


# ---- kinds

VOCABULARY: Final[TypeAdapter[VocabularyFile]] = TypeAdapter(VocabularyFile)
ASSURANCE: Final[TypeAdapter[AssuranceFile]] = TypeAdapter(AssuranceFile)
QUOTAS: Final[TypeAdapter[QuotasFile]] = TypeAdapter(QuotasFile)
OPERATIONS: Final[TypeAdapter[OperationsFile]] = TypeAdapter(OperationsFile)
VIEWS: Final[TypeAdapter[ViewsFile]] = TypeAdapter(ViewsFile)

KINDS: Final[dict[str, TypeAdapter[Any]]] = {
    "vocabulary": VOCABULARY,
    "assurance": ASSURANCE,
    "quotas": QUOTAS,
    "operations": OPERATIONS,
    "views": VIEWS,
}
"""The files of a policy by kind: what `editor` writes a schema for."""

"""Every way a request can end without its answer, once.

Two levels, on purpose:

* a `Problem` is what the caller may know: one constant body per problem (RFC 9457), so that a refusal is no oracle;
* a `Reason` is what the audit records: finer, and never shown to the caller.

`Reason.problem` says which body a reason is answered with. Tests hold that every problem is documented.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


@dataclass(frozen=True, slots=True)
class ProblemText:
    """The words of one problem document."""

    status: int
    """HTTP status (RFC 9110 section 15)."""
    title_en: str
    title_fr: str
    advice_en: str
    """What the practitioner, or their software's vendor, can do about it."""
    advice_fr: str


class Problem(Enum):
    """What a caller is told. The member's name, in lower case, is the last part of the document's `type`."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and each request is refused four times, to begin with

    MALFORMED_REQUEST = ProblemText(
        400,
        "The request is malformed",
        "La requête est mal formée",
        "The software sent something this service does not accept. Ask its vendor.",
        "Le logiciel a envoyé une requête que ce service n'accepte pas. Contactez son éditeur.",
    )
    TOKEN_REFUSED = ProblemText(
        401,
        "The access token was not accepted",
        "Le jeton d'accès n'a pas été accepté",
        "Log in again from your software.",
        "Reconnectez-vous depuis votre logiciel.",
    )
    AUTHENTICATION_TOO_WEAK = ProblemText(
        401,
        "A recent multi-factor login is needed",
        "Une connexion récente à plusieurs facteurs est nécessaire",
        "Log in again with your professional card or its mobile application.",
        "Reconnectez-vous avec votre carte CPS ou l'application e-CPS.",
    )
    PROOF_REFUSED = ProblemText(
        401,
        "The proof of possession was not accepted",
        "La preuve de possession n'a pas été acceptée",
        "The software did not prove that the token is its own. Check its clock, then ask its vendor.",
        "Le logiciel n'a pas prouvé que le jeton est le sien. Vérifiez son horloge, puis contactez son éditeur.",
    )
    NOT_ALLOWED = ProblemText(
        403,
        "This operation is not open to you",
        "Cette opération ne vous est pas ouverte",
        "Your profession or your software may not use this operation.",
        "Votre profession ou votre logiciel ne peut pas utiliser cette opération.",
    )
    SUSPENDED = ProblemText(
        429,
        "Your access is suspended for a time",
        "Votre accès est suspendu pour un temps",
        "Too many questions were asked after a refusal, or the operator suspended it. Wait, or call support.",
        "Trop de questions ont suivi un refus, ou l'opérateur l'a suspendu. Patientez, ou appelez l'assistance.",
    )
    TOO_MANY_PERSONS = ProblemText(
        403,
        "The question matches too many persons",
        "La question correspond à trop de personnes",
        "Ask about one person: complete the name and the birth date.",
        "Désignez une seule personne : complétez le nom et la date de naissance.",
    )
    BENEFICIARY_UNKNOWN = ProblemText(
        404,
        "No right was found for these details",
        "Aucun droit trouvé pour ces informations",
        "Check the number, the birth date and the birth rank.",
        "Vérifiez le numéro, la date de naissance et le rang de naissance.",
    )
    REQUEST_TOO_LARGE = ProblemText(
        413,
        "The request is too large",
        "La requête est trop volumineuse",
        "Ask about one person at a time.",
        "Interrogez une personne à la fois.",
    )
    BUDGET_SPENT = ProblemText(
        429,
        "The consultation limit is reached",
        "Le plafond de consultations est atteint",
        "Wait for the time given by Retry-After. If you are serving patients now, call support.",
        "Patientez le temps indiqué par Retry-After. Si des patients attendent, appelez l'assistance.",
    )
    TOO_MANY_REFUSALS = ProblemText(
        429,
        "Too many requests from your network were refused",
        "Trop de requêtes de votre réseau ont été refusées",
        "Wait for the time given by Retry-After. If it happens again, call support.",
        "Patientez le temps indiqué par Retry-After. Si cela se répète, appelez l'assistance.",
    )
    HEADERS_TOO_LARGE = ProblemText(
        431,
        "The request headers are too large",
        "Les en-têtes de la requête sont trop volumineux",
        "Ask the software's vendor.",
        "Contactez l'éditeur du logiciel.",
    )
    ANSWER_WITHHELD = ProblemText(
        502,
        "The answer was withheld",
        "La réponse a été retenue",
        "The service behind gave an answer that cannot be passed on safely. Try again, then call support.",
        "Le service interrogé a donné une réponse qui ne peut être transmise sûrement. Réessayez, puis appelez "
        "l'assistance.",
    )
    UNAVAILABLE = ProblemText(
        503,
        "The service is unavailable for a moment",
        "Le service est momentanément indisponible",
        "Try again in a moment.",
        "Réessayez dans un instant.",
    )
    UPSTREAM_TIMEOUT = ProblemText(
        504,
        "The service behind did not answer in time",
        "Le service interrogé n'a pas répondu à temps",
        "Try again in a moment.",
        "Réessayez dans un instant.",
    )

    @property
    def type(self) -> str:
        """The `type` member of the document (RFC 9457 section 3.1.1)."""
        return f"urn:paravent:problem:{self.name.lower()}"

    @property
    def status(self) -> int:
        return self.value.status


class Reason(StrEnum):
    """Why, for the audit and the metrics. A closed list: also the only values of the `reason` label."""

    problem: Problem

    def __new__(cls, value: str, problem: Problem) -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.problem = problem
        return member

    # the bytes
    REQUEST_AMBIGUOUS = "request_ambiguous", Problem.MALFORMED_REQUEST
    REQUEST_NOT_IN_SCHEMA = "request_not_in_schema", Problem.MALFORMED_REQUEST
    QUERY_NOT_IN_SCHEMA = "query_not_in_schema", Problem.MALFORMED_REQUEST
    JUSTIFICATION_REFUSED = "justification_refused", Problem.MALFORMED_REQUEST
    REQUEST_TOO_LARGE = "request_too_large", Problem.REQUEST_TOO_LARGE
    HEADERS_TOO_LARGE = "headers_too_large", Problem.HEADERS_TOO_LARGE
    NETWORK_REFUSED_OFTEN = "network_refused_often", Problem.TOO_MANY_REFUSALS
    # the route
    OPERATION_UNKNOWN = "operation_unknown", Problem.NOT_ALLOWED
    # who
    TOKEN_MISSING = "token_missing", Problem.TOKEN_REFUSED
    TOKEN_MALFORMED = "token_malformed", Problem.TOKEN_REFUSED
    TOKEN_CROSS_SITE = "token_cross_site", Problem.TOKEN_REFUSED
    TOKEN_ISSUER_UNKNOWN = "token_issuer_unknown", Problem.TOKEN_REFUSED
    TOKEN_KEY_UNKNOWN = "token_key_unknown", Problem.TOKEN_REFUSED
    TOKEN_SIGNATURE = "token_signature", Problem.TOKEN_REFUSED
    TOKEN_EXPIRED = "token_expired", Problem.TOKEN_REFUSED
    TOKEN_NOT_YET_VALID = "token_not_yet_valid", Problem.TOKEN_REFUSED
    TOKEN_LIFETIME = "token_lifetime", Problem.TOKEN_REFUSED
    TOKEN_AUDIENCE = "token_audience", Problem.TOKEN_REFUSED
    TOKEN_SCOPE = "token_scope", Problem.TOKEN_REFUSED
    TOKEN_CLIENT = "token_client", Problem.TOKEN_REFUSED
    TOKEN_IDENTITY = "token_identity", Problem.TOKEN_REFUSED
    # what was revoked
    TOKEN_INACTIVE = "token_inactive", Problem.TOKEN_REFUSED
    TOKEN_REVOKED = "token_revoked", Problem.TOKEN_REFUSED
    SESSION_REVOKED = "session_revoked", Problem.TOKEN_REFUSED
    PRACTITIONER_REVOKED = "practitioner_revoked", Problem.TOKEN_REFUSED
    CLIENT_REVOKED = "client_revoked", Problem.TOKEN_REFUSED
    CERTIFICATE_REVOKED = "certificate_revoked", Problem.TOKEN_REFUSED
    KEY_REVOKED = "key_revoked", Problem.TOKEN_REFUSED
    # how strongly, how recently
    ASSURANCE_TOO_LOW = "assurance_too_low", Problem.AUTHENTICATION_TOO_WEAK
    AUTHENTICATION_TOO_OLD = "authentication_too_old", Problem.AUTHENTICATION_TOO_WEAK
    # with which key
    BINDING_MISSING = "binding_missing", Problem.PROOF_REFUSED
    BINDING_OBSERVED = "binding_observed", Problem.PROOF_REFUSED
    BINDING_NOT_ACCEPTED = "binding_not_accepted", Problem.PROOF_REFUSED
    BINDING_CERTIFICATE = "binding_certificate", Problem.PROOF_REFUSED
    BINDING_DOWNGRADE = "binding_downgrade", Problem.PROOF_REFUSED
    DPOP_MISSING = "dpop_missing", Problem.PROOF_REFUSED
    DPOP_MALFORMED = "dpop_malformed", Problem.PROOF_REFUSED
    DPOP_SIGNATURE = "dpop_signature", Problem.PROOF_REFUSED
    DPOP_KEY = "dpop_key", Problem.PROOF_REFUSED
    DPOP_REQUEST = "dpop_request", Problem.PROOF_REFUSED
    DPOP_NONCE = "dpop_nonce", Problem.PROOF_REFUSED
    DPOP_TIME = "dpop_time", Problem.PROOF_REFUSED
    DPOP_TOKEN = "dpop_token", Problem.PROOF_REFUSED
    DPOP_REPLAYED = "dpop_replayed", Problem.PROOF_REFUSED
    # what they may ask
    PROFESSION_NOT_ALLOWED = "profession_not_allowed", Problem.NOT_ALLOWED
    PURPOSE_NOT_ALLOWED = "purpose_not_allowed", Problem.NOT_ALLOWED
    # how much
    PERSONS_OVER_BUDGET = "persons_over_budget", Problem.BUDGET_SPENT
    PERSONS_NEED_LOGIN = "persons_need_login", Problem.AUTHENTICATION_TOO_WEAK
    REQUESTS_OVER_BUDGET = "requests_over_budget", Problem.BUDGET_SPENT
    MISSES_OVER_BUDGET = "misses_over_budget", Problem.BUDGET_SPENT
    UNITS_OVER_BUDGET = "units_over_budget", Problem.BUDGET_SPENT
    PRACTITIONER_SUSPENDED = "practitioner_suspended", Problem.SUSPENDED
    TOO_MANY_PERSONS = "too_many_persons", Problem.TOO_MANY_PERSONS
    # the answer
    BENEFICIARY_UNKNOWN = "beneficiary_unknown", Problem.BENEFICIARY_UNKNOWN
    HANDLE_REFUSED = "handle_refused", Problem.BENEFICIARY_UNKNOWN
    ANSWER_STATUS = "answer_status", Problem.ANSWER_WITHHELD
    ANSWER_TYPE = "answer_type", Problem.ANSWER_WITHHELD
    ANSWER_ENCODING = "answer_encoding", Problem.ANSWER_WITHHELD
    ANSWER_MALFORMED = "answer_malformed", Problem.ANSWER_WITHHELD
    ANSWER_TOO_LARGE = "answer_too_large", Problem.ANSWER_WITHHELD
    ANSWER_SHAPE = "answer_shape", Problem.ANSWER_WITHHELD
    ANSWER_OTHER_PERSON = "answer_other_person", Problem.ANSWER_WITHHELD
    ANSWER_IDENTIFIER_LEFT = "answer_identifier_left", Problem.ANSWER_WITHHELD
    UPSTREAM_UNREACHABLE = "upstream_unreachable", Problem.ANSWER_WITHHELD
    UPSTREAM_PROTOCOL = "upstream_protocol", Problem.ANSWER_WITHHELD
    UPSTREAM_TIMEOUT = "upstream_timeout", Problem.UPSTREAM_TIMEOUT
    UPSTREAM_CIRCUIT_OPEN = "upstream_circuit_open", Problem.UNAVAILABLE
    UPSTREAM_BUSY = "upstream_busy", Problem.UNAVAILABLE
    # ourselves
    ISSUER_UNAVAILABLE = "issuer_unavailable", Problem.UNAVAILABLE
    KEYS_UNAVAILABLE = "keys_unavailable", Problem.UNAVAILABLE
    STATE_UNAVAILABLE = "state_unavailable", Problem.UNAVAILABLE
    AUDIT_UNAVAILABLE = "audit_unavailable", Problem.UNAVAILABLE
    INTERNAL_ERROR = "internal_error", Problem.UNAVAILABLE
    DRAINING = "draining", Problem.UNAVAILABLE
    CLIENT_LEFT = "client_left", Problem.UNAVAILABLE

"""What the code does not say of problems and reasons: for support, vendors and operators."""

from collections.abc import Mapping
from typing import Final

from paravent.identity.dpop import MAX_AGE_S, MAX_AHEAD_S
from paravent.identity.issuers import Issuer
from paravent.identity.signed import MAX_TOKEN_BYTES
from paravent.masking.view import MAX_BODY_BYTES as ANSWER_BYTES
from paravent.policy.question import MAX_BODY_BYTES
from paravent.reasons import Problem, Reason
from paravent_mitmproxy.listener.breaker import LATEST, OPEN_S, ROW, SHARE
from paravent_mitmproxy.listener.limits import Limits
from paravent_mitmproxy.listener.upstream import QUEUE_S

_LIMITS: Final = Limits()
_TERMS: Final = Issuer("any", "https://any.example", ("any",), frozenset({"any"}))

MEANING: Final[Mapping[Problem, str]] = {
    Problem.MALFORMED_REQUEST: "The bytes can be read in more than one way, or the question holds something that "
    "the operation does not declare. Nothing was asked of the API and nothing was charged.",
    Problem.TOKEN_REFUSED: "No token came, or the one that came does not name a practitioner whom we may believe: "
    "its issuer, signature, audience, times or claims.",
    Problem.AUTHENTICATION_TOO_WEAK: "The token is good and its key was proven, but the login behind it used one "
    "factor, or is too old. `WWW-Authenticate` says what would do (RFC 9470): `acr_values` and `max_age`.",
    Problem.PROOF_REFUSED: "The token is good, but the caller has not shown that it holds the key that the token is "
    "bound to. A stolen token looks like this.",
    Problem.NOT_ALLOWED: "No operation of the policy has this method and path, or the policy gives this profession "
    "no view of it for this purpose.",
    Problem.SUSPENDED: "The practitioner is refused altogether for a time: by command, or because questions went on "
    "after refusals. `Retry-After` gives the seconds until it ends.",
    Problem.TOO_MANY_PERSONS: "A search matched more persons than the policy lets one answer name. It counts as a "
    "miss.",
    Problem.BENEFICIARY_UNKNOWN: "The API knows nobody by these details, or does not entitle this practitioner. The "
    "two look the same, and both count as a miss.",
    Problem.REQUEST_TOO_LARGE: "The body is longer than any question of the policy.",
    Problem.BUDGET_SPENT: "A budget of the policy has no room: distinct persons, misses, requests or units, of the "
    "practitioner, the establishment, the software, the certificate, the network or everybody. `Retry-After` gives "
    "the seconds until this question fits.",
    Problem.TOO_MANY_REFUSALS: "In the last minute so many requests from this network were refused for their token or "
    "its proof that no new token from there is verified. Tokens that were verified before are served on. "
    "`Retry-After` gives the seconds until the minute is over.",
    Problem.HEADERS_TOO_LARGE: f"The request line and the headers have more than {_LIMITS.head_bytes // 1024} KiB, "
    f"or there are more than {_LIMITS.headers} headers.",
    Problem.ANSWER_WITHHELD: "The API was asked, and its answer is not one that can be reduced with certainty, or "
    "none came. Persons who were reserved for it are given back, unless there is an answer about somebody that cannot "
    "be read or shown: then who was asked about stays counted, once, and a search costs a miss.",
    Problem.UNAVAILABLE: "A part that is needed before anything may be answered is not there: keys, budgets, the "
    "ledger, or the API, which is down or slower than it is asked. Nothing is charged.",
    Problem.UPSTREAM_TIMEOUT: "The API did not answer within `upstream.timeout`. Persons who were reserved are "
    "given back.",
}

TO_DO: Final[Mapping[Problem, str]] = {
    Problem.MALFORMED_REQUEST: "The vendor compares the request with [what callers send](callers.md) and with the "
    "operation's `request` in the policy. A NIR of 15 characters with a wrong key is refused here too.",
    Problem.TOKEN_REFUSED: "The practitioner logs in again. When that does not help, the vendor compares the token "
    "with [the access token](callers.md#the-access-token); an operator looks at the reason, then at "
    "`[issuers.NAME]`.",
    Problem.AUTHENTICATION_TOO_WEAK: "The software opens the login page again with the `acr_values` and `max_age` "
    "of the challenge.",
    Problem.PROOF_REFUSED: "The vendor checks the clock of the machine, that each proof is made for one request, "
    "and that its `htu` is the external origin and the path. Many of these from one account: [the "
    "runbook](../../observability/runbooks/ParaventStolenToken.md).",
    Problem.NOT_ALLOWED: "If the question belongs to the profession's work, security adds a view: [change what a "
    "profession sees](../how-to/change-what-a-profession-sees.md).",
    Problem.SUSPENDED: "The practitioner calls support; the software stops asking. Security finds out why, and "
    "[releases them](../how-to/suspend-a-practitioner.md) when it was honest.",
    Problem.TOO_MANY_PERSONS: "The practitioner completes the name and the birth date.",
    Problem.BENEFICIARY_UNKNOWN: "The practitioner checks the number, the birth date and the birth rank (rang "
    "gémellaire). A child may be asked for under a parent's number, with the child's birth date and rank.",
    Problem.REQUEST_TOO_LARGE: "The vendor sends one question at a time.",
    Problem.BUDGET_SPENT: "The software waits as long as `Retry-After` says; asking sooner does not help. For an "
    "honest peak, security [raises a limit](../how-to/raise-a-limit.md); for anything else, [the "
    "runbook](../../observability/runbooks/ParaventPersonsOverBudget.md).",
    Problem.TOO_MANY_REFUSALS: "The software waits as long as `Retry-After` says. An operator finds out what it is in "
    "that network that sends such requests: the reasons of the minute before are in the ledger. For an honest network "
    "that is very large, `refusals_per_minute` of `[listen]` is raised.",
    Problem.HEADERS_TOO_LARGE: "The vendor removes what is not needed: cookies, most often.",
    Problem.ANSWER_WITHHELD: "Try again once. An operator looks at the reason: [the "
    "runbook](../../observability/runbooks/ParaventAnswersWithheld.md).",
    Problem.UNAVAILABLE: "Try again in a moment. An operator looks at `/readyz` of the node and at the reason.",
    Problem.UPSTREAM_TIMEOUT: "Try again in a moment. An operator looks at the API: [the "
    "runbook](../../observability/runbooks/ParaventUpstreamFailing.md).",
}

WHEN: Final[Mapping[Reason, str]] = {
    Reason.REQUEST_AMBIGUOUS: "Two programs could read the bytes differently: not strict HTTP/1.1, a header twice "
    "that may come once, `Transfer-Encoding`, `Expect`, `Upgrade`, a method override",
    Reason.REQUEST_NOT_IN_SCHEMA: "The body is not the JSON object that the operation declares: a member missing, "
    "unknown, twice or not of its type, another `Content-Type`, or a body where none belongs",
    Reason.QUERY_NOT_IN_SCHEMA: "The query is not the one that the operation declares: a parameter missing, unknown, "
    "twice, empty or not of its type, an escape that none needs, or `+` or `;` where nothing is",
    Reason.JUSTIFICATION_REFUSED: "`Paravent-Justification` is not of its grammar, or holds what reads as a token or "
    "could be somebody's number. Only where the policy has `break_glass`",
    Reason.REQUEST_TOO_LARGE: f"The body is longer than {_LIMITS.body_bytes // 1024} KiB, or than "
    f"{MAX_BODY_BYTES // 1024} KiB for a known operation",
    Reason.HEADERS_TOO_LARGE: f"More than {_LIMITS.head_bytes // 1024} KiB, or more than {_LIMITS.headers} headers",
    Reason.NETWORK_REFUSED_OFTEN: "The network of the caller was refused `refusals_per_minute` times in a minute, and "
    "the token is none that was verified before: nothing of it was read",
    Reason.OPERATION_UNKNOWN: "No operation has this method and path exactly as sent. A final slash, an escaped "
    "character, or a query where the operation has none makes another",
    Reason.TOKEN_MISSING: "No `Authorization` header",
    Reason.TOKEN_MALFORMED: "Not one `DPoP` or `Bearer` token, a token in the query, one longer than "
    f"{MAX_TOKEN_BYTES // 1024} KiB, another `typ` than `at+jwt`, no `kid`, or a claim of the wrong type",
    Reason.TOKEN_CROSS_SITE: "The token came in the portal's cookie, and no page of `[portal]` made the request: "
    "`Sec-Fetch-Site` or `Origin` says so, or `Origin` is missing where it must be",
    Reason.TOKEN_ISSUER_UNKNOWN: "`iss` is that of no `[issuers.NAME]`",
    Reason.TOKEN_KEY_UNKNOWN: "`kid` is not in the issuer's key set, which is read again soon after",
    Reason.TOKEN_SIGNATURE: "The algorithm is not accepted of this issuer, or the signature does not hold",
    Reason.TOKEN_EXPIRED: "`exp` has come. There is no leeway on this side",
    Reason.TOKEN_NOT_YET_VALID: f"`iat`, `nbf` or `auth_time` is more than {_TERMS.leeway_s} s ahead of our clock",
    Reason.TOKEN_LIFETIME: f"`exp` is more than {_TERMS.max_lifetime_s / 3600:g} h after `iat`, or not after it",
    Reason.TOKEN_AUDIENCE: "`aud` does not name us, or names somebody else too",
    Reason.TOKEN_SCOPE: "`scope` lacks one of the issuer's `scopes`",
    Reason.TOKEN_CLIENT: "`client_id` is not in `clients` of the issuer, or `azp` contradicts it",
    Reason.TOKEN_IDENTITY: "A claim that says who asks (`sub`, `profession`, `client_id`, `finess`; of Pro Santé "
    "Connect, `preferred_username`, `SubjectRole`, `azp`) is missing, malformed, or contradicts another; or it names a "
    "person by another number than RPPS, as ADELI",
    Reason.TOKEN_INACTIVE: "The issuer, when it was asked, said that the token does not stand any more",
    Reason.TOKEN_REVOKED: "A list of revocations names this token",
    Reason.SESSION_REVOKED: "A list of revocations names the login that the token comes from, or its issuer reported a "
    "logout",
    Reason.PRACTITIONER_REVOKED: "A list of revocations names this practitioner, or their issuer reported a logout",
    Reason.CLIENT_REVOKED: "A list of revocations names this software",
    Reason.CERTIFICATE_REVOKED: "A list of revocations names the client certificate of the connection",
    Reason.KEY_REVOKED: "A list of revocations names the key that signed the token",
    Reason.ASSURANCE_TOO_LOW: "`acr` and `amr` meet no level of the policy, or a weaker one than the operation asks",
    Reason.AUTHENTICATION_TOO_OLD: "`auth_time` is missing, or longer ago than the operation's `max_auth_age`",
    Reason.BINDING_MISSING: "The token has no `cnf`: whoever holds it could use it",
    Reason.BINDING_OBSERVED: "The token has no `cnf`, and all else is in order: bound, it would have been answered, "
    "budgets aside. Only for issuers of the policy's `observe_unbound`",
    Reason.BINDING_NOT_ACCEPTED: "`cnf` is neither `jkt` nor `x5t#S256` alone, or the policy does not accept that "
    "binding",
    Reason.BINDING_CERTIFICATE: "The client certificate of the connection is not the one in `cnf`, or there is none",
    Reason.BINDING_DOWNGRADE: "A DPoP-bound token came as `Bearer`, or a certificate-bound one as `DPoP`",
    Reason.DPOP_MISSING: "The token is bound to a DPoP key, and no `DPoP` header came",
    Reason.DPOP_MALFORMED: "Not one well-formed proof: several headers, a claim missing, an algorithm that is not "
    "accepted, a private key inside",
    Reason.DPOP_SIGNATURE: "The proof's signature does not hold",
    Reason.DPOP_KEY: "The proof was made with another key than the token's",
    Reason.DPOP_REQUEST: "`htm` or `htu` is not this request's",
    Reason.DPOP_NONCE: "The policy asks for a nonce of ours, and the proof has none or an old one. The answer has "
    "one in `DPoP-Nonce`",
    Reason.DPOP_TIME: f"The proof's `iat` is more than {MAX_AGE_S} s old, or more than {MAX_AHEAD_S} s ahead",
    Reason.DPOP_TOKEN: "`ath` is not the hash of this token",
    Reason.DPOP_REPLAYED: "This proof has been used before",
    Reason.PROFESSION_NOT_ALLOWED: "The policy has no view of this operation for this profession and purpose, or no "
    "budgets for the profession",
    Reason.PURPOSE_NOT_ALLOWED: "`Paravent-Purpose` names no purpose of the vocabulary",
    Reason.PERSONS_OVER_BUDGET: "No room for one more distinct person. After the API was asked: a list held more "
    "new persons than fit",
    Reason.PERSONS_NEED_LOGIN: "No room for one more distinct person, and `step_up` of the policy has some for a fresh "
    "login: `max_age` of the challenge says how fresh, `Retry-After` how long it is without one",
    Reason.REQUESTS_OVER_BUDGET: "Too many questions in a short time",
    Reason.MISSES_OVER_BUDGET: "Too many questions that found nobody",
    Reason.UNITS_OVER_BUDGET: "Too many questions, each counted by its operation's `weight`",
    Reason.PRACTITIONER_SUSPENDED: "Suspended by command, or for refusals over their own budgets (`suspension` of the "
    "policy); `Retry-After` says until when. `measures` of the record names it",
    Reason.TOO_MANY_PERSONS: "The list has more persons than the operation's `max_persons`",
    Reason.BENEFICIARY_UNKNOWN: "The API answered 404 or 422, or with a SOAP fault that blames the question, or a "
    "search found nobody",
    Reason.HANDLE_REFUSED: "A handle in place of the NIR was made for another practitioner, is older than a day, or "
    "is none of ours",
    Reason.ANSWER_STATUS: "The API answered with another status than 200, 404 and 422",
    Reason.ANSWER_TYPE: "The answer's `Content-Type` is not of the operation's format, in UTF-8",
    Reason.ANSWER_ENCODING: "The answer has a `Content-Encoding`",
    Reason.ANSWER_MALFORMED: "The body cannot be read in one way, or holds a number that no double or 64-bit "
    "integer is",
    Reason.ANSWER_TOO_LARGE: f"The body is longer than {ANSWER_BYTES // 1024} KiB, or asks for more work than any real "
    "answer does: values, elements of lists, texts that are looked through, pseudonyms",
    Reason.ANSWER_SHAPE: "Something other than the declared object stands where the answer, or its one person, belongs",
    Reason.ANSWER_OTHER_PERSON: "The answer is about somebody else, or it cannot be told which of two persons was "
    "meant",
    Reason.ANSWER_IDENTIFIER_LEFT: "A value that would have left as it came holds something that reads as a NIR",
    Reason.UPSTREAM_UNREACHABLE: "No connection to the API, or its certificate is not from `upstream.ca`",
    Reason.UPSTREAM_PROTOCOL: "The API's bytes are not one HTTP/1.1 answer whose end is certain",
    Reason.UPSTREAM_TIMEOUT: "No whole answer within `upstream.timeout`, or none that began within "
    "`upstream.first_byte_timeout`",
    Reason.UPSTREAM_CIRCUIT_OPEN: f"The API failed {ROW} times in a row, or {SHARE:.0%} of the last {LATEST} times. "
    f"One question every {OPEN_S:.0f} s is its probe; when one is answered, all are asked again",
    Reason.UPSTREAM_BUSY: "As many questions as `upstream.connections` are under way, and none ended within "
    f"{QUEUE_S:.0f} s",
    Reason.ISSUER_UNAVAILABLE: "The issuer could not be asked in time whether the token still stands, or its "
    "answer made no sense",
    Reason.KEYS_UNAVAILABLE: "The issuer's key set has never been read, or is too old",
    Reason.STATE_UNAVAILABLE: "The state file could not be asked in time",
    Reason.AUDIT_UNAVAILABLE: "The ledger cannot be written, or not in time",
    Reason.INTERNAL_ERROR: "A bug of ours. It closed",
    Reason.DRAINING: "The node was stopping and could not wait any longer for the API's answer",
    Reason.CLIENT_LEFT: "The caller hung up before the answer. Whom they asked about stays charged",
}

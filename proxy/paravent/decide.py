"""The one path, top to bottom: a request becomes a verdict, an answer becomes an outcome.

`decide` starts from deny and lifts it last: each step either returns a `Deny` or learns one more thing.
`settle` is its second half. It never asks the policy again: what it needs was bound into the `Plan` when the
request was let through, so a reload between the two cannot mix revisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from paravent import effects
from paravent.audit.justification import HEADER, read_justification
from paravent.effects import (
    Budget,
    BudgetKind,
    Charge,
    Charged,
    Deciding,
    FindMeasures,
    OverBudget,
    ProofSeen,
    Replayed,
    Settle,
    StoreDown,
    Usage,
)
from paravent.identity.assertion import Assertor
from paravent.identity.authenticate import Authenticated, Requirement, authenticate
from paravent.identity.challenge import challenge_for
from paravent.identity.gate import Gate
from paravent.masking.view import Reduced, View
from paravent.model import (
    About,
    Answer,
    Asked,
    Deny,
    Disguise,
    Evidence,
    Facts,
    Practitioner,
    Release,
    Secret,
    Subject,
    UpstreamRequest,
    Withhold,
)
from paravent.nir import subject_of_card, subject_of_person
from paravent.over_budget import Spent, over_budget
from paravent.paris import day_in_paris
from paravent.policy.match import Matched, RouteTable
from paravent.policy.question import Question, read_question
from paravent.quota.charges import Payers, reason_of
from paravent.quota.grades import extra_of_login, nearly_spent
from paravent.quota.measures import added, none_to_break, suspended
from paravent.reasons import Reason
from paravent.rules import Operation, Policy, Quotas, Window
from paravent.values import Value

PURPOSE_HEADER = b"paravent-purpose"
"""Optional. Without it the profession's default purpose applies; it can only choose among views, never widen one."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything a decision reads. Compiled once, swapped whole at a reload."""

    policy: Policy
    routes: RouteTable
    views: Mapping[tuple[str, str, str], View]
    """(operation, profession code, purpose) → what may leave."""
    gate: Gate
    subject_key: Secret[bytes]
    """Keys the hashes that stand for persons."""
    assertor: Assertor
    disguise_key: Secret[bytes] | None = None
    """Keys pseudonyms and handles. Without it none is made, and none accepted."""
    second_disguise_key: Secret[bytes] | None = None
    """Handles made with it are accepted too."""
    payers: Payers = field(default_factory=Payers)
    """A cache of pure functions, like the assertor's."""


class Plan(Value, frozen=True):
    """A request that was let through, and all that its answer will need."""

    about: About
    operation: Operation
    view: View
    asked: Asked
    charge: Charge
    usage: tuple[Usage, ...]
    upstream: UpstreamRequest
    revision: str
    subject_key: Secret[bytes]
    nearly_spent: tuple[Window, ...] = ()
    """The practitioner's own windows that are as full as the policy warns of."""
    next_nonce: str | None = None
    """What the caller's next DPoP proof is to carry."""


class _Asked(Value, frozen=True):
    """A question that its practitioner may ask, budgets aside."""

    HIDDEN = frozenset({"justification"})

    about: About
    view: View
    question: Question
    budgets: tuple[Budget, ...]
    persons: tuple[Subject, ...]
    justification: str | None
    """What breaks the glass, if it comes to that and there is one to break: not on record before."""


class Allow(Value, frozen=True):
    """The upstream may be asked, with `plan.upstream` and nothing else."""

    plan: Plan


type Verdict = Allow | Deny
type Outcome = Release | Withhold


def decide(facts: Facts, rules: Rulebook) -> Deciding[Verdict]:
    """May this question be asked of the upstream? All reservations are made when the answer is `Allow`."""
    matched = rules.routes.match(facts.method, facts.target)
    if matched is None:
        return Deny(Reason.OPERATION_UNKNOWN)
    operation = matched.operation

    requirement = Requirement(operation.level, operation.max_auth_age_s)
    identified = yield from authenticate(facts, rules.gate, rules.policy.assurance, requirement)
    if not isinstance(identified, Authenticated):
        about = About(operation.name, practitioner=identified.practitioner)
        return Deny(identified.reason, about, challenge=identified.challenge)
    practitioner = identified.practitioner
    about = About(operation.name, None, practitioner, identified.evidence)

    asked = _ask(facts, rules, matched, practitioner, about)
    if identified.observed is not None:
        # To be decided and recorded, never answered: what is wrong with the rest is nothing to tell whoever holds a
        # token that is bound to nobody, and no budget is theirs to spend.
        reason = Reason.BINDING_MISSING if isinstance(asked, Deny) else Reason.BINDING_OBSERVED
        return Deny(reason, asked.about, challenge=identified.observed.challenge)
    if not isinstance(asked, _Asked):
        return (yield from _spend(identified.proof, asked, _replayed(about, rules, requirement)))
    asked = yield from _graded(asked, facts, rules.policy.quotas, rules.payers, practitioner, identified.evidence)
    if not isinstance(asked, _Asked):
        return (yield from _spend(identified.proof, asked, _replayed(about, rules, requirement)))
    charge = Charge(facts.request_id, facts.now_ms, asked.budgets, asked.persons, identified.proof, operation.weight)
    charged = yield from effects.charge(charge)
    about = asked.about
    if not isinstance(charged, Charged):
        if isinstance(charged, StoreDown):
            return Deny(Reason.STATE_UNAVAILABLE, about, retry_after_s=1)
        if isinstance(charged, Replayed):
            return _replayed(about, rules, requirement)
        who, evidence, words = practitioner, identified.evidence, asked.justification
        spent = Spent(charged, charge, about, who, evidence, operation.level, words)
        told = yield from over_budget(spent, facts, rules.policy, rules.payers)
        if isinstance(told, Deny):
            return told
        charge, charged, about = told.charge, told.charged, told.about
    if charged.emergency:
        about = replace(about, emergency=True)

    upstream = _upstream_request(facts, operation, asked.question, asked.view, practitioner, rules.assertor)
    plan = Plan(
        about,
        operation,
        asked.view,
        asked.question.asked,
        charge,
        charged.usage,
        upstream,
        rules.policy.revision,
        rules.subject_key,
        nearly_spent(charged.usage, rules.policy.quotas),
        identified.next_nonce,
    )
    return Allow(plan)


def settle(plan: Plan, answer: Answer, now_ms: int) -> Deciding[Outcome]:
    """What of this answer may leave, and who is charged for it."""
    reduced = _reduce(plan, answer)
    if isinstance(reduced, Reason):
        persons, missed = _cost(plan, reduced, answer.status)
        yield from effects.settle(Settle(plan.charge, now_ms, persons, missed))
        return Withhold(reduced, plan.about)
    disclosed = _disclosed(plan, reduced)
    # Of several who were asked about, whoever was not found is paid for too: else nine guesses beside one patient
    # would be free.
    paid = plan.charge.persons if plan.asked.several else disclosed
    missed = len(disclosed) < len(paid)
    settled = yield from effects.settle(Settle(plan.charge, now_ms, paid, missed))
    if isinstance(settled, StoreDown):
        return Withhold(Reason.STATE_UNAVAILABLE, plan.about, retry_after_s=1)
    if isinstance(settled, OverBudget):
        yield from _pay_a_miss(plan, now_ms)
        return Withhold(reason_of(settled), plan.about, retry_after_s=settled.retry_after_s)
    unnamed = plan.view.unnamed(answer.body) if plan.charge.id.startswith(_LOOKED_THROUGH) else ()
    content_type = plan.view.dress.content_type
    return Release(reduced.body, content_type, plan.about, disclosed, reduced.released, reduced.dropped, unnamed)


_LOOKED_THROUGH: Final = "00"
"""How the ids of requests begin whose answers are looked through for new fields: one in 256, whoever asks. A pharmacy's
day is one or two; a thousand pharmacies see a new field within minutes."""


def abandon(plan: Plan, reason: Reason, now_ms: int) -> Deciding[Withhold]:
    """No answer came, or nobody is left to read it.

    A caller who hung up keeps paying for whom they asked about: aborting must not be a way to ask for free. Where
    the failure is on our side nothing was disclosed, and the reservation is given back.
    """
    persons, missed = (plan.charge.persons, False) if reason is Reason.CLIENT_LEFT else _cost(plan, reason)
    yield from effects.settle(Settle(plan.charge, now_ms, persons, missed))
    return Withhold(reason, plan.about, retry_after_s=_COME_AGAIN_S.get(reason))


_COME_AGAIN_S: Final[Mapping[Reason, int]] = {Reason.UPSTREAM_CIRCUIT_OPEN: 5, Reason.UPSTREAM_BUSY: 1}
"""Retry-After of what was not asked of the upstream. An open circuit is probed every 5 s."""


def _ask(facts: Facts, rules: Rulebook, matched: Matched, practitioner: Practitioner, about: About) -> _Asked | Deny:
    """All that can be judged of the question alone: purpose, profession, form."""
    purpose = _purpose(facts, rules.policy, practitioner)
    if isinstance(purpose, Reason):
        return Deny(purpose, about)
    about = About(about.operation, purpose, practitioner, about.evidence)
    view = rules.views.get((matched.operation.name, practitioner.profession, purpose))
    if view is None:
        return Deny(Reason.PROFESSION_NOT_ALLOWED, about)

    key, second = rules.disguise_key, rules.second_disguise_key
    disguise = Disguise(key, practitioner.rpps, facts.now_s, second) if key is not None else None
    question = _read(matched, facts, disguise)
    if not isinstance(question, Question):
        return Deny(question, about)
    subject = _subject(matched.operation, question.asked, rules.subject_key)
    about = About(about.operation, purpose, practitioner, about.evidence, subject)

    justification = None
    if rules.policy.quotas.break_glass is not None and (words := facts.values(HEADER)):
        justification = read_justification(words[0]) if len(words) == 1 else None
        if justification is None:
            return Deny(Reason.JUSTIFICATION_REFUSED, about)
    budgets = rules.payers.budgets_of(rules.policy.quotas, practitioner, facts.connection)
    if budgets is None:
        return Deny(Reason.PROFESSION_NOT_ALLOWED, about)
    persons = (subject,) if subject else _several(question.asked, rules.subject_key)
    return _Asked(about, view, question, budgets, persons, justification)


def _graded(
    asked: _Asked, facts: Facts, quotas: Quotas, payers: Payers, practitioner: Practitioner, evidence: Evidence
) -> Deciding[_Asked | Deny]:
    """The same question, under the limits that hold for its practitioner now."""
    measures = yield from effects.find_measures(FindMeasures(practitioner.rpps))
    if not isinstance(measures, tuple):
        return Deny(Reason.STATE_UNAVAILABLE, asked.about, retry_after_s=1)
    if (suspension := suspended(measures, facts.now_s)) is not None:
        about = replace(asked.about, measures=(suspension.id,))
        return Deny(Reason.PRACTITIONER_SUSPENDED, about, retry_after_s=suspension.until_s - facts.now_s)
    if asked.justification is not None and none_to_break(measures, facts.now_s):
        asked = replace(asked, justification=None)
    persons, ids = added(measures, quotas, facts.now_s) if measures else (0, ())
    persons += extra_of_login(quotas, evidence.auth_age_s)
    if not persons:
        return asked
    about = replace(asked.about, measures=ids)
    return replace(asked, about=about, budgets=payers.raised_of(asked.budgets, persons))


def _replayed(about: About, rules: Rulebook, requirement: Requirement) -> Deny:
    challenge = challenge_for(Reason.DPOP_REPLAYED, rules.policy.assurance, requirement)
    return Deny(Reason.DPOP_REPLAYED, About(about.operation, None, about.practitioner, about.evidence), challenge)


def _spend(proof: ProofSeen | None, refused: Deny, replayed: Deny) -> Deciding[Deny]:
    """A refused request has used its proof all the same.

    RFC 9449 binds a proof to method and URI, not to the body: unremembered, the proof of a malformed question would
    be good for another one, asked by whoever saw it.
    """
    if proof is None:
        return refused
    seen = yield from effects.proof_seen(proof)
    if isinstance(seen, StoreDown):
        return Deny(Reason.STATE_UNAVAILABLE, refused.about, retry_after_s=1)
    return replayed if seen else refused


def _purpose(facts: Facts, policy: Policy, practitioner: Practitioner) -> str | Reason:
    named = facts.values(PURPOSE_HEADER)
    if len(named) > 1:
        return Reason.REQUEST_AMBIGUOUS
    if named:
        purpose = named[0].decode("ascii", errors="replace")
        return purpose if purpose in policy.purposes else Reason.PURPOSE_NOT_ALLOWED
    return policy.default_purpose.get(practitioner.profession, Reason.PROFESSION_NOT_ALLOWED)


def _read(matched: Matched, facts: Facts, disguise: Disguise | None) -> Question | Reason:
    today, content_types = day_in_paris(facts.now_s), facts.values(b"content-type")
    return read_question(
        matched.operation, matched.parameters, facts.body, content_types, disguise, today, matched.query
    )


def _several(asked: Asked, key: Secret[bytes]) -> tuple[Subject, ...]:
    """Everybody whom a question about several persons names: all of them are charged before it is asked."""
    return tuple([subject_of_person(key, *person) for person in asked.several])


def _subject(operation: Operation, asked: Asked, key: Secret[bytes]) -> Subject | None:
    if asked.nir is not None and asked.birth_date is not None and asked.birth_rank is not None:
        return subject_of_person(key, asked.nir, asked.birth_date, asked.birth_rank)
    if operation.subject.card:
        amc, member = (asked.fields[name] for name in operation.subject.card)
        return subject_of_card(key, amc, member)
    return None


def _upstream_request(
    facts: Facts, operation: Operation, question: Question, view: View, who: Practitioner, assertor: Assertor
) -> UpstreamRequest:
    headers = (
        (b"accept", view.dress.accept),
        # A compressed answer would have to be inflated before it can be judged; we ask for none and refuse any.
        (b"accept-encoding", b"identity"),
        (b"paravent-assertion", assertor.sign(who, facts.now_s)),
        (b"paravent-request", facts.request_id.encode("ascii")),
        *question.headers,
    )
    return UpstreamRequest(facts.method, question.target, headers, question.body, operation.repeatable)


_UNKNOWN: Final = frozenset({400, 403, 404, 410, 422})
"""Unknown, malformed and not entitled look the same, and cost a miss: an answer is not an oracle.

Not 401: the upstream refuses us there, not the person who asks.
"""


def _reduce(plan: Plan, answer: Answer) -> Reduced | Reason:
    if answer.status in _UNKNOWN:
        return Reason.BENEFICIARY_UNKNOWN
    dress = plan.view.dress
    if answer.status != 200:
        # SOAP 1.1 section 6.2: a server that cannot answer MUST say so with status 500 and a Fault.
        faulty = answer.status == 500 and dress.fault is not None and dress.fault(answer.body)
        return Reason.BENEFICIARY_UNKNOWN if faulty else Reason.ANSWER_STATUS
    if answer.values(b"content-encoding"):
        return Reason.ANSWER_ENCODING
    types = answer.values(b"content-type")
    if len(types) != 1 or dress.types.fullmatch(types[0]) is None:
        return Reason.ANSWER_TYPE
    reduced = plan.view.apply(answer.body, plan.asked)
    if isinstance(reduced, Reduced) and plan.operation.response.persons and not reduced.persons:
        # A search that found nobody; an answer that does not say whose fund and contracts these are.
        return Reason.BENEFICIARY_UNKNOWN
    return reduced


_MISSES: Final = frozenset({Reason.BENEFICIARY_UNKNOWN, Reason.TOO_MANY_PERSONS, Reason.ANSWER_OTHER_PERSON})
"""What the question brought about. An upstream that overlooks a wrong birth date and answers with the holder of the NIR
would else confirm numbers for free."""

_CONFIRMING: Final = frozenset(
    {Reason.ANSWER_SHAPE, Reason.ANSWER_IDENTIFIER_LEFT, Reason.ANSWER_MALFORMED, Reason.ANSWER_TOO_LARGE}
)
"""What can lie in one person's data: a letter of another encoding, a list without end. The answer stays, but 502 where
nobody would be 404 says that there is somebody."""

_FAILED: Final = frozenset({Reason.ANSWER_STATUS, Reason.ANSWER_TYPE, Reason.ANSWER_ENCODING})
"""An outage, as a rule, and a fault in one person's data sometimes: a 500, or the page of an error with status 200."""

_NOT_LOOKED_UP: Final = frozenset({401, 407, 408, 429, 502, 503, 504})
"""The upstream, or what stands before it, says that it looked for nobody: it refuses us, or is not there."""


def _cost(plan: Plan, reason: Reason, status: int = 0) -> tuple[tuple[Subject, ...], bool]:
    """Who is charged for an answer that does not leave, and whether it is a miss. `status`: that it came with, if any.

    Persons for what confirms them: asking again about the same patient is free then, so that a fault that comes back
    does not use up the misses of an honest day. A search reserved nobody and pays with a miss. Persons, too, for what
    perhaps confirms them, and no miss: docs/decisions/0031-what-an-outage-costs.md. Where the upstream failed
    altogether, nothing is charged; nor where the question is the same from everybody, the portal's logo: nobody
    guesses anything with it, and it comes with each page.
    """
    if not _names_anything(plan.operation):
        return (), False
    if reason in _CONFIRMING:
        return plan.charge.persons, not plan.charge.persons
    if reason in _FAILED:
        return (() if status in _NOT_LOOKED_UP else plan.charge.persons), _says_nobody(plan, status)
    return (plan.charge.persons if plan.asked.several and reason in _MISSES else ()), reason in _MISSES


def _says_nobody(plan: Plan, status: int) -> bool:
    """Whether a search may have found nobody by a status that is no answer of ours, as 204 is."""
    return not plan.charge.persons and (200 < status < 300 or 400 < status < 500) and status not in _NOT_LOOKED_UP


def _names_anything(operation: Operation) -> bool:
    return bool(operation.request or operation.parameters or operation.query)


def _pay_a_miss(plan: Plan, now_ms: int) -> Deciding[None]:
    """Charge a miss for a search that found more persons than the budget has room for.

    The refused `Settle` has given its miss back, and "too late" would tell for free that somebody was found, to whoever
    has spent their persons and goes on searching. A consultation was refused before the upstream was asked.
    """
    misses = tuple(budget for budget in plan.charge.budgets if budget.kind is BudgetKind.MISSES)
    if plan.charge.persons or not misses:
        return
    miss = Charge(plan.charge.id, now_ms, misses, ())
    if isinstance((yield from effects.charge(miss)), Charged):
        yield from effects.settle(Settle(miss, now_ms, (), missed=True))


def _disclosed(plan: Plan, reduced: Reduced) -> tuple[Subject, ...]:
    """Who this answer discloses: the person asked about under the name they were asked by, or everyone listed."""
    if plan.operation.response.scope == "asked":
        return plan.charge.persons
    return tuple(
        dict.fromkeys(
            subject_of_person(plan.subject_key, person.nir, person.birth_date, person.birth_rank)
            for person in reduced.persons
        )
    )

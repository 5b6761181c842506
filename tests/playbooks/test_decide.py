"""A request and its answer as conversations: what is asked of the world, in which order, and what comes of it.

The world is a script; the policy is the reference policy; tokens and proofs are real.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from msgspec import structs

from asking import CALLER_KEY, ISSUER_KEY, gate
from conversation import run
from paravent.decide import Allow, Plan, Rulebook, abandon, decide, settle
from paravent.effects import (
    BudgetKind,
    Charge,
    Charged,
    FindKey,
    FindRevocations,
    KeyMissing,
    OverBudget,
    ProofSeen,
    Replayed,
    Scope,
    Settle,
    StoreDown,
)
from paravent.identity.assertion import Assertor
from paravent.masking import check_rule, compile_view
from paravent.model import Answer, Connection, Deny, Facts, Release, Secret, Withhold
from paravent.policy.compile import compile_policy
from paravent.policy.match import RouteTable
from paravent.quota.charges import Payers
from paravent.reasons import Reason
from paravent.rules import Policy, Window
from policies import reference_files
from tokens import ABSENT, NOW_MS, NOW_S, ORIGIN, RPPS, b64url, bearer_headers, dpop_headers, mint, prove

CONSULTATION = "/v1/droits/consultation"
SEARCH = "/v1/beneficiaires/recherche"
CARD = "/v1/cartes/99990001/0012345678/beneficiaires"
NIR = "2840599990001"
QUESTION = {"immatriculation": NIR, "dateNaissance": "19840517", "rangGemellaire": 1}
SEARCHED = {"nom": "ESSAI", "prenom": "CLAIRE", "dateNaissance": "19840517"}


def person(nir: str = NIR, name: str = "ESSAI", rank: int = 1) -> dict[str, object]:
    return {
        "nomUsuel": name,
        "prenom": "CLAIRE",
        "dateNaissance": "19840517",
        "rangGemellaire": rank,
        "noNIRCertifie": nir,
        "commentaire": "ne doit pas sortir",
    }


@pytest.fixture(scope="module")
def rules() -> Rulebook:
    policy = compile_policy(reference_files(), check_rule)
    assert isinstance(policy, Policy)
    views = {
        (spec.operation, spec.profession, spec.purpose): compile_view(spec, policy.operations[spec.operation].response)
        for spec in policy.views
    }
    return Rulebook(
        policy,
        RouteTable(policy.operations.values()),
        views,
        gate(),
        Secret(b"s" * 32),
        Assertor(Secret(b"a" * 32)),
    )


def request(
    question: dict[str, Any] | None = None,
    *,
    path: str = CONSULTATION,
    method: str = "POST",
    extra: tuple[tuple[bytes, bytes], ...] = (),
    **claims: Any,
) -> Facts:
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt, **claims)
    proof = prove(CALLER_KEY, token, method, ORIGIN + path)
    body = json.dumps(question or QUESTION).encode() if method == "POST" else b""
    headers = (*dpop_headers(token, proof), *(((b"content-type", b"application/json"),) if body else ()), *extra)
    connection = Connection("192.0.2.1", secure=True)
    return Facts(NOW_MS, "0" * 32, method.encode(), path.encode(), headers, body, connection)


FITS = Charged(())
GOOD: dict[type, Any] = {FindKey: ISSUER_KEY.public, FindRevocations: (), ProofSeen: False, Charge: FITS}


def allowed(rules: Rulebook, asked: Facts) -> Plan:
    verdict = run(decide(asked, rules), GOOD).result
    assert isinstance(verdict, Allow)
    return verdict.plan


def answer(document: object, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    kind = (b"content-type", b"application/json")
    return Answer(status, headers or (kind,), orjson.dumps(document))


GOOD_DOCUMENT: dict[str, object] = {"beneficiaireDeSoins": person()}


class TestRequests:
    """decide"""

    def test_a_good_request_asks_for_the_key_and_then_the_store_once(self, rules: Rulebook) -> None:
        """The write comes after everything that can be known without it; the proof goes with the charge."""
        told = run(
            decide(request(), rules),
            [(FindKey, ISSUER_KEY.public), (FindRevocations, ()), (Charge, FITS)],
        )
        assert isinstance(told.result, Allow)
        plan = told.result.plan
        assert plan.charge.proof is not None
        assert plan.about.operation == "droits.consultation"
        assert plan.about.purpose == "dispensation"
        assert plan.about.practitioner is not None
        assert plan.about.practitioner.rpps == RPPS
        assert plan.about.emergency is False

    def test_the_charge_weighs_what_its_operation_does(self, rules: Rulebook) -> None:
        """1 unless the policy says otherwise."""
        heavy = replace(rules.policy.operations["droits.consultation"], weight=7)
        table = RouteTable([heavy])
        assert allowed(rules, request()).charge.units == 1
        assert allowed(replace(rules, routes=table), request()).charge.units == 7

    def test_what_goes_upstream_may_be_sent_again_where_the_policy_says_so(self, rules: Rulebook) -> None:
        """A lookup by POST may; what is not called repeatable may not."""
        once = replace(rules.policy.operations["droits.consultation"], repeatable=False)
        assert allowed(rules, request()).upstream.repeatable
        assert not allowed(replace(rules, routes=RouteTable([once])), request()).upstream.repeatable

    def test_the_charge_names_everyone_who_pays(self, rules: Rulebook) -> None:
        """Practitioner, establishment, client, certificate, network and fleet are charged in one step."""
        wider = replace(rules.policy.quotas, certificate=rules.policy.quotas.client, network=rules.policy.quotas.client)
        limited = replace(rules, policy=replace(rules.policy, quotas=wider), payers=Payers(Secret(b"p" * 32)))
        known = Connection("192.0.2.1", True, b"c" * 32, source_ip="192.0.2.1")
        charge = allowed(limited, structs.replace(request(), connection=known)).charge
        assert {budget.scope for budget in charge.budgets} == set(Scope)
        assert len(charge.persons) == 1

    def test_what_goes_upstream_is_rebuilt(self, rules: Rulebook) -> None:
        """No header of the caller's, no order of theirs, no blank of theirs; and a statement of ours who asks."""
        plan = allowed(rules, request({"rangGemellaire": 1, **QUESTION}, extra=((b"x-user", b"root"),)))
        assert plan.upstream.body == orjson.dumps(QUESTION)
        names = [name for name, _ in plan.upstream.headers]
        assert names == [b"accept", b"accept-encoding", b"paravent-assertion", b"paravent-request", b"content-type"]

    KNOWN = (FindKey, FindRevocations)
    DENIED = (
        ("an operation that no policy names", {"path": "/v1/exports"}, Reason.OPERATION_UNKNOWN, ()),
        ("another method", {"method": "GET"}, Reason.OPERATION_UNKNOWN, ()),
        ("a dead token", {"exp": NOW_S, "iat": NOW_S - 60}, Reason.TOKEN_EXPIRED, (FindKey,)),
        ("a password alone", {"acr": "eidas1", "amr": ["pwd"]}, Reason.ASSURANCE_TOO_LOW, KNOWN),
        ("a login of yesterday", {"auth_time": NOW_S - 86400}, Reason.AUTHENTICATION_TOO_OLD, KNOWN),
        ("an unbound token", {"cnf": ABSENT}, Reason.BINDING_MISSING, KNOWN),
        ("a profession without a view", {"profession": "60"}, Reason.PROFESSION_NOT_ALLOWED, (*KNOWN, ProofSeen)),
    )

    @pytest.mark.parametrize(("how", "reason", "asked"), [row[1:] for row in DENIED], ids=[row[0] for row in DENIED])
    def test_what_is_refused_spends_nothing(
        self, rules: Rulebook, how: dict[str, Any], reason: Reason, asked: tuple[type, ...]
    ) -> None:
        """Refused before the budget: no charge is ever asked for."""
        told = run(decide(request(**how), rules), GOOD)
        assert isinstance(told.result, Deny)
        assert told.result.reason is reason
        assert tuple(type(effect) for effect in told.asked) == asked

    QUESTIONS = (
        ("a member that the schema does not have", {**QUESTION, "famille": True}),
        ("a rank as text", {**QUESTION, "rangGemellaire": "1"}),
        ("no birth date", {"immatriculation": NIR, "rangGemellaire": 1}),
        ("a NIR with blanks", {**QUESTION, "immatriculation": "2 84 05 99 990 001"}),
        ("a NIR with a wrong key", {**QUESTION, "immatriculation": NIR + "01"}),
        ("a care domain that is not theirs to name", {**QUESTION, "domaine": "HOSP"}),
    )

    @pytest.mark.parametrize("question", [row[1] for row in QUESTIONS], ids=[row[0] for row in QUESTIONS])
    def test_a_question_outside_the_schema_is_refused(self, rules: Rulebook, question: dict[str, Any]) -> None:
        """The request side is an allow-list too."""
        verdict = run(decide(request(question), rules), GOOD).result
        assert isinstance(verdict, Deny)
        assert verdict.reason is Reason.REQUEST_NOT_IN_SCHEMA

    def test_purposes_choose_among_views_and_never_widen_one(self, rules: Rulebook) -> None:
        """A named purpose must be in the vocabulary, and two are ambiguous."""
        for extra, reason in (
            (((b"paravent-purpose", b"curiosite"),), Reason.PURPOSE_NOT_ALLOWED),
            (((b"paravent-purpose", b"dispensation"),) * 2, Reason.REQUEST_AMBIGUOUS),
        ):
            verdict = run(decide(request(extra=extra), rules), GOOD).result
            assert isinstance(verdict, Deny)
            assert verdict.reason is reason
        assert isinstance(
            run(decide(request(extra=((b"paravent-purpose", b"dispensation"),)), rules), GOOD).result, Allow
        )

    OUTAGES = (
        ("no key set", {FindKey: KeyMissing.UNAVAILABLE}, Reason.KEYS_UNAVAILABLE),
        ("an unknown key", {FindKey: KeyMissing.UNKNOWN}, Reason.TOKEN_KEY_UNKNOWN),
        ("a proof seen before", {Charge: Replayed.REPLAYED}, Reason.DPOP_REPLAYED),
        ("no state store", {Charge: StoreDown.UNAVAILABLE}, Reason.STATE_UNAVAILABLE),
    )

    @pytest.mark.parametrize(("replies", "reason"), [row[1:] for row in OUTAGES], ids=[row[0] for row in OUTAGES])
    def test_what_cannot_be_known_denies(self, rules: Rulebook, replies: dict[type, Any], reason: Reason) -> None:
        """An outage is never an allowance."""
        verdict = run(decide(request(), rules), {**GOOD, **replies}).result
        assert isinstance(verdict, Deny)
        assert verdict.reason is reason

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            (False, Reason.REQUEST_NOT_IN_SCHEMA),
            (True, Reason.DPOP_REPLAYED),
            (StoreDown.UNAVAILABLE, Reason.STATE_UNAVAILABLE),
        ],
        ids=["seen for the first time", "a replay", "no replay memory"],
    )
    def test_a_refused_question_has_used_its_proof(self, rules: Rulebook, told: object, reason: Reason) -> None:
        """A proof does not cover the body: unremembered, it would be good for a better question of a thief's."""
        result = run(decide(request({**QUESTION, "famille": True}), rules), {**GOOD, ProofSeen: told})
        assert isinstance(result.result, Deny)
        assert result.result.reason is reason
        assert isinstance(result.asked[-1], ProofSeen)

    def test_a_refused_question_without_a_proof_asks_no_store(self, rules: Rulebook) -> None:
        """Bound to a certificate: there is nothing to remember, and the reason is the question's."""
        certificate = hashlib.sha256(b"a certificate").digest()
        headers = (*bearer_headers(mint(ISSUER_KEY, x5t=b64url(certificate))), (b"content-type", b"application/json"))
        connection = Connection("192.0.2.1", True, certificate)
        asked = structs.replace(request(), headers=headers, body=b'{"famille":true}', connection=connection)
        told = run(decide(asked, rules), [(FindKey, ISSUER_KEY.public), (FindRevocations, ())])
        assert isinstance(told.result, Deny)
        assert told.result.reason is Reason.REQUEST_NOT_IN_SCHEMA

    def test_a_refused_question_is_on_record_with_its_purpose(self, rules: Rulebook) -> None:
        """Why a practitioner asked is known before what they asked is understood."""
        verdict = run(decide(request({**QUESTION, "famille": True}), rules), GOOD).result
        assert isinstance(verdict, Deny)
        assert (verdict.about.operation, verdict.about.purpose) == ("droits.consultation", "dispensation")

    def test_a_profession_without_budgets_is_refused(self, rules: Rulebook) -> None:
        """Also where views were written for it."""
        unlimited = replace(rules.policy, quotas=replace(rules.policy.quotas, professions={}))
        verdict = run(decide(request(), replace(rules, policy=unlimited, payers=Payers())), GOOD).result
        assert isinstance(verdict, Deny)
        assert verdict.reason is Reason.PROFESSION_NOT_ALLOWED

    def test_a_replay_is_challenged_for_another_proof(self, rules: Rulebook) -> None:
        """RFC 9449 section 7.1."""
        verdict = run(decide(request(), rules), {**GOOD, Charge: Replayed.REPLAYED}).result
        assert isinstance(verdict, Deny)
        assert verdict.challenge is not None
        assert verdict.challenge.error == "invalid_dpop_proof"
        assert verdict.about.practitioner is not None

    def test_a_spent_budget_says_when_to_come_back(self, rules: Rulebook) -> None:
        """The refusal carries the window's own time."""
        over = OverBudget(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(60, 600), 417)
        verdict = run(decide(request(), rules), {**GOOD, Charge: over}).result
        assert isinstance(verdict, Deny)
        assert (verdict.reason, verdict.retry_after_s) == (Reason.PERSONS_OVER_BUDGET, 417)


class TestAnswers:
    """settle and abandon"""

    def test_the_person_asked_about_is_released_and_charged(self, rules: Rulebook) -> None:
        """Disclosed is who was reserved; the family and the free text stay."""
        plan = allowed(rules, request())
        document = {"beneficiaireDeSoins": person(), "famille": [person("1821199990014", "AUTRE", 2)]}
        told = run(settle(plan, answer(document), NOW_MS), [(Settle, FITS)])
        assert isinstance(told.result, Release)
        assert told.asked == (Settle(plan.charge, NOW_MS, plan.charge.persons, missed=False),)
        assert b"ne doit pas sortir" not in told.result.body
        assert b"AUTRE" not in told.result.body

    @pytest.mark.parametrize(
        ("id", "looked"),
        [("00" + "f" * 30, True), ("f" * 32, False)],
        ids=["looked through", "not looked through"],
    )
    def test_one_answer_in_256_is_looked_through_for_new_fields(self, rules: Rulebook, id: str, looked: bool) -> None:
        """By the request's id, which nobody who asks has a say in."""
        plan = allowed(rules, structs.replace(request(), request_id=id))
        told = run(settle(plan, answer({**GOOD_DOCUMENT, "tauxNouveau": 1}), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Release)
        assert ("/tauxNouveau" in told.result.unnamed) is bool(told.result.unnamed) is looked

    MISSES = (
        ("unknown", answer({"code": "INCONNU", "message": NIR}, 404)),
        ("malformed, says the upstream", answer({"message": NIR}, 422)),
        ("malformed, says another", answer({"message": NIR}, 400)),
        ("not entitled", answer({"message": NIR}, 403)),
        ("gone", answer({"message": NIR}, 410)),
        ("an answer without anybody", answer({"infosGlobales": {"codeRegime": "01"}, "contratsAMC": [{"csr": "1"}]})),
        ("nobody, and the fund of nobody", answer({"beneficiaireDeSoins": None, "infosGlobales": {"codeRegime": "1"}})),
    )

    @pytest.mark.parametrize("said", [row[1] for row in MISSES], ids=[row[0] for row in MISSES])
    def test_a_miss_is_charged_as_one_and_gives_the_person_back(self, rules: Rulebook, said: Answer) -> None:
        """Unknown and not entitled look the same, and both cost."""
        plan = allowed(rules, request())
        told = run(settle(plan, said, NOW_MS), [(Settle, FITS)])
        assert told.asked == (Settle(plan.charge, NOW_MS, (), missed=True),)
        assert isinstance(told.result, Withhold)
        assert told.result.reason is Reason.BENEFICIARY_UNKNOWN

    JSON_TYPE = (b"content-type", b"application/json")
    WITHHELD = (
        ("a server error with its stack trace", answer({"trace": NIR}, 500), Reason.ANSWER_STATUS),
        ("a redirect", answer({}, 302, (b"location", b"/x"), JSON_TYPE), Reason.ANSWER_STATUS),
        ("a part", answer(GOOD_DOCUMENT, 206), Reason.ANSWER_STATUS),
        ("no content", answer({}, 204), Reason.ANSWER_STATUS),
        ("HTML", answer(GOOD_DOCUMENT, 200, (b"content-type", b"text/html")), Reason.ANSWER_TYPE),
        ("no type", answer(GOOD_DOCUMENT, 200, (b"x", b"y")), Reason.ANSWER_TYPE),
        ("two types", answer(GOOD_DOCUMENT, 200, JSON_TYPE, JSON_TYPE), Reason.ANSWER_TYPE),
        (
            "a type that only becomes one without its blanks",
            answer(GOOD_DOCUMENT, 200, (b"content-type", b"appli cation / json")),
            Reason.ANSWER_TYPE,
        ),
        (
            "another charset",
            answer(GOOD_DOCUMENT, 200, (b"content-type", b"application/json; charset=utf-16")),
            Reason.ANSWER_TYPE,
        ),
        ("gzip", answer(GOOD_DOCUMENT, 200, JSON_TYPE, (b"content-encoding", b"gzip")), Reason.ANSWER_ENCODING),
        (
            "identity, spelled out",
            answer({}, 200, JSON_TYPE, (b"content-encoding", b"identity")),
            Reason.ANSWER_ENCODING,
        ),
    )

    @pytest.mark.parametrize(("said", "reason"), [row[1:] for row in WITHHELD], ids=[row[0] for row in WITHHELD])
    def test_what_is_not_understood_does_not_leave(self, rules: Rulebook, said: Answer, reason: Reason) -> None:
        """Withheld, and who was asked about stays charged: the fault can lie in that person's data. Never a miss."""
        plan = allowed(rules, request())
        told = run(settle(plan, said, NOW_MS), [(Settle, FITS)])
        assert told.asked == (Settle(plan.charge, NOW_MS, plan.charge.persons, missed=False),)
        assert isinstance(told.result, Withhold)
        assert told.result.reason is reason

    @pytest.mark.parametrize("status", [401, 407, 408, 429, 502, 503, 504])
    @pytest.mark.parametrize("asked", [request(), request(SEARCHED, path=SEARCH)], ids=["a consultation", "a search"])
    def test_an_upstream_that_looked_for_nobody_costs_nothing(self, rules: Rulebook, asked: Facts, status: int) -> None:
        """It refuses our own credentials, or is not there: an outage takes nobody's budget."""
        plan = allowed(rules, asked)
        told = run(settle(plan, answer({"error": NIR}, status), NOW_MS), [(Settle, FITS)])
        assert told.asked == (Settle(plan.charge, NOW_MS, (), missed=False),)
        assert isinstance(told.result, Withhold)
        assert told.result.reason is Reason.ANSWER_STATUS

    @pytest.mark.parametrize(
        ("said", "missed"),
        [
            pytest.param(answer({}, 204), True, id="no content: perhaps nobody"),
            pytest.param(answer({}, 409), True, id="a conflict"),
            pytest.param(answer({}, 302), False, id="a redirect, as to a page about maintenance"),
            pytest.param(answer({}, 500), False, id="a failure: an outage would use up the misses"),
            pytest.param(answer({}, 200, (b"content-type", b"text/html")), False, id="a page with status 200"),
        ],
    )
    def test_a_search_that_fails_costs_a_miss_where_it_may_have_found_nobody(
        self, rules: Rulebook, said: Answer, missed: bool
    ) -> None:
        """It reserved no person that could stay charged."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        told = run(settle(plan, said, NOW_MS), [(Settle, FITS)])
        assert told.asked == (Settle(plan.charge, NOW_MS, (), missed),)
        assert isinstance(told.result, Withhold)

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf-8"']
    )
    def test_json_is_json_however_it_is_written(self, rules: Rulebook, kind: str) -> None:
        """Case, blanks around the semicolon and quotes mean nothing (RFC 9110 section 8.3.1)."""
        plan = allowed(rules, request())
        said = answer(GOOD_DOCUMENT, 200, (b"content-type", kind.encode()))
        assert isinstance(run(settle(plan, said, NOW_MS), {Settle: FITS}).result, Release)

    def test_an_answer_about_somebody_else_costs_a_miss(self, rules: Rulebook) -> None:
        """An upstream that overlooks a wrong birth date or rank does not confirm a number for free."""
        plan = allowed(rules, request())
        said = answer({"beneficiaireDeSoins": person(rank=2)})
        told = run(settle(plan, said, NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Withhold)
        assert told.result.reason is Reason.ANSWER_OTHER_PERSON
        assert told.asked == (Settle(plan.charge, NOW_MS, (), missed=True),)

    CONFIRMING = (
        (
            "a person without birth date and rank",
            answer({"beneficiaireDeSoins": {"nomUsuel": "ESSAI"}}),
            Reason.ANSWER_SHAPE,
        ),
        (
            "a NIR where a name belongs",
            answer({"beneficiaireDeSoins": person(name="2790369991012")}),
            Reason.ANSWER_IDENTIFIER_LEFT,
        ),
        ("not JSON", Answer(200, (JSON_TYPE,), b")]}'," + orjson.dumps(GOOD_DOCUMENT)), Reason.ANSWER_MALFORMED),
        ("a member twice", Answer(200, (JSON_TYPE,), b'{"a":1,"a":2}'), Reason.ANSWER_MALFORMED),
        ("UTF-16", Answer(200, (JSON_TYPE,), '{"a":1}'.encode("utf-16")), Reason.ANSWER_MALFORMED),
        ("a name in Latin-1", Answer(200, (JSON_TYPE,), b'{"nomUsuel":"H\xc9B\xc9"}'), Reason.ANSWER_MALFORMED),
        ("a list without end", answer({"contratsAMC": [{}] * 20_000}), Reason.ANSWER_TOO_LARGE),
    )

    @pytest.mark.parametrize(("said", "reason"), [row[1:] for row in CONFIRMING], ids=[row[0] for row in CONFIRMING])
    def test_what_confirms_a_person_counts_one(self, rules: Rulebook, said: Answer, reason: Reason) -> None:
        """Withheld is not unknown: the reservation is kept, and asking again about the same patient stays free."""
        plan = allowed(rules, request())
        told = run(settle(plan, said, NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Withhold)
        assert told.result.reason is reason
        assert told.asked == (Settle(plan.charge, NOW_MS, plan.charge.persons, missed=False),)

    def test_a_search_whose_answer_is_withheld_costs_a_miss(self, rules: Rulebook) -> None:
        """It reserved nobody, and that there is an answer confirms somebody."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        told = run(settle(plan, answer({"resultats": [person(name="2790369991012")]}), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Withhold)
        assert told.result.reason is Reason.ANSWER_IDENTIFIER_LEFT
        assert told.asked == (Settle(plan.charge, NOW_MS, (), missed=True),)

    def test_a_search_that_finds_more_than_the_budget_costs_a_miss(self, rules: Rulebook) -> None:
        """Once the persons are spent, 429 against 404 would tell for ever who exists."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        over = OverBudget(Scope.PRACTITIONER, BudgetKind.PERSONS, Window(60, 600), 417)
        told = run(
            settle(plan, answer({"resultats": [person()]}), NOW_MS),
            [(Settle, over), (Charge, FITS), (Settle, FITS)],
        )
        assert isinstance(told.result, Withhold)
        assert told.result.reason is Reason.PERSONS_OVER_BUDGET
        _, miss, kept = told.asked
        assert {budget.kind for budget in miss.budgets} == {BudgetKind.MISSES}
        assert kept == Settle(miss, NOW_MS, (), missed=True)

    def test_everyone_a_search_lists_is_charged(self, rules: Rulebook) -> None:
        """The persons of the answer are charged at settlement, total and next page stay."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        assert plan.charge.persons == ()
        found = [person(NIR), person("2840599990002")]
        document = {"total": 4711, "pageSuivante": "/v1/x?nom=ESSAI", "resultats": found}
        told = run(settle(plan, answer(document), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Release)
        assert len(told.asked[0].disclosed) == 2
        assert orjson.loads(told.result.body).keys() == {"resultats"}

    def test_a_search_that_finds_nobody_is_a_miss(self, rules: Rulebook) -> None:
        """An empty list confirms something: it costs, and looks like every other unknown."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        told = run(settle(plan, answer({"total": 0, "resultats": []}), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Withhold)
        assert (told.result.reason, told.asked[0].missed) == (Reason.BENEFICIARY_UNKNOWN, True)

    def test_a_search_that_finds_too_many_is_withheld_whole(self, rules: Rulebook) -> None:
        """Not the first five: none."""
        plan = allowed(rules, request(SEARCHED, path=SEARCH))
        found = [person(f"28405999900{n:02}") for n in range(1, 8)]
        told = run(settle(plan, answer({"resultats": found}), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Withhold)
        assert (told.result.reason, told.asked[0].missed) == (Reason.TOO_MANY_PERSONS, True)

    def test_a_card_counts_as_one_and_shows_nobody(self, rules: Rulebook) -> None:
        """The card's two numbers are the subject; the persons on it stay."""
        plan = allowed(rules, request(path=CARD, method="GET"))
        assert len(plan.charge.persons) == 1
        document = {"numeroAMC": "99990001", "csr": "0042", "numeroContrat": "CTR-1", "beneficiaires": [person()]}
        told = run(settle(plan, answer(document), NOW_MS), {Settle: FITS})
        assert isinstance(told.result, Release)
        assert orjson.loads(told.result.body) == {"numeroAMC": "99990001", "csr": "0042"}

    LATE = (
        ("a budget that filled up meanwhile", OverBudget(Scope.FLEET, BudgetKind.PERSONS, Window(9, 60), 5)),
        ("a store that went away", StoreDown.UNAVAILABLE),
    )

    @pytest.mark.parametrize("reply", [row[1] for row in LATE], ids=[row[0] for row in LATE])
    def test_what_cannot_be_charged_does_not_leave(self, rules: Rulebook, reply: OverBudget | StoreDown) -> None:
        """The answer is ready and still does not leave."""
        plan = allowed(rules, request())
        outcome = run(settle(plan, answer(GOOD_DOCUMENT), NOW_MS), {Settle: reply}).result
        assert isinstance(outcome, Withhold)

    def test_a_caller_who_left_keeps_paying(self, rules: Rulebook) -> None:
        """The person asked about is charged as if disclosed."""
        plan = allowed(rules, request())
        told = run(abandon(plan, Reason.CLIENT_LEFT, NOW_MS), {Settle: FITS})
        assert told.asked[0].disclosed == plan.charge.persons

    def test_an_answer_too_large_to_be_read_is_one_persons(self, rules: Rulebook) -> None:
        """The connection is cut at a mebibyte, and 502 where nobody would be 404 says that there is somebody."""
        for asked, persons in ((request(), 1), (request(SEARCHED, path=SEARCH), 0)):
            plan = allowed(rules, asked)
            told = run(abandon(plan, Reason.ANSWER_TOO_LARGE, NOW_MS), {Settle: FITS})
            assert told.asked == (Settle(plan.charge, NOW_MS, plan.charge.persons, missed=not persons),)
            assert len(plan.charge.persons) == persons

    @pytest.mark.parametrize(
        ("reason", "again_s"),
        [(Reason.UPSTREAM_TIMEOUT, None), (Reason.UPSTREAM_CIRCUIT_OPEN, 5), (Reason.UPSTREAM_BUSY, 1)],
    )
    def test_a_failure_of_ours_is_given_back(self, rules: Rulebook, reason: Reason, again_s: int | None) -> None:
        """An upstream that did not answer disclosed nobody; where it was not asked, it is said when to come again."""
        plan = allowed(rules, request())
        told = run(abandon(plan, reason, NOW_MS), {Settle: FITS})
        assert (told.asked[0].disclosed, told.result.reason) == ((), reason)
        assert told.result.retry_after_s == again_s

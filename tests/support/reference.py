"""The reference policy, compiled as the proxy compiles it, and a practitioner of any of its professions at the door.

plan = allowed("21", ASKED_BY["droits.consultation"](nir, birth_date, rank))
outcome = settled(plan, 200, document)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import orjson

from asking import CALLER_KEY, ISSUER_KEY, gate
from conversation import run
from pages import policy_of
from paravent.decide import Allow, Outcome, Plan, Rulebook, Verdict, decide, settle
from paravent.effects import Charge, Charged, FindKey, FindRevocations, ProofSeen, Settle
from paravent.identity.assertion import Assertor
from paravent.masking import View
from paravent.model import Answer, Asked, Connection, Facts, Secret
from paravent.paris import day_in_paris
from paravent.policy.match import RouteTable
from paravent.policy.question import Question, read_question
from paravent.rules import Policy
from paravent.wiring import compile_views
from policies import reference_files
from tokens import NOW_MS, NOW_S, ORIGIN, dpop_headers, mint, prove

PROFESSIONS: Final = {"pharmacien": "21", "medecin": "10", "opticien": "28"}
"""The policy's word → TRE_G15 code."""


_ROOT: Final = Path(__file__).parents[2]
HOW_TO: Final = _ROOT / "docs/how-to"
JSON_EXAMPLE: Final = (_ROOT / "proxy/paravent/sandbox/examples/consultation.response.json").read_bytes()
SOAP_EXAMPLE: Final = (_ROOT / "proxy/paravent/sandbox/examples/adri.response.xml").read_bytes()
FHIR_EXAMPLE: Final = (_ROOT / "tests/golden/reference/eligibilite.input.json").read_bytes()
PAGE_EXAMPLE: Final = (_ROOT / "tests/golden/reference/page.input.html").read_bytes()


@cache
def compiled(page: str = "") -> tuple[Policy, Mapping[tuple[str, str, str], View]]:
    """The policy and its views, by operation, profession code and purpose.

    `page`: of docs/how-to, whose pieces of policy are laid over the reference policy.
    """
    return compile_views(policy_of(HOW_TO / page) if page else reference_files())


@cache
def rulebook(page: str = "") -> Rulebook:
    """The reference policy in force, with the usual issuer of the tests."""
    policy, views = compiled(page)
    return Rulebook(
        policy,
        RouteTable(policy.operations.values()),
        views,
        gate(),
        Secret(b"s" * 32),
        Assertor(Secret(b"a" * 32)),
        Secret(b"d" * 32),
    )


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as a client writes it."""

    method: str
    path: str
    body: Mapping[str, object] | bytes | None = None
    type: bytes = b"application/json"

    @property
    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def consultation(nir: str, birth_date: str, rank: int) -> Ask:
    body = {"immatriculation": nir, "dateNaissance": birth_date, "rangGemellaire": rank}
    return Ask("POST", "/v1/droits/consultation", body)


def search(nom: str, prenom: str, birth_date: str) -> Ask:
    body = {"nom": nom, "prenom": prenom, "dateNaissance": birth_date}
    return Ask("POST", "/v1/beneficiaires/recherche", body)


def card(amc: str, member: str) -> Ask:
    return Ask("GET", f"/v1/cartes/{amc}/{member}/beneficiaires")


def agreement(nir: str, birth_date: str, rank: int) -> Ask:
    """A quote for a frame and two lenses."""
    acts = [{"code": code, "montantCentimes": cents} for code, cents in (("2212345", 10000), ("2254321", 14000))]
    who = {"immatriculation": nir, "dateNaissance": birth_date, "rangGemellaire": rank}
    return Ask("POST", "/v1/prises-en-charge", {**who, "domaine": "OPTI", "actes": acts})


def account() -> Ask:
    return Ask("GET", "/v1/compte")


def soap(nir: str, birth_date: str, rank: int) -> Ask:
    """As billing software asks: the envelope of the reference API's example."""
    body = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:d="urn:exemple:droits:1">'
        f"<soap:Body><d:ConsulterDroits><d:immatriculation>{nir}</d:immatriculation>"
        f"<d:dateNaissance>{birth_date}</d:dateNaissance>"
        f"<d:rangGemellaire>{rank}</d:rangGemellaire></d:ConsulterDroits></soap:Body></soap:Envelope>"
    )
    return Ask("POST", "/soap/adri", body.encode(), b"text/xml; charset=utf-8")


def eligibility(nir: str, birth_date: str, rank: int) -> Ask:
    """As a FHIR client asks: the request of the reference API's example."""
    born = f"{birth_date[:4]}-{birth_date[4:6]}-{birth_date[6:]}"
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": nir}],
        "birthDate": born,
        "multipleBirthInteger": rank,
    }
    body = {
        "resourceType": "CoverageEligibilityRequest",
        "status": "active",
        "purpose": ["benefits"],
        "patient": {"reference": "#p"},
        "created": "2026-11-22",
        "insurer": {"display": "CPAM D'ESSAI"},
        "contained": [patient],
    }
    return Ask("POST", "/fhir/CoverageEligibilityRequest", body, b"application/fhir+json")


def page(nir: str, birth_date: str, rank: int) -> Ask:
    """As the portal's form posts it, with its optional inputs left empty."""
    body = f"immatriculation={nir}&dateNaissance={birth_date}&rangGemellaire={rank}&dateSoins=&domaine="
    return Ask("POST", "/portail/droits", body.encode(), b"application/x-www-form-urlencoded")


def export(rows: int | None = None) -> Ask:
    return Ask("POST", "/v1/exports", {} if rows is None else {"lignes": rows})


def batch(*persons: list[object]) -> Ask:
    """Several persons at once: NIR, birth date and rank of each."""
    names = ("immatriculation", "dateNaissance", "rangGemellaire")
    return Ask("POST", "/v1/droits/lot", {"demandes": [dict(zip(names, each, strict=True)) for each in persons]})


def coverages(query: str) -> Ask:
    return Ask("GET", f"/fhir/Coverage{query}")


def asset(name: str) -> Ask:
    return Ask("GET", f"/portail/{name}")


def style() -> Ask:
    return Ask("GET", "/portail/droits.css")


def logo() -> Ask:
    return Ask("GET", "/portail/logo.svg")


def facts(
    ask: Ask,
    profession: str = "21",
    *,
    now_ms: int = NOW_MS,
    request_id: str = "0" * 32,
    auth_age_s: int = 600,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> Facts:
    """The question with a good token and proof. `profession`: TRE_G15 code. `extra`: headers."""
    now_s = now_ms // 1000
    token = mint(ISSUER_KEY, now_s, jkt=CALLER_KEY.jkt, profession=profession, auth_time=now_s - auth_age_s)
    headers = dpop_headers(token, prove(CALLER_KEY, token, ask.method, ORIGIN + ask.path, iat=now_ms // 1000))
    if ask.body is not None:
        headers = (*headers, (b"content-type", ask.type))
    connection = Connection("192.0.2.1", secure=True)
    return Facts(now_ms, request_id, ask.method.encode(), ask.path.encode(), (*headers, *extra), ask.bytes, connection)


GOOD: Final = {FindKey: ISSUER_KEY.public, FindRevocations: (), ProofSeen: False, Charge: Charged(())}


def verdict(ask: Ask, profession: str, page: str = "") -> Verdict:
    """What the reference policy decides, with room in every budget."""
    return run(decide(facts(ask, profession), rulebook(page)), GOOD).result


def allowed(ask: Ask, profession: str, page: str = "") -> Plan:
    decided = verdict(ask, profession, page)
    assert isinstance(decided, Allow), decided
    return decided.plan


def answer(document: object, status: int = 200, content_type: bytes = b"application/json") -> Answer:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Answer(status, ((b"content-type", content_type),), body)


def settled(plan: Plan, said: Answer) -> Outcome:
    """What comes of an answer, with room in every budget."""
    return run(settle(plan, said, NOW_MS), {Settle: Charged(()), Charge: Charged(())}).result


def view_of(operation: str, profession: str) -> View:
    """The view of a profession's default purpose."""
    policy, views = compiled()
    return views[operation, profession, policy.default_purpose[profession]]


def asked(ask: Ask) -> Asked:
    """What a question tells that its caller knows, without the token checks."""
    matched = rulebook().routes.match(ask.method.encode(), ask.path.encode())
    assert matched is not None
    types = (ask.type,) if ask.body is not None else ()
    question = read_question(matched.operation, matched.parameters, ask.bytes, types, today=day_in_paris(NOW_S))
    assert isinstance(question, Question), question
    return question.asked

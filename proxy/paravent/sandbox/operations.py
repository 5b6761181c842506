"""The operations of the OpenAPI file, one method each, from a question's bytes to an answer's. No sockets here.

Every method may raise `Refused`; `answer` in `routes` turns it into an error that repeats the question.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlencode

from paravent.sandbox import (
    documents_csv,
    documents_fhir,
    documents_html,
    documents_json,
    documents_soap,
    fhir_question,
)
from paravent.sandbox.documents_json import Desk, Document, Quote
from paravent.sandbox.permutation import key_of, noise
from paravent.sandbox.population import Person
from paravent.sandbox.questions import (
    BIRTH_DATE,
    Question,
    Refused,
    beneficiary,
    consultation,
    domain,
    json_object,
    only,
    optional_text,
    text,
    whole_number,
)
from paravent.sandbox.replies import CSV, FHIR, HTML, XML, Reply, error, json_reply
from paravent.sandbox.rights import Period
from paravent.sandbox.search import PAGE_SIZE

EXPORT_ROWS: Final = 1000
"""Persons in one export, when it is asked for without a number of rows: about five days of an average pharmacy."""
_AGREEMENT_DAYS: Final = 90
_MAX_CENTIMES: Final = 10**9


class Operations:
    """All of them over one population. Holds no state."""

    def __init__(self, desk: Desk, now: Callable[[], datetime]) -> None:
        """`now`: the time of day with its zone, for the dates of answers."""
        self._desk = desk
        self._now = now

    def _found(self, question: Question) -> Person | None:
        return self._desk.people.find(question.nir, question.birth_date, question.birth_rank)

    def _consultation(self, person: Person, caller: str) -> tuple[Document, int]:
        document = documents_json.consultation(self._desk, person, caller, self._now().isoformat(timespec="seconds"))
        family = document["famille"]
        return document, 1 + len(family if isinstance(family, list) else ())

    def rights(self, body: bytes, caller: str) -> Reply:
        """droits.consultation"""
        question = consultation(json_object(body))
        person = self._found(question)
        if person is None:
            return error(404, "BENEFICIAIRE_INCONNU", f"Aucun droit pour {question}")
        return json_reply(*self._consultation(person, caller))

    def search(self, body: bytes, caller: str) -> Reply:
        """beneficiaires.recherche"""
        members = json_object(body)
        only(members, ("nom", "prenom", "dateNaissance", "page"))
        nom, prenom = text(members, "nom"), optional_text(members, "prenom")
        birth_date = optional_text(members, "dateNaissance", BIRTH_DATE)
        page = whole_number(members, "page", 1, 10**7) if "page" in members else 1
        people = self._desk.people
        total, found = people.search(nom, prenom, birth_date, page)
        asked = {"nom": nom, "prenom": prenom, "dateNaissance": birth_date, "page": page + 1}
        following = urlencode({name: value for name, value in asked.items() if value is not None})
        document: Document = {
            "total": total,
            "pageSuivante": f"/v1/beneficiaires/recherche?{following}" if page * PAGE_SIZE < total else None,
            "resultats": [documents_json.beneficiary(self._desk, one, people.family_of(one), caller) for one in found],
        }
        return json_reply(document, len(found))

    def card(self, amc: str, member: str, caller: str) -> Reply:
        """cartes.beneficiaires"""
        card = self._desk.people.card(amc, member)
        if card is None:
            return error(404, "CARTE_INCONNUE", f"Aucune carte {amc} / {member}")
        document = documents_json.card_document(self._desk, card, caller)
        return json_reply(document, len(self._desk.people.family(card.family).members))

    def agreement(self, body: bytes, caller: str) -> Reply:
        """prises-en-charge.demande"""
        members = json_object(body)
        question, asked_domain = beneficiary(members), domain(members)
        acts = members.get("actes")
        if not isinstance(acts, list):
            raise Refused("CHAMP_INVALIDE", f"Champ invalide : actes = {acts}")
        centimes = 0
        for act in acts:
            if not isinstance(act, dict):
                raise Refused("CHAMP_INVALIDE", f"Champ invalide : actes = {act}")
            text(act, "code")
            centimes += whole_number(act, "montantCentimes", 0, _MAX_CENTIMES)
        person = self._found(question)
        if person is None:
            return error(404, "BENEFICIAIRE_INCONNU", f"Aucun droit pour {question}")
        today = self._now().date()
        quote = Quote(asked_domain, centimes, Period(f"{today}", f"{today + timedelta(days=_AGREEMENT_DAYS)}"))
        document = documents_json.prior_agreement(self._desk, person, quote, caller)
        persons = len(self._desk.people.family_of(person).members) if "contrat" in document else 1
        return json_reply(document, persons)

    def account(self, caller: str) -> Reply:
        """compte.lecture"""
        return json_reply(documents_json.account(caller))

    def export(self, body: bytes, caller: str) -> Reply:
        """exports.creation: the same portfolio for the same practitioner, or its beginning."""
        members = json_object(body) if body else {}
        only(members, ("lignes",))
        rows = whole_number(members, "lignes", 1, EXPORT_ROWS) if "lignes" in members else EXPORT_ROWS
        people = self._desk.people
        key = key_of(people.seed, f"portfolio/{caller}")
        persons = (people.person(noise(key, row) % people.size) for row in range(rows))
        return Reply(200, CSV, documents_csv.export(self._desk, persons, caller), rows)

    def soap(self, body: bytes, caller: str) -> Reply:
        """soap.adri: every error is a fault with status 500."""
        element = documents_soap.parse(body)
        try:
            if element is None:
                raise Refused("ENVELOPPE_ILLISIBLE", f"Enveloppe illisible : {body[:500].decode('utf-8', 'replace')}")
            question = consultation(documents_soap.members(element))
            person = self._found(question)
            if person is None:
                raise Refused("BENEFICIAIRE_INCONNU", f"Aucun droit pour {question}")
        except Refused as refused:
            return Reply(500, XML, documents_soap.fault(refused.code, refused.message, element))
        document, persons = self._consultation(person, caller)
        return Reply(200, XML, documents_soap.consultation(document), persons)

    def portal(self, body: bytes, caller: str) -> Reply:
        """portail.droits: a form post; errors are pages too."""
        try:
            form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
            question = consultation({name: values[-1] for name, values in form.items()})
            person = self._found(question)
        except (Refused, ValueError) as refused:
            message = refused.message if isinstance(refused, Refused) else "Formulaire illisible"
            return Reply(422, HTML, documents_html.error("invalide", message))
        if person is None:
            return Reply(404, HTML, documents_html.error("inconnu", f"Aucun droit pour {question}"))
        document, persons = self._consultation(person, caller)
        return Reply(200, HTML, documents_html.consultation(document), persons)

    def asset(self, name: str) -> Reply:
        """portail.statique"""
        content_type, content = documents_html.ASSETS.get(name, (None, b""))
        if content_type is None:
            return error(404, "FICHIER_INCONNU", f"Aucun fichier {name}")
        return Reply(200, content_type, content)

    def eligibility(self, body: bytes, caller: str) -> Reply:
        """fhir.eligibilite"""
        del caller
        try:
            question = fhir_question.parse(json_object(body))
        except Refused as refused:
            return self._outcome(422, "invalid", refused.message)
        people = self._desk.people
        person = fhir_question.find(people, question)
        if person is None:
            return self._outcome(404, "not-found", f"Aucun droit pour {question}")
        created = self._now().isoformat(timespec="seconds")
        document = documents_fhir.eligibility(self._desk, person, created)
        return json_reply(document, len(people.family_of(person).members), FHIR)

    def coverages(self, query: str) -> Reply:
        """fhir.couvertures: by member number, of one AMC or of all, or without one everything, page by page."""
        try:
            parameters = {name: values[-1] for name, values in parse_qs(query, max_num_fields=50).items()}
            page = whole_number(parameters, "page", 1, 10**7) if "page" in parameters else 1
        except (Refused, ValueError):
            return self._outcome(422, "invalid", f"Recherche invalide : {query}")
        cards, people = self._desk.people.cards, self._desk.people
        member, first = parameters.get("subscriber-id"), (page - 1) * documents_fhir.PAGE_SIZE
        if member is None:
            last = min(first + documents_fhir.PAGE_SIZE, cards.count)
            total = cards.count
            found = [card for index in range(first, last) if (card := cards.at(index)) is not None]
        else:
            amc = parameters.get("payor:identifier")
            matches = [card for card in cards.with_member(member) if amc in (None, card.amc.number)]
            total, found = len(matches), matches[first : first + documents_fhir.PAGE_SIZE]
        following = None
        if first + documents_fhir.PAGE_SIZE < total:
            following = f"/fhir/Coverage?{urlencode({**parameters, 'page': page + 1})}"
        result = documents_fhir.Page(found, total, f"/fhir/Coverage?{urlencode(parameters)}", following)
        include = parameters.get("_include") == "Coverage:beneficiary"
        document = documents_fhir.coverages(self._desk, result, include_patients=include)
        return json_reply(document, sum(len(people.family(card.family).members) for card in found), FHIR)

    def _outcome(self, status: int, code: str, message: str) -> Reply:
        document = documents_fhir.outcome(code, message)
        return Reply(status, FHIR, json_reply(document).body)

"""The reference policy over thousands of the sandbox's answers, for each profession: the product's table, as code.

`needed_*` below are the product's table "What one dispensation needs", read line by line and written apart from the
policy. What leaves must equal it: nothing more, nothing less, and never a withheld answer on honest data.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import orjson
import pytest

from paravent.masking import Reduced, View
from paravent.model import Asked
from paravent.sandbox import documents_json
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.permutation import key_of, noise
from paravent.sandbox.population import Person, Population
from paravent.sandbox.practitioners import practitioner
from reference import PROFESSIONS, account, asked, card, consultation, search, view_of

CONSULTATIONS: Final = 2_000
SEARCHES: Final = 200
CARDS: Final = 1_000
ACCOUNTS: Final = 200

DOMAINS: Final = {"21": "PHAR", "10": "MED", "28": "OPTI"}
CODES: Final = pytest.mark.parametrize("code", PROFESSIONS.values(), ids=PROFESSIONS.keys())

NEVER: Final = frozenset(
    [
        "famille",
        "numeroContrat",
        "adresse",
        "medecinTraitant",
        "codeALD",
        "lieuNaissance",
        "referenceInterne",
        "commentaire",
        "cleNIR",
        "insMatricule",
        "groupe",
        "libelle",
        "libelleAMC",
        "libelleCaisse",
        "organisme",
        "nomPatronymique",
        "sexe",
        "qualite",
        "rangGemellaire",
        "beneficiaires",
        "total",
        "pageSuivante",
        "iban",
        "email",
        "telephone",
        "siret",
        "identifiant",
        "reseauxDeSoins",
        "nom",
        "rpps",
        "codeServiceAMO",
        "contratResponsable",
    ]
)
"""Members of the upstream's answers that never leave."""
FLAG: Final = {"declareChezLeDemandeur"}
"""Of `medecinTraitant`, what a doctor sees."""

FORMS: Final = {
    **dict.fromkeys(("nomUsuel", "prenom"), r"[A-ZÀ-ŸŒ' -]{1,40}"),
    **dict.fromkeys(("dateDebut", "dateFin"), r"\d{4}-\d\d-\d\d"),
    **dict.fromkeys(("codeRegime", "typeConvention"), r"[0-9A-Z]{2}"),
    **dict.fromkeys(("codeCentre", "csr", "codeSituation", "domaine"), r"[0-9A-Z]{3,4}"),
    "codeCaisse": r"\d{3}",
    "numeroAMC": r"\d{8,10}",
    "numeroAdherent": r"\d{10}",
    "dateReponse": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d\d:\d\d",
    "dateNaissance": r"\d{8}",
    "noNIRCertifie": r"[1-8]\d{4}(?:\d\d|2A|2B)\d{6}",
    "raisonSociale": r"[A-ZÀ-Ÿ' -]{1,60}",
    "finess": r"\d{9}",
}
"""Every text that may leave, by its member: none has room for a sentence."""


@cache
def desk() -> Desk:
    return Desk.of(Population())


def people(count: int, salt: str) -> Iterator[Person]:
    population = desk().people
    key = key_of(2022, salt)
    return (population.person(noise(key, k) % population.size) for k in range(count))


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of every object, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def left(view: View, document: object, told: Asked) -> Any:
    """What leaves, once it has been looked at for what must not."""
    reduced = view.apply(orjson.dumps(document), told)
    assert isinstance(reduced, Reduced), reduced
    shown = json.loads(reduced.body)
    for name, value in members(shown):
        assert name not in NEVER or (name == "medecinTraitant" and set(value or ()) <= FLAG), name
        if isinstance(value, str):
            assert re.fullmatch(FORMS[name], value), name
    numbers = set(re.findall(rb"[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6,}", reduced.body))
    assert numbers <= {told.nir.encode() if told.nir else b""}
    return shown


def some(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: holder[name] for name in names}


def flag(holder: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if holder is None else some(holder, "actif")


def needed_of_contract(contract: dict[str, Any], code: str) -> dict[str, Any]:
    """AMC billing: n° AMC, convention type, CSR, n° adhérent, validity, the guarantee answer for one domain only."""
    guarantees = [each for each in contract["garanties"] if each["domaine"] == DOMAINS[code]]
    return {
        **some(contract, "numeroAMC", "typeConvention", "csr", "numeroAdherent", "periode"),
        "garanties": [some(each, "domaine", "tauxPourcent", "plafondCentimes") for each in guarantees],
    }


def needed_of_consultation(document: dict[str, Any], code: str) -> dict[str, Any]:
    found = document["beneficiaireDeSoins"]
    # Right person: name, first name, birth date and NIR as they were sent. AMO: the period, the C2S flag.
    person = some(found, "nomUsuel", "prenom", "dateNaissance", "noNIRCertifie", "lstPeriodeAMO")
    person["c2s"] = flag(found["c2s"])
    needed = {"dateReponse": document["dateReponse"], "beneficiaireDeSoins": person}
    if code != "28":
        # Régime, caisse, centre; the code that sets the rate, not the illness group; the AME flag.
        needed["infosGlobales"] = some(document["infosGlobales"], "codeRegime", "codeCaisse", "codeCentre")
        periods = found["lstPeriodeCodeCouverture"]
        person["lstPeriodeCodeCouverture"] = [some(each, "codeSituation", "dateDebut", "dateFin") for each in periods]
        person |= {"ame": flag(found["ame"]), "topMedecinTraitant": found["topMedecinTraitant"]}
    if code == "10":
        # Declared with me, with another, with nobody.
        doctor = found["medecinTraitant"]
        person["medecinTraitant"] = doctor and some(doctor, "declareChezLeDemandeur")
    return {**needed, "contratsAMC": [needed_of_contract(each, code) for each in document["contratsAMC"]]}


@CODES
def test_a_consultation_gives_what_one_dispensation_needs(code: str) -> None:
    """Two thousand persons: children under a parent's NIR, twins, provisional numbers, agents' comments."""
    view, seen = view_of("droits.consultation", code), set()
    for person in people(CONSULTATIONS, f"consultations/{code}"):
        caller = practitioner(person.index % 1000, code).rpps
        document = documents_json.consultation(desk(), person, caller, "2026-11-22T10:15:00+01:00")
        told = asked(consultation(person.nir, person.birth_date, person.birth_rank))
        assert left(view, document, told) == needed_of_consultation(document, code)
        seen |= {
            "child" if not person.own_nir else person.quality,
            "twin" if person.birth_rank > 1 else "",
            "provisional" if person.provisional else "",
            "comment" if document["beneficiaireDeSoins"]["commentaire"] else "",  # type: ignore[index]
        }
    assert seen >= {"assure", "conjoint", "child", "twin", "provisional", "comment"}


@CODES
def test_a_consultation_with_the_key_gives_the_same(code: str) -> None:
    """Fifteen characters ask as thirteen do."""
    view = view_of("droits.consultation", code)
    for person in people(CONSULTATIONS // 20, f"keys/{code}"):
        document = documents_json.consultation(desk(), person, "99921000005", "2026-11-22T10:15:00+01:00")
        told = asked(consultation(person.nir + person.nir_key, person.birth_date, person.birth_rank))
        assert left(view, document, told) == needed_of_consultation(document, code)


@pytest.mark.parametrize("code", ["21", "10"])
def test_a_search_gives_names_and_the_birth_date_that_was_sent(code: str) -> None:
    """Who has the whole civil status finds who bears it: names, and no number."""
    view = view_of("beneficiaires.recherche", code)
    population = desk().people
    for person in people(SEARCHES, f"searches/{code}"):
        _, found = population.search(person.surname, person.first_name, person.birth_date)
        documents = [documents_json.beneficiary(desk(), each, population.family_of(each), "1") for each in found]
        document = {"total": len(found), "pageSuivante": "/v1/x?nom=ESSAI", "resultats": documents}
        told = asked(search(person.surname, person.first_name, person.birth_date))
        shown = [some(each, "nomUsuel", "prenom", "dateNaissance") for each in documents]
        assert left(view, document, told) == {"resultats": shown}


@CODES
def test_a_card_gives_the_routing_and_nobody(code: str) -> None:
    """Where to send the bill; of the family on the card, nothing."""
    view, count = view_of("cartes.beneficiaires", code), 0
    for person in people(CARDS, f"cards/{code}"):
        for one in desk().people.cards_of(person.family):
            document = documents_json.card_document(desk(), one, "1")
            shown = some(document, "numeroAMC", "typeConvention", "csr", "numeroAdherent", "periode")
            assert left(view, document, asked(card(one.amc.number, one.member))) == shown
            count += 1
    assert count > CARDS // 2


@CODES
def test_an_account_gives_name_and_establishment(code: str) -> None:
    """Not the bank details, the login or the address, which were taken in 2024 too."""
    view = view_of("compte.lecture", code)
    for k in range(ACCOUNTS):
        document = documents_json.account(practitioner(k, code).rpps)
        assert left(view, document, asked(account())) == some(document, "raisonSociale", "finess")

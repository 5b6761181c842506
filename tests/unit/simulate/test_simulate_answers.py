"""What the attacker and the pharmacy read out of an answer."""

import copy
from typing import Any

import pytest

from paravent.model import Json
from paravent.simulate.answers import Question, count_fields, expose
from paravent.simulate.needs import needs

CLAIRE = Question("2840575990003", "19840517", 1)
LOU = Question("2840575990003", "20190209", 1)


def person(nir: str, date: str, rank: int = 1, **more: Json) -> dict[str, Json]:
    return {"nomUsuel": "DURAND-TEST", "dateNaissance": date, "rangGemellaire": rank, "noNIRCertifie": nir, **more}


MOTHER = person("2840575990003", "19840517", prenom="CLAIRE", commentaire=None)
FATHER = person("182112A990014", "19821130", prenom="ANTOINE", adresse={"lignes": ["1 RUE DES ESSAIS", "BAT A"]})
CHILD = person("2840575990003", "20190209", prenom="LOU")


def answer(**more: Json) -> dict[str, Json]:
    contract: dict[str, Json] = {"numeroAMC": "99990001", "beneficiaires": [MOTHER, FATHER, CHILD]}
    return {
        "infosGlobales": {"codeRegime": "01"},
        "beneficiaireDeSoins": MOTHER,
        "famille": [FATHER, CHILD],
        "contratsAMC": [contract],
        **more,
    }


def test_a_person_listed_twice_counts_once() -> None:
    """The family stands under `famille` and again under each contract: three persons, not six."""
    assert set(expose(CLAIRE, answer()).fields) == {
        ("2840575990003", "19840517", 1),
        ("182112A990014", "19821130", 1),
        ("2840575990003", "20190209", 1),
    }


def test_fields_are_values_that_are_not_null() -> None:
    """Each line of an address is one; null is none; what stands outside persons is about the person asked about."""
    fields = expose(CLAIRE, answer()).fields
    assert fields["182112A990014", "19821130", 1] == 7
    assert fields["2840575990003", "20190209", 1] == 5
    assert fields[CLAIRE.person] == 5 + 2


def test_a_person_whom_a_reduced_answer_does_not_name_is_the_one_asked_about() -> None:
    """One field about somebody is enough to be exposed, without number or birth date in the answer."""
    assert expose(LOU, {"beneficiaireDeSoins": {"nomUsuel": "DURAND-TEST"}}).fields == {LOU.person: 1}


def test_a_child_with_a_number_of_its_own_is_one_person() -> None:
    """Asked for under a parent's number, answered with its own, and listed on the contract as well."""
    child = person("2190275990007", "20190209", prenom="LOU")
    document: Json = {"beneficiaireDeSoins": child, "contratsAMC": [{"csr": "0042", "beneficiaires": [child]}]}
    assert expose(LOU, document).fields == {("2190275990007", "20190209", 1): 6}


def test_rights_without_a_person_still_expose_the_one_asked_about() -> None:
    """A fund alone says that this person is insured there."""
    assert expose(LOU, {"infosGlobales": {"codeRegime": "01"}}).fields == {LOU.person: 1}


def test_a_relative_without_a_number_is_exposed_all_the_same() -> None:
    """Somebody else's first name does not count for the person asked about."""
    fields = expose(CLAIRE, {"beneficiaireDeSoins": MOTHER, "famille": [{"prenom": "LOU"}]}).fields
    assert len(fields) == 2
    assert fields[CLAIRE.person] == 5


@pytest.mark.parametrize(
    ("document", "nirs"),
    [
        pytest.param(
            {"beneficiaireDeSoins": {"noNIRCertifie": "2840575990003"}}, {"2840575990003"}, id="in its member"
        ),
        pytest.param(
            {"famille": [{"insMatricule": "182112A99001425"}]}, {"182112A990014"}, id="with its key, as the INS"
        ),
        pytest.param(
            {"beneficiaireDeSoins": {"commentaire": "NSS 2 84 05 75 990 003 26, rappeler"}},
            {"2840575990003"},
            id="in free text, written with spaces",
        ),
        pytest.param(
            {"contratsAMC": [{"numeroContrat": "CTR-2026-0012345678-01"}]}, set(), id="a contract number is none"
        ),
        pytest.param({"beneficiaireDeSoins": {"nomUsuel": "DURAND-TEST"}}, set(), id="a name is none"),
        pytest.param({}, set(), id="an empty answer holds none"),
        pytest.param(None, set(), id="what is not JSON holds none"),
    ],
)
def test_numbers_are_found_wherever_they_stand(document: Json, nirs: set[str]) -> None:
    """A NIR gained in a comment is gained."""
    assert expose(CLAIRE, document).nirs == nirs


FULL: dict[str, Any] = {
    "infosGlobales": {"codeRegime": "01", "codeCaisse": "759", "codeCentre": "0001", "libelleCaisse": "CPAM"},
    "beneficiaireDeSoins": {
        "nomUsuel": "DURAND-TEST",
        "prenom": "CLAIRE",
        "dateNaissance": "19840517",
        "rangGemellaire": 1,
        "lstPeriodeAMO": [{"dateDebut": "2026-01-01", "dateFin": None}],
        "lstPeriodeCodeCouverture": [{"codeSituation": "0100", "codeALD": "08", "dateDebut": "2025-05-01"}],
        "c2s": {"actif": True, "organisme": "CPAM"},
    },
    "famille": [FATHER],
    "contratsAMC": [
        {
            "numeroAMC": "99990001",
            "typeConvention": "SP",
            "csr": "0042",
            "numeroAdherent": "0012345678",
            "numeroContrat": "CTR-1",
            "periode": {"dateDebut": "2026-01-01", "dateFin": "2026-12-31"},
            "garanties": [{"domaine": "PHAR", "tauxPourcent": 100}, {"domaine": "OPTI", "tauxPourcent": 100}],
            "beneficiaires": [MOTHER],
        }
    ],
}


def changed(path: str, value: Json) -> dict[str, Any]:
    document = copy.deepcopy(FULL)
    *way, last = path.split("/")
    holder: Any = document
    for step in way:
        holder = holder[int(step) if step.isdecimal() else step]
    holder[int(last) if last.isdecimal() else last] = value
    return document


@pytest.mark.parametrize(
    "path",
    [
        "beneficiaireDeSoins/nomUsuel",
        "beneficiaireDeSoins/prenom",
        "infosGlobales/codeRegime",
        "infosGlobales/codeCaisse",
        "infosGlobales/codeCentre",
        "beneficiaireDeSoins/lstPeriodeAMO",
        "beneficiaireDeSoins/lstPeriodeAMO/0/dateDebut",
        "beneficiaireDeSoins/lstPeriodeCodeCouverture/0/codeSituation",
        "beneficiaireDeSoins/c2s",
        "contratsAMC/0/numeroAMC",
        "contratsAMC/0/typeConvention",
        "contratsAMC/0/csr",
        "contratsAMC/0/numeroAdherent",
        "contratsAMC/0/periode",
        "contratsAMC/0/garanties/0/tauxPourcent",
    ],
)
def test_a_dispensation_is_hindered_without(path: str) -> None:
    """What names the patient or routes and sets the bill."""
    assert needs(changed(path, None)) != needs(FULL)


@pytest.mark.parametrize(
    "path",
    [
        "famille",
        "infosGlobales/libelleCaisse",
        "beneficiaireDeSoins/lstPeriodeCodeCouverture/0/codeALD",
        "beneficiaireDeSoins/c2s/organisme",
        "contratsAMC/0/numeroContrat",
        "contratsAMC/0/beneficiaires",
        "contratsAMC/0/garanties/1",
    ],
)
def test_a_dispensation_does_not_need(path: str) -> None:
    """The family, the illness, the contract, the other guarantees."""
    assert needs(changed(path, None)) == needs(FULL)


def test_nothing_is_needed_of_what_is_not_an_answer() -> None:
    """A problem document or no JSON serves no dispensation."""
    assert needs(None) == frozenset()
    assert needs([]) == frozenset()
    assert needs({"type": "urn:paravent:problem:unavailable"}) != needs(FULL)


def test_all_fields_of_a_document_are_counted() -> None:
    """The figure of the before-and-after line."""
    assert count_fields({"a": [1, None, {"b": "x", "c": False}], "d": {}}) == 3

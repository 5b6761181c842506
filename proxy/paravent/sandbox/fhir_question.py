"""Who a FHIR CoverageEligibilityRequest asks about: a contained Patient, or only an identifier.

    {"resourceType": "CoverageEligibilityRequest", "patient": {"reference": "#p"},
     "contained": [{"resourceType": "Patient", "id": "p", "birthDate": "1984-05-17", "multipleBirthInteger": 1,
                    "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "284057599000326"}]}]}

    {"resourceType": "CoverageEligibilityRequest", "patient": {"identifier": {"system": "…", "value": "2840575990003"}}}

The second names no birth date: whoever holds the number is answered about.
"""

import re
from dataclasses import dataclass
from typing import Final

from paravent.sandbox.documents_fhir import birth_date
from paravent.sandbox.population import Person, Population
from paravent.sandbox.questions import NIR, Refused, split_key, text

_DATE: Final = re.compile(r"[0-9]{4}(?:-[0-9]{2}-[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class FhirQuestion:
    """As `questions.Question`, with a FHIR date."""

    sent: str
    nir: str
    birth_date: str | None
    """YYYY-MM-DD, or YYYY where civil status is incomplete; None: whoever holds the number."""
    birth_rank: int

    def __str__(self) -> str:
        return f"{self.sent}, né(e) le {self.birth_date or '?'}, rang {self.birth_rank}"


def _patient(request: dict[str, object]) -> dict[str, object]:
    """The contained Patient that `patient` refers to, or `patient` itself when it carries an identifier."""
    reference = request.get("patient")
    if not isinstance(reference, dict):
        raise Refused("invalid", "patient absent")
    contained = request.get("contained")
    for resource in contained if isinstance(contained, list) else []:
        if isinstance(resource, dict) and reference.get("reference") == f"#{resource.get('id')}":
            return resource
    return reference


def _number(patient: dict[str, object]) -> str:
    identifiers = patient.get("identifier")
    for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
        if isinstance(identifier, dict) and "value" in identifier:
            return text(identifier, "value", NIR)
    raise Refused("invalid", "identifiant absent")


def parse(request: dict[str, object]) -> FhirQuestion:
    """The beneficiary of a request. `Refused` when it names none."""
    if request.get("resourceType") != "CoverageEligibilityRequest":
        raise Refused("invalid", f"Ressource inattendue : {request.get('resourceType')}")
    patient = _patient(request)
    sent = _number(patient)
    born = text(patient, "birthDate", _DATE) if "birthDate" in patient else None
    rank = patient.get("multipleBirthInteger", 1)
    if type(rank) is not int or not 1 <= rank <= 9:
        raise Refused("invalid", f"multipleBirthInteger = {rank}")
    return FhirQuestion(sent, split_key(sent), born, rank)


def find(people: Population, question: FhirQuestion) -> Person | None:
    """Who is asked about, where the date may be only a year, or nothing at all."""
    if question.birth_date is None:
        return people.holder(question.nir)
    holder = people.holder(question.nir)
    if holder is None:
        return None
    for person in people.family_of(holder).members:
        named = (person.nir, birth_date(person), person.birth_rank)
        if named == (question.nir, question.birth_date, question.birth_rank):
            return person
    return None

"""The FHIR R4 answers: Bundles of CoverageEligibilityResponse, Coverage and Patient.

Identifiers of a Patient: INS-NIR (`urn:oid:1.2.250.1.213.1.4.8`, FR Core) and the social security number (type NH).
The number also stands in the narrative of each Patient, where a filter that knows only `identifier` overlooks it.
"""

from dataclasses import dataclass
from typing import Final

from paravent.sandbox.cards import Card
from paravent.sandbox.documents_json import Desk, Document
from paravent.sandbox.identifiers import DRESSES, dressed, nir_key
from paravent.sandbox.population import Family, Person

INS_NIR: Final = "urn:oid:1.2.250.1.213.1.4.8"
AMC_SYSTEM: Final = "urn:exemple:amc"
MEMBER_SYSTEM: Final = "urn:exemple:adherent"
RPPS_SYSTEM: Final = "urn:oid:1.2.250.1.71.4.2.1"
PAGE_SIZE: Final = 20
"""Cards a page of a search."""

_RELATIONSHIPS: Final = {"assure": "self", "conjoint": "spouse", "enfant": "child", "autre": "other"}


def birth_date(person: Person) -> str:
    """YYYY-MM-DD, or only the year where the date is no calendar date (FHIR dates may be partial)."""
    year, month, day = person.birth_date[:4], person.birth_date[4:6], person.birth_date[6:]
    return f"{year}-{month}-{day}" if "01" <= month <= "12" and day != "00" else year


def patient(desk: Desk, person: Person, family: Family) -> Document:
    """A Patient with both identifiers, narrative, address and declared doctor."""
    rights = desk.rights.of(person, family)
    home = desk.rights.address(person.family)
    nir15 = person.nir + nir_key(person.nir)
    document: Document = {
        "resourceType": "Patient",
        "id": f"REF-{person.index:08d}",
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{person.surname} {person.first_name}, '
            f"{dressed(person.nir, DRESSES[0])}</div>",
        },
        "identifier": [
            {"use": "official", "system": INS_NIR, "value": nir15},
            {"type": {"coding": [{"code": "NH"}]}, "value": person.nir},
        ],
        "name": [
            {"use": "usual", "family": person.surname, "given": [person.first_name]},
            {"use": "official", "family": person.birth_name, "given": [person.first_name]},
        ],
        "gender": "male" if person.sex == "M" else "female",
        "birthDate": birth_date(person),
        "multipleBirthInteger": person.birth_rank,
        "address": [{"line": list(home.lines), "postalCode": home.postcode, "city": home.town, "country": "FR"}],
    }
    if rights.doctor is not None:
        identifier = {"system": RPPS_SYSTEM, "value": rights.doctor.rpps}
        document["generalPractitioner"] = [{"identifier": identifier, "display": rights.doctor.surname}]
    return document


def coverage(desk: Desk, card: Card, person: Person, family: Family) -> Document:
    """One person's Coverage by one card. Names the person even where no Patient is included."""
    contract = desk.contracts.of(card)
    insured = family.members[0]
    return {
        "resourceType": "Coverage",
        "id": f"COV-{card.index:08d}-{family.members.index(person)}",
        "identifier": [{"system": "urn:exemple:contrat", "value": contract.number}],
        "status": "active",
        "type": {"text": card.amc.convention},
        "subscriberId": card.member,
        "policyHolder": _reference(insured),
        "subscriber": _reference(insured),
        "beneficiary": _reference(person),
        "dependent": str(family.members.index(person)),
        "relationship": {"coding": [{"code": _RELATIONSHIPS[person.quality]}]},
        "period": {"start": contract.period.start, "end": contract.period.end},
        "payor": [{"identifier": {"system": AMC_SYSTEM, "value": card.amc.number}, "display": card.amc.name}],
        "class": [
            {"type": {"coding": [{"code": "group"}]}, "value": contract.reference, "name": card.amc.routing},
            *(
                {
                    "type": {"coding": [{"code": "plan"}]},
                    "value": one.domain,
                    "name": f"{one.label} : {one.rate_percent} %",
                }
                for one in contract.guarantees
            ),
        ],
    }


def _reference(person: Person) -> Document:
    return {"reference": f"Patient/REF-{person.index:08d}", "display": f"{person.surname} {person.first_name}"}


def _entry(resource: Document, mode: str | None = None) -> Document:
    entry: Document = {"fullUrl": f"/fhir/{resource['resourceType']}/{resource['id']}", "resource": resource}
    return entry if mode is None else entry | {"search": {"mode": mode}}


def eligibility(desk: Desk, person: Person, created: str) -> Document:
    """The Bundle for one person: the response, then coverages and Patients of the whole family.

    `created`: RFC 3339 date and time.
    """
    family = desk.people.family_of(person)
    rights = desk.rights.of(person, family)
    coverages = [
        coverage(desk, card, member, family)
        for card in desk.people.cards_of(family.number)
        for member in family.members
    ]
    response: Document = {
        "resourceType": "CoverageEligibilityResponse",
        "id": f"ELI-{person.index:08d}",
        "status": "active",
        "purpose": ["benefits"],
        "patient": _reference(person),
        "created": created,
        "outcome": "complete",
        "disposition": f"Droits ouverts pour {person.nir}",
        "insurer": {"display": desk.rights.scheme(family.number).label},
        "insurance": [
            {
                "coverage": {"reference": f"Coverage/{one['id']}"},
                "inforce": True,
                "benefitPeriod": {"start": rights.amo.start},
                "item": [{"category": {"text": line.group}, "name": line.label} for line in rights.situations],
            }
            for one in coverages
        ],
    }
    patients = [patient(desk, member, family) for member in family.members]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": created,
        "entry": [_entry(resource) for resource in (response, *coverages, *patients)],
    }


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search for coverages."""

    cards: list[Card]
    total: int
    """Cards that match, on all pages."""
    this: str
    """Its own address."""
    following: str | None
    """That of the next page."""


def coverages(desk: Desk, page: Page, *, include_patients: bool) -> Document:
    """The searchset: every person on every card found, and on request every Patient."""
    entries: list[Document] = []
    for card in page.cards:
        family = desk.people.family(card.family)
        entries += [_entry(coverage(desk, card, member, family), "match") for member in family.members]
        if include_patients:
            entries += [_entry(patient(desk, member, family), "include") for member in family.members]
    links = [{"relation": "self", "url": page.this}]
    if page.following is not None:
        links.append({"relation": "next", "url": page.following})
    return {"resourceType": "Bundle", "type": "searchset", "total": page.total, "link": links, "entry": entries}


def outcome(code: str, message: str) -> Document:
    """An OperationOutcome that repeats the question."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": message}],
    }

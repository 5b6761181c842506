"""Who a FHIR CoverageEligibilityRequest asks about, read from the only form of it that names one person.

    {"resourceType": "CoverageEligibilityRequest", "status": "active", "purpose": ["benefits"], "created": "2026-11-22",
     "patient": {"reference": "#p"}, "insurer": {"display": "…"}, "servicedDate": "2026-11-22",
     "contained": [{"resourceType": "Patient", "id": "p", "birthDate": "1984-05-17", "multipleBirthInteger": 1,
                    "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "284057599000326"}]}]}

A request that names its patient by identifier or by reference to another server tells no birth date, and is refused.
Members are found by their type: NIR, birth date, birth rank, care date. Without `servicedDate` the care date is the day
of `created`.
"""

import re
from collections.abc import Mapping
from typing import Final

from paravent.model import Json
from paravent.rules import FieldType, Operation

INS_NIR: Final = "urn:oid:1.2.250.1.213.1.4.8"
INS_NIA: Final = "urn:oid:1.2.250.1.213.1.4.9"
_TYPES: Final = {INS_NIR: "INS-NIR", INS_NIA: "INS-NIA"}
"""FR Core, FRCorePatientINSProfile: a system, and the type that an identifier of it must have there. Those of test and
demonstration (.10, .11) are none of production."""


class Awaited(str):
    """A number that stands in for a NIR while its person is being registered (NIA). Its system alone tells, and the API
    may look for numbers by system."""

    __slots__ = ()


_REQUEST: Final = frozenset(
    {"resourceType", "status", "purpose", "created", "patient", "insurer", "contained", "servicedDate", "id"}
)
_PATIENT: Final = frozenset({"resourceType", "id", "identifier", "birthDate", "multipleBirthInteger"})
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read(operation: Operation, request: dict[str, Json]) -> dict[str, Json] | None:
    """The members that the operation names, by type; None for a request of another form."""
    contained, reference = request.get("contained"), request.get("patient")
    if request.get("resourceType") != "CoverageEligibilityRequest" or not request.keys() <= _REQUEST:
        return None
    if not isinstance(contained, list) or len(contained) != 1 or not isinstance(reference, dict):
        return None
    patient = contained[0]
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient" or not patient.keys() <= _PATIENT:
        return None
    id = patient.get("id")
    if not isinstance(id, str) or reference != {"reference": f"#{id}"}:
        return None
    found = {
        FieldType.NIR: _nir(patient.get("identifier")),
        FieldType.BIRTH_DATE: _compact(patient.get("birthDate")),
        FieldType.BIRTH_RANK: patient.get("multipleBirthInteger", 1),
        FieldType.DATE: request.get("servicedDate", _day(request.get("created"))),
    }
    return {field.name: found[field.type] for field in operation.request if found.get(field.type) is not None}


def _nir(identifiers: Json) -> Json:
    if not isinstance(identifiers, list) or len(identifiers) != 1 or not isinstance(identifiers[0], dict):
        return None
    only = identifiers[0]
    system, value = only.get("system"), only.get("value")
    if not only.keys() <= {"use", "type", "system", "value"} or not isinstance(system, str) or system not in _TYPES:
        return None
    if not isinstance(value, str) or ("type" in only and not _says(only["type"], _TYPES[system])):
        return None
    return value if system == INS_NIR else Awaited(value)


def _says(concept: Json, code: str) -> bool:
    """Whether a type says this code alone, or says it in words."""
    if not isinstance(concept, dict) or not concept.keys() <= {"coding", "text"}:
        return False
    codings = concept.get("coding", [])
    return isinstance(codings, list) and all([isinstance(each, dict) and each.get("code") == code for each in codings])


def _compact(date: Json) -> Json:
    """`1984-05-17` as the field type has it. A partial date names nobody (FHIR R4 section 2.24.0.1, date)."""
    return date.replace("-", "") if isinstance(date, str) and _DATE.fullmatch(date) else None


def _day(moment: Json) -> Json:
    return moment[:10] if isinstance(moment, str) else None


TYPES: Final = (FieldType.NIR, FieldType.BIRTH_DATE, FieldType.BIRTH_RANK, FieldType.DATE)
"""What such a request asks with: no more, no less."""


def write(operation: Operation, members: Mapping[str, Json]) -> dict[str, Json]:
    """The request anew: nothing of the caller's in it but the members."""
    # `lint` holds that the operation has exactly these four.
    by_type = {field.type: members[field.name] for field in operation.request}
    day, born, number = by_type[FieldType.DATE], str(by_type[FieldType.BIRTH_DATE]), by_type[FieldType.NIR]
    system = INS_NIA if isinstance(number, Awaited) else INS_NIR
    patient: dict[str, Json] = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": system, "value": number}],
        "birthDate": f"{born[:4]}-{born[4:6]}-{born[6:]}",
        "multipleBirthInteger": by_type[FieldType.BIRTH_RANK],
    }
    return {
        "resourceType": "CoverageEligibilityRequest",
        "contained": [patient],
        "status": "active",
        "purpose": ["benefits"],
        "patient": {"reference": "#p"},
        "servicedDate": day,
        "created": day,
        "insurer": {"display": "Assurance maladie"},
    }

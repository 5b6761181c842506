"""The bulk export: one beneficiary a row, number included."""

import csv
import io
from collections.abc import Iterable
from typing import Final

from paravent.sandbox.documents_json import Desk, household
from paravent.sandbox.population import Person

COLUMNS: Final = (
    "referenceInterne", "nomUsuel", "nomPatronymique", "prenom", "sexe", "dateNaissance", "rangGemellaire",
    "lieuNaissance", "noNIRCertifie", "cleNIR", "qualite", "commentaire", "codePostal", "commune",
    "numeroAMC", "numeroAdherent",
)  # fmt: skip


def export(desk: Desk, persons: Iterable[Person], caller: str) -> bytes:
    """A header row and one row a person (RFC 4180), in UTF-8."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for person in persons:
        family = desk.people.family_of(person)
        document = household(desk, family, caller)[family.members.index(person)]
        home = document["adresse"]
        assert isinstance(home, dict)
        card = next(iter(desk.people.cards_of(person.family)), None)
        rows.writerow(
            [
                *(document[name] for name in COLUMNS[:12]),
                home["codePostal"],
                home["commune"],
                "" if card is None else card.amc.number,
                "" if card is None else card.member,
            ]
        )
    return out.getvalue().encode()

"""What a pharmacist needs of an answer to dispense and to bill: no more, and nothing less.

The right person (names); for the compulsory scheme the fund, the periods of rights, what sets the rate, and C2S or
AME; for the complementary insurer what routes an invoice, its validity, and the rate for pharmacy. Source: the five
labelled items of the harmonised third-party-payer card, and the fields that billing software reads from ADRi.

An answer is good enough when the same needs are read from it as from the API's own answer to the same question.
"""

from paravent.model import Json
from paravent.simulate.answers import ASKED

type Need = tuple[str, ...]
"""A name, then values as text."""

_WHO = ("nomUsuel", "prenom", "dateNaissance", "rangGemellaire")
_FUND = ("codeRegime", "codeCaisse", "codeCentre")
_ROUTE = ("numeroAMC", "typeConvention", "csr", "numeroAdherent")
_DOMAIN = "PHAR"


def needs(document: Json) -> frozenset[Need]:
    """Everything needed that an answer to a consultation holds. Empty for anything else."""
    if not isinstance(document, dict):
        return frozenset()
    person = _object(document.get(ASKED))
    fund = _object(document.get("infosGlobales"))
    found = [_values("name", person, ("nomUsuel", "prenom")), _values("fund", fund, _FUND)]
    found += [_period("AMO", period) for period in _objects(person.get("lstPeriodeAMO"))]
    for cover in _objects(person.get("lstPeriodeCodeCouverture")):
        found.append((*_values("situation", cover, ("codeSituation",)), *_period("", cover)[1:]))
    found += [(name, str(_object(person.get(name)).get("actif", False))) for name in ("c2s", "ame")]
    for contract in _objects(document.get("contratsAMC")):
        if _covers(contract, person):
            found.append((*_values("AMC", contract, _ROUTE), *_period("", _object(contract.get("periode")))[1:]))
            found += [
                _guarantee(each) for each in _objects(contract.get("garanties")) if each.get("domaine") == _DOMAIN
            ]
    return frozenset(found)


def _guarantee(guarantee: dict[str, Json]) -> Need:
    return _values("guarantee", guarantee, ("domaine", "tauxPourcent"))


def _covers(contract: dict[str, Json], person: dict[str, Json]) -> bool:
    """A contract of the card that does not list this person is not theirs. A reduced answer lists nobody."""
    listed = _objects(contract.get("beneficiaires"))
    return not listed or _values("", person, _WHO) in {_values("", each, _WHO) for each in listed}


def _values(name: str, holder: dict[str, Json], members: tuple[str, ...]) -> Need:
    return name, *(str(holder.get(member)) for member in members)


def _period(name: str, holder: dict[str, Json]) -> Need:
    return _values(name, holder, ("dateDebut", "dateFin"))


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

"""The JSON answers, and the content that every other format repeats.

Members are those of the OpenAPI file. Nothing is left out because it was not asked for: that is the fault this API
exists to have.
"""

from dataclasses import dataclass

from paravent.sandbox.cards import Card
from paravent.sandbox.contracts import Contracts
from paravent.sandbox.identifiers import nir_key
from paravent.sandbox.permutation import noise
from paravent.sandbox.population import Family, Person, Population
from paravent.sandbox.practitioners import account_of
from paravent.sandbox.rights import YEAR, Address, Period, RightsDesk

type Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers are made from, and for whom."""

    people: Population
    rights: RightsDesk
    contracts: Contracts

    @classmethod
    def of(cls, people: Population) -> "Desk":
        """A desk for a population."""
        return cls(people, RightsDesk(people), Contracts(people.seed))


def period(of: Period) -> Document:
    """`Periode`."""
    return {"dateDebut": of.start, "dateFin": of.end}


def address(of: Address) -> Document:
    """`Adresse`."""
    return {"lignes": list(of.lines), "codePostal": of.postcode, "commune": of.town}


def beneficiary(desk: Desk, person: Person, family: Family, caller: str) -> Document:
    """`Beneficiaire`. `caller`: RPPS of who asks."""
    return _beneficiary(desk, person, family, address(desk.rights.address(family.number)), caller)


def household(desk: Desk, family: Family, caller: str) -> list[Document]:
    """`Beneficiaire` of everyone in a family, who share one address."""
    home = address(desk.rights.address(family.number))
    return [_beneficiary(desk, member, family, home, caller) for member in family.members]


def _beneficiary(desk: Desk, person: Person, family: Family, home: Document, caller: str) -> Document:
    rights = desk.rights.of(person, family)
    doctor = rights.doctor
    key = nir_key(person.nir)
    document: Document = {
        "referenceInterne": f"REF-{person.index:08d}",
        "nomUsuel": person.surname,
        "nomPatronymique": person.birth_name,
        "prenom": person.first_name,
        "sexe": person.sex,
        "dateNaissance": person.birth_date,
        "rangGemellaire": person.birth_rank,
        "lieuNaissance": person.birth_place,
        "noNIRCertifie": person.nir,
        "cleNIR": key,
        "insMatricule": person.nir + key,
        "qualite": person.quality,
        "adresse": home,
        "topMedecinTraitant": doctor is not None,
        "medecinTraitant": None
        if doctor is None
        else {"nom": doctor.surname, "rpps": doctor.rpps, "declareChezLeDemandeur": doctor.rpps == caller},
        "codeServiceAMO": rights.service,
        "lstPeriodeAMO": [period(rights.amo)],
        "lstPeriodeCodeCouverture": [
            {
                "groupe": one.group,
                "dateDebut": one.period.start,
                "dateFin": one.period.end,
                "codeALD": one.long_term,
                "codeSituation": one.code,
                "libelle": one.label,
            }
            for one in rights.situations
        ],
        "c2s": rights.c2s and {"actif": True, "periode": period(rights.c2s), "organisme": rights.c2s_manager},
        "ame": rights.ame and {"actif": True, "periode": period(rights.ame)},
        "commentaire": rights.comment,
    }
    if person.provisional:
        # A national health identity is only carried where it is qualified, and a provisional number cannot be.
        del document["insMatricule"]
    return document


def contract(desk: Desk, card: Card, members: list[Document]) -> Document:
    """`ContratAMC`. `members`: `household` of the card's family."""
    behind = desk.contracts.of(card)
    return {
        "numeroAMC": card.amc.number,
        "libelleAMC": card.amc.name,
        "typeConvention": card.amc.convention,
        "csr": card.amc.routing,
        "numeroAdherent": card.member,
        "numeroContrat": behind.number,
        "referenceInterne": behind.reference,
        "contratResponsable": behind.responsible,
        "periode": period(behind.period),
        "garanties": [
            {
                "domaine": one.domain,
                "libelle": one.label,
                "tauxPourcent": one.rate_percent,
                "plafondCentimes": one.ceiling_centimes,
            }
            for one in behind.guarantees
        ],
        "beneficiaires": members,
    }


def consultation(desk: Desk, person: Person, caller: str, answered_at: str) -> Document:
    """`ConsultationResponse`: the person, the whole family, every contract with everyone on it.

    `answered_at`: RFC 3339 date and time.
    """
    family = desk.people.family_of(person)
    members = household(desk, family, caller)
    position = family.members.index(person)
    scheme = desk.rights.scheme(person.family)
    return {
        "dateReponse": answered_at,
        "infosGlobales": {
            "codeRegime": scheme.regime,
            "codeCaisse": scheme.fund,
            "codeCentre": scheme.centre,
            "libelleCaisse": scheme.label,
        },
        "beneficiaireDeSoins": members[position],
        "famille": members[:position] + members[position + 1 :],
        "contratsAMC": [contract(desk, card, members) for card in desk.people.cards_of(person.family)],
    }


def card_document(desk: Desk, card: Card, caller: str) -> Document:
    """The card with everyone on it."""
    return contract(desk, card, household(desk, desk.people.family(card.family), caller))


@dataclass(frozen=True, slots=True)
class Quote:
    """What an agreement is asked for."""

    domain: str
    centimes: int
    validity: Period
    """Of the agreement, if it is given."""


def prior_agreement(desk: Desk, person: Person, quote: Quote, caller: str) -> Document:
    """An amount and a reference, and with them the person and the contract entire."""
    family = desk.people.family_of(person)
    members = household(desk, family, caller)
    card = next(iter(desk.people.cards_of(person.family)), None)
    guarantee = None if card is None else desk.contracts.of(card).guarantee(quote.domain)
    amount = 0
    if guarantee is not None:
        ceiling = guarantee.ceiling_centimes
        amount = quote.centimes if ceiling is None else min(quote.centimes, ceiling)
    reference = noise(desk.people.seed, person.index ^ quote.centimes << 26) % 10**10
    document: Document = {
        "accord": amount > 0,
        "referenceAccord": f"PEC-{YEAR}-{reference:010d}",
        "montantAMCCentimes": amount,
        "validite": period(quote.validity),
        "beneficiaire": members[family.members.index(person)],
    }
    return document if card is None else document | {"contrat": contract(desk, card, members)}


def account(rpps: str) -> Document:
    """The account of whoever asks, bank details included."""
    own = account_of(rpps)
    return {
        "raisonSociale": own.company,
        "identifiant": own.rpps,
        "email": own.email,
        "telephone": own.telephone,
        "adresse": {"lignes": [own.street], "codePostal": own.postcode, "commune": own.town},
        "finess": own.finess,
        "siret": own.siret,
        "iban": own.iban,
        "reseauxDeSoins": list(own.networks),
    }

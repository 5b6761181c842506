"""Practitioners who do not exist, with everything that their account page shows.

    practitioner(0, "21")           # the first pharmacist: rpps 99921000005 or so
    account_of("99921000005")       # the same one again

RPPS numbers here start with 999, then the profession, then a serial number; the last digit passes Luhn as a real one's
does. FINESS numbers start with 99 (no département), bank accounts are at bank 99999, telephone numbers are from the
ranges that ARCEP keeps for fiction (01 99 00, 06 39 98), addresses end in .invalid (RFC 2606).
"""

from dataclasses import dataclass
from typing import Final

from paravent.sandbox.identifiers import iban, luhn_digit, luhn_valid
from paravent.sandbox.names import FIRST_NAMES, STREETS, SURNAMES, TOWNS
from paravent.sandbox.permutation import key_of, noise

RPPS_PREFIX: Final = "999"
MAX_SERIAL: Final = 99_999
PROFESSIONS: Final = {
    "10": "CABINET MÉDICAL", "21": "PHARMACIE", "26": "AUDITION", "28": "OPTIQUE", "40": "CABINET DENTAIRE",
    "50": "CABINET DE SAGE-FEMME", "60": "CABINET INFIRMIER", "70": "CABINET DE KINÉSITHÉRAPIE",
    "80": "CABINET DE PODOLOGIE", "91": "CABINET D'ORTHOPHONIE",
}  # fmt: skip
"""TRE_G15 code → what the establishment calls itself."""
PHARMACISTS_A_PHARMACY: Final = 3
"""54 000 pharmacists work in 19 600 pharmacies (2024-25)."""
NETWORKS: Final = ("RÉSEAU ESSAI+", "TEST SANTÉ", "LES TILLEULS")

_KEY: Final = key_of(2022, "practitioners")
_PROFESSION_DIGIT: Final = {code: str(position) for position, code in enumerate(PROFESSIONS)}


@dataclass(frozen=True, slots=True)
class Account:
    """One invented practitioner, and the account that the breached portals also gave away. Computed as it is read."""

    rpps: str
    """11 digits."""
    profession: str
    """TRE_G15 code."""
    serial: int
    """0 to `MAX_SERIAL`, within the profession."""

    @property
    def _personal(self) -> int:
        return noise(_KEY, int(self.profession) << 32 | self.serial)

    @property
    def _site(self) -> str:
        """Eight digits that pharmacists of one pharmacy share: no département, profession, serial number."""
        site = self.serial // PHARMACISTS_A_PHARMACY if self.profession == "21" else self.serial
        return f"99{_PROFESSION_DIGIT[self.profession]}{site:05d}"

    @property
    def _local(self) -> int:
        return noise(_KEY, int(self._site) << 8)

    @property
    def surname(self) -> str:
        return SURNAMES[(self._personal >> 8) % len(SURNAMES)]

    @property
    def first_name(self) -> str:
        names = FIRST_NAMES["FM"[self._personal & 1]]
        return names[(self._personal >> 24) % len(names)]

    @property
    def finess(self) -> str:
        """9 digits; shared by the pharmacists of one pharmacy."""
        return self._site + luhn_digit(self._site)

    @property
    def company(self) -> str:
        """`raisonSociale`."""
        return f"{PROFESSIONS[self.profession]} DE {self.town}"

    @property
    def siret(self) -> str:
        """14 digits, both keys right (SIREN and SIRET pass Luhn)."""
        establishment = self.finess + "0001"
        return establishment + luhn_digit(establishment)

    @property
    def iban(self) -> str:
        """27 characters, international key right."""
        return iban(f"9999900001{self.serial:05d}{self.profession}{self._local % 10**4:04d}{self._local % 97:02d}")

    @property
    def email(self) -> str:
        return f"contact.{self.rpps}@essai.invalid"

    @property
    def telephone(self) -> str:
        return f"{('019900', '063998')[self._personal >> 40 & 1]}{self.serial % 10**4:04d}"

    @property
    def street(self) -> str:
        return f"{1 + self._local % 120} {STREETS[(self._local >> 16) % len(STREETS)]}"

    @property
    def postcode(self) -> str:
        return f"{1 + self._local % 95:02d}099"

    @property
    def town(self) -> str:
        return TOWNS[(self._local >> 8) % len(TOWNS)]

    @property
    def networks(self) -> tuple[str, ...]:
        """`reseauxDeSoins`."""
        return tuple(name for bit, name in enumerate(NETWORKS) if self._local >> (32 + bit) & 1)


def practitioner(k: int, profession: str) -> Account:
    """The k-th, 0 to `MAX_SERIAL`, of a profession of `PROFESSIONS`. ValueError for any other."""
    if not 0 <= k <= MAX_SERIAL or profession not in PROFESSIONS:
        raise ValueError("no such invented practitioner")
    digits = f"{RPPS_PREFIX}{profession}{k:05d}"
    return Account(digits + luhn_digit(digits), profession, k)


def account_of(rpps: str) -> Account:
    """The account under an RPPS: of `practitioner` when it is one of ours, else one made up for the occasion."""
    profession = rpps[3:5]
    if len(rpps) == 11 and rpps.startswith(RPPS_PREFIX) and luhn_valid(rpps) and profession in PROFESSIONS:
        return Account(rpps, profession, int(rpps[5:10]))
    return Account(rpps, "21", key_of(2022, rpps) % (MAX_SERIAL + 1))

"""Numbers as the field writes them: NIR and its key, the dressed forms agents type, Luhn digits.

Written apart from `paravent.nir` on purpose: the upstream must not share a mistake with the proxy in front of it.
"""

from typing import Final

type Dress = tuple[str, str, str | None]
"""Label before the number, separator between its groups, separator before its key (None: no key)."""

DRESSES: Final[tuple[Dress, ...]] = (
    ("NSS ", " ", " "),
    ("n° sécu : ", "", ""),
    ("NIR ", "", " "),
    ("numéro ", "-", "-"),
    ("SS ", ".", "."),
    ("immat. ", "\u00a0", "\u00a0"),
    ("sécu=", "", "-"),
    ("INSEE ", " ", None),
)
"""How a number looks when a person typed it: spaces by group are customary (python-stdnum), 13 digits + space + key
is Microsoft Purview's pattern, points, hyphens and no-break spaces are seen."""


def nir_key(nir: str) -> str:
    """The two-digit key of 13 characters: 97 - (n mod 97), where Corsica counts as 2A → 19 and 2B → 18."""
    number = int(nir.replace("2A", "19", 1).replace("2B", "18", 1))
    return f"{97 - number % 97:02d}"


def dressed(nir: str, dress: Dress) -> str:
    """The number as somebody typed it into a comment: "NSS 2 84 05 75 990 003 26"."""
    label, between, before_key = dress
    groups = (nir[0], nir[1:3], nir[3:5], nir[5:7], nir[7:10], nir[10:13])
    key = "" if before_key is None else before_key + nir_key(nir)
    return label + between.join(groups) + key


def luhn_digit(digits: str) -> str:
    """The check digit that makes `digits` + it pass Luhn (ISO/IEC 7812-1 annex B): RPPS, SIRET."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def luhn_valid(number: str) -> bool:
    """Whether the last digit is the Luhn digit of the others."""
    return number.isdecimal() and number.isascii() and len(number) > 1 and luhn_digit(number[:-1]) == number[-1]


def iban(account: str) -> str:
    """A French IBAN around a 23-character domestic account (ISO 13616: check digits are 98 - n mod 97)."""
    number = int("".join(str(int(char, 36)) for char in account + "FR00"))
    return f"FR{98 - number % 97:02d}{account}"

"""One number in every dress that people, forms and software give it."""

import base64
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from paravent.nir import nir_key

NIR: Final = "2840575990003"
KEY: Final = nir_key(NIR)
CORSE: Final = "292112B993001"


def spaced(nir: str, between: str = " ") -> str:
    return between.join((nir[0], nir[1:3], nir[3:5], nir[5:7], nir[7:10], nir[10:13]))


DRESSES: Final = {
    "plain": NIR,
    "with its key": NIR + KEY,
    "with its key apart": f"{NIR} {KEY}",
    "in groups": f"{spaced(NIR)} {KEY}",
    "with no-break spaces": spaced(NIR, "\u00a0"),
    "with narrow spaces": spaced(NIR, "\u202f"),
    "with dots": spaced(NIR, "."),
    "with hyphens": spaced(NIR, "-"),
    "with typographic hyphens": spaced(NIR, "\u2011"),
    "with slashes": spaced(NIR, "/"),
    "with zero-width characters": "\u200b".join(NIR),
    "with soft hyphens": spaced(NIR, "\u00ad"),
    "in full-width digits": NIR.translate({48 + n: 0xFF10 + n for n in range(10)}),
    "in Arabic digits": NIR.translate({48 + n: 0x0660 + n for n in range(10)}),
    "in mathematical digits": NIR.translate({48 + n: 0x1D7CE + n for n in range(10)}),
    "digit by digit": " ".join(NIR),
    "Corsican": CORSE,
    "Corsican, small": CORSE.lower(),
    "Corsican, in groups": spaced(CORSE),
    "a NIA": "7840575990003",
    "an NNP": "7112345678901",
    "a MIG": "6112345678901",
    "of a foreigner being registered": "3840575990003",
    "of an unknown month": "2844275990003",
    "glued to letters": f"nir{NIR}x",
    "glued to an underscore": f"_{NIR}_",
    "URL-escaped": "".join(f"%{ord(digit):02X}" for digit in NIR),
    "URL-escaped between": quote(spaced(NIR)),
    "HTML-escaped": "".join(f"&#{ord(digit)};" for digit in NIR),
    "HTML-escaped, hexadecimal": "".join(f"&#x{ord(digit):x};" for digit in NIR),
    "HTML-escaped between": spaced(NIR, "&nbsp;"),
    "JSON-escaped": "".join(f"\\u{ord(digit):04x}" for digit in NIR),
    "in base64": base64.b64encode(NIR.encode()).decode(),
    "in base64, with its key": base64.b64encode((NIR + KEY).encode()).decode(),
    "in base64, in groups": base64.b64encode(spaced(NIR).encode()).decode(),
    "in base64, inside a sentence": base64.b64encode(f"Mme X, {NIR}, Lyon".encode()).decode(),
    "in base64, one byte later": base64.b64encode(f"a{NIR}".encode()).decode(),
    "in base64, two bytes later": base64.b64encode(f"ab{NIR}".encode()).decode(),
    "in base64url, unpadded": base64.urlsafe_b64encode(f"??{NIR}??".encode()).decode().rstrip("="),
    "in free text": f"mutation demandée (nir {NIR} {KEY}), pièces reçues",
}


KINDS: Final = {
    "a NIR": NIR,
    "with its key": NIR + KEY,
    "of Corsica": CORSE,
    "of Corsica, with its key": CORSE + nir_key(CORSE),
    "a NIA": "7840575990003",
    "an NNP": "7112345678901",
    "a MIG": "6112345678901",
    "of a foreigner being registered": "3840575990003",
    "of an unknown month": "2844275990003",
}


def _full_width(text: str) -> str:
    return text.translate({48 + n: 0xFF10 + n for n in range(10)})


def _cut(between: str) -> Callable[[str], str]:
    return lambda number: spaced(number[:13], between) + (between + number[13:]) * (len(number) > 13)


CUTS: Final[dict[str, Callable[[str], str]]] = {
    "in one piece": str,
    "in small letters": str.lower,
    **{f"with {between!r}": _cut(between) for between in " .-/_\u00a0\u202f\u2009\u3000\u2011\u2013\u200b\u00ad\u2060"},
    "with zero-width characters": "\u200b".join,
    "in full-width digits": _full_width,
    "in full-width digits and blanks": lambda number: _full_width(_cut("\u3000")(number)),
    "digit by digit": " ".join,
}

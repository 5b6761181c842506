"""The last look at the bytes that leave: every dress of a number, and everything that is no number."""

import base64
from typing import Final
from urllib.parse import quote

import pytest

from paravent.masking.scanner import MAX_CAUSES, leaks
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


@pytest.mark.parametrize("frame", ['{{"commentaire":"{}"}}', "<td>{}</td>", "nom,{},x\r\n", "{}"])
@pytest.mark.parametrize("dress", DRESSES)
def test_an_identifier_is_found_in_any_dress(dress: str, frame: str) -> None:
    """In a JSON text, in an element, in a cell, alone."""
    assert leaks(frame.format(DRESSES[dress]).encode(), ())


HARMLESS: Final = {
    "an amount": '{"montantCentimes":123456789012}',
    "amounts in a list": "[284,5,75,99,3,1000000000000]".replace("1000000000000", "42"),
    "an amount with spaces": "1 234 567 890 123,00 EUR",
    "dates": '{"debut":"2026-01-01","fin":"2026-12-31"}',
    "compact dates": '{"debut":"20260101","fin":"20261231"}',
    "a moment": '"2026-11-22T09:30:00.123456+01:00"',
    "an IBAN": "FR7699990999990001234567897",
    "an IBAN in groups": "FR76 9999 0999 9900 0123 4567 897",
    "a telephone": "01 99 00 12 34",
    "a telephone abroad": "+33 1 99 00 12 34",
    "a SIRET": "99999999900014",
    "a SIRET in groups": "999 999 999 00014",
    "an RPPS": "99910290073",
    "a FINESS": "999900123",
    "a member number": "0012357976",
    "a contract number": "CTR-2026-0012357976-01",
    "a medicine": "3400934857591",
    "a UUID": "urn:uuid:00000000-0000-4000-8000-000000000001",
    "a handle": "h1.AAIA6hLzNVyMsDbJJwz-8o0yv5y_9Q3m5yZJ8yU8O4cV",
    "a pseudonym": "MZXW6YTBOI7777AA",
    "a card number": "4970 1012 3456 7893",
    "cells of two records": "x,0612345678\r\n0123456,y\r\n",
    "long words": "lstPeriodeCodeCouverture/declareChezLeDemandeur",
    "per cent": "Pharmacie 65/30/15 %",
    "escaped text": "&lt;b&gt;L&#39;&eacute;t&eacute; 100&nbsp;%&lt;/b&gt;",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_identifier_is_left_alone(name: str) -> None:
    """Amounts, dates, telephones, and numbers of other kinds."""
    assert not leaks(HARMLESS[name].encode(), ())


def test_what_a_rule_allowed_may_stand_in_the_document() -> None:
    """The number that was sent, with or without its key, and a member number that an operator let pass."""
    body = f'{{"nir":"{NIR}{KEY}","numeroAdherent":"3999999990001"}}'.encode()
    assert leaks(body, ())
    assert leaks(body, (NIR,))
    assert not leaks(body, (NIR, "3999999990001"))


def test_a_document_that_cannot_be_looked_through_in_time_does_not_leave() -> None:
    """Each cause for a closer look costs; no answer has hundreds."""
    assert not leaks(b"&lt; " * 20, ())
    assert leaks(b"&lt;" + b" " * 200 + (b"&lt;" + b" " * 200) * MAX_CAUSES, ())


def test_bytes_that_are_not_utf_8_are_looked_through() -> None:
    """A file that is known by its digest need not be text."""
    assert leaks(b"\xff\xfe" + NIR.encode() + b"\xff", ())

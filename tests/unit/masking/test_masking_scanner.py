"""The last look at the bytes that leave: every dress of a number, and everything that is no number."""

from typing import Final

import pytest

from dresses import DRESSES, KEY, NIR
from paravent.masking.scanner import MAX_LOOKS, leaks


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


@pytest.mark.parametrize("cause", ["9970101234567", "№", "&amp;", "%20", "\\u00e9", "MDEyMzQ1Njc4"])
def test_a_number_of_another_kind_is_looked_at_whole(cause: str) -> None:
    """However far it stands from what was worth a closer look: half of an IBAN or a card is no number of a person."""
    for between in range(200):
        for number in ("FR5199999000010123456789", "19999900001012345678"):
            text = f"{number}{'x' * between}{cause}{'x' * between}{number}"
            assert not leaks(text.encode(), ()), (between, number)


def test_what_a_rule_allowed_may_stand_in_the_document() -> None:
    """The number that was sent, with or without its key, and a member number that an operator let pass."""
    body = f'{{"nir":"{NIR}{KEY}","numeroAdherent":"3999999990001"}}'.encode()
    assert leaks(body, ())
    assert leaks(body, (NIR,))
    assert not leaks(body, (NIR, "3999999990001"))
    assert leaks(body, ("", "3999999990001"))
    both = f"{NIR} 1530169993001"
    assert not leaks(both.encode(), (NIR, both))


@pytest.mark.parametrize("many", [2, 16, 17, 40])
@pytest.mark.parametrize("form", ["39999999900{:02}", "n° 39999999900{:02}"], ids=["as it is", "with a word"])
def test_each_of_many_numbers_is_allowed_for_itself(form: str, many: int) -> None:
    """However they are looked for: all of them may stand there, and none that was left out."""
    numbers = [form.format(each) for each in range(10, 10 + many)]
    body = "".join(f'{{"numeroAdherent":"{each}"}}' for each in numbers).encode()
    assert not leaks(body, numbers)
    assert leaks(body, numbers[:-1])


def test_a_document_that_cannot_be_looked_through_in_time_does_not_leave() -> None:
    """Each cause for a closer look costs; no answer has hundreds."""
    assert not leaks(b"&lt; " * 20, ())
    assert leaks(b"&lt;" + b" " * 200 + (b"&lt;" + b" " * 200) * (MAX_LOOKS // 2), ())


def test_a_table_of_french_amounts_leaves() -> None:
    """Blanks that do not break, degrees and quotes, however many of them; a number among them is found."""
    rows = "1\u00a0234,50\u202f€|N°\u00a012|«\u00a0l’élève\u00a0»\r\n" * 400
    assert not leaks(rows.encode(), ())
    for between in ("\u00a0", "\u202f", "°", "\u00a0\u202f"):
        number = between.join(NIR) if between == "\u00a0" else f"{between}{NIR}{between}"
        assert leaks(f"{rows}x|{number}|x\r\n{rows}".encode(), ())


def test_bytes_that_are_not_utf_8_are_looked_through() -> None:
    """A file that is known by its digest need not be text."""
    assert leaks(b"\xff\xfe" + NIR.encode() + b"\xff", ())

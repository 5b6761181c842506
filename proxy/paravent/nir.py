"""The NIR (numéro de sécurité sociale): grammar, key, normal form, keyed hash, and a scanner of last resort.

    2 84 05 75 990 003 26
    │ │  │  │  │   │   └ key: 97 - (first thirteen as a number mod 97), 01 to 97; Corsica counts 2A as 19, 2B as 18
    │ │  │  │  │   └ order number, 001 to 999
    │ │  │  │  └ commune (COG) or, for 99, country of birth
    │ │  │  └ département at birth: 01 to 95, 2A, 2B, 97x, 98x, 99 abroad
    │ │  └ month: 01 to 12, or 20 to 99 where civil status is incomplete
    │ └ year, two digits
    └ 1 man, 2 woman; 3 to 8: numbers that stand in for a NIR (NIA, NNP, MIG) in the same fields

Source: service-public.fr F33078; Cnam's nir-validation for months 20 to 99 and for the numbers beginning with 5 to 8.

One normal form is used everywhere: thirteen characters, upper case, without key.
Good: `2840575990003`, `284057599000326`, `182112A990014`. Refused in a request: `284057599000399` (wrong key).
"""

import hmac
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from paravent.model import Secret, Subject

_NIR13: Final = r"[1-8][0-9]{4}(?:[0-9]{2}|2A|2B)[0-9]{6}"
_WRITTEN: Final = re.compile(rf"({_NIR13})([0-9]{{2}})?")
_NORMAL: Final = re.compile(_NIR13)
_BIRTH_DATE: Final = re.compile(r"[0-9]{8}")

_LONGEST_WRITTEN: Final = 256
"""Fifteen characters and more between any two than anybody writes."""

_DRESS: Final = str.maketrans("", "", " .-\t\u00a0\u00ad\u2007\u2009\u200b\u200c\u200d\u2010\u2011\u202f\u2060\ufeff")
"""What people and forms put between the parts of a number: spaces of any width, dots, hyphens, zero-width marks."""


def nir_key(nir13: str) -> str:
    """The two-digit key of a NIR in normal form: 97 - (n mod 97), never 00."""
    number = int(nir13.replace("2A", "19").replace("2B", "18"))
    return f"{97 - number % 97:02}"


def parse_request_nir(text: str) -> str | None:
    """The normal form of a NIR that a caller sent, or None when it is not one.

    Strict: thirteen or fifteen characters as the API's own pattern has them; no spaces, no lower case. Fifteen with a
    wrong key is a slip of the keyboard and is refused, so that nobody reads, and is charged for, a stranger.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    nir13, key = match.groups()
    return nir13 if key is None or key == nir_key(nir13) else None


def undress(text: str) -> str:
    """The characters of a written number without what separates them, in upper case."""
    return text.upper() if text.isascii() and text.isalnum() else text.translate(_DRESS).upper()


def normalise_answer(text: str) -> str | None:
    """The normal form of a NIR that the upstream wrote, or None when it cannot be one.

    Lenient: any separators, lower case, thirteen or fifteen characters, and the key is not judged. The upstream is
    the authority on its own data, and real and test numbers with a wrong key exist.
    """
    if len(text) > _LONGEST_WRITTEN:
        return None
    match = _WRITTEN.fullmatch(text) or _WRITTEN.fullmatch(undress(text))
    return match.group(1) if match is not None else None


def same_text(a: str, b: str) -> bool:
    """Whether two texts are equal, in time that does not depend on where they differ."""
    if a.isascii() and b.isascii():
        return hmac.compare_digest(a, b)
    return hmac.compare_digest(a.encode(errors="surrogatepass"), b.encode(errors="surrogatepass"))


def same_nir(a: str, b: str) -> bool:
    """Whether two written numbers are the same NIR, whatever their dress. Two that are not NIRs are not the same."""
    one, other = normalise_answer(a), normalise_answer(b)
    return one is not None and other is not None and same_text(one, other)


def says_nir(written: str, nir13: str) -> bool:
    """Whether a written number says this NIR and no more: in any dress, without key or with the right one.

    A wrong key would be two digits that the NIR does not imply.
    """
    text = undress(written)
    return same_text(text, nir13 + nir_key(nir13) if len(text) == 15 else nir13)


# ---- keyed hash

_PERSON: Final = b"paravent subject person 1"
_CARD: Final = b"paravent subject card 1"
_SUBJECT_BYTES: Final = 16
"""128 bits: no two persons of a country meet by accident (RFC 2104 section 5 allows half of the digest)."""


def subject_of_person(secret: Secret[bytes], nir13: str, birth_date: str, birth_rank: int) -> Subject:
    """The person as budgets and audit know them.

    Children are asked for under a parent's NIR, so the NIR alone names nobody: birth date (YYYYMMDD, not always a
    calendar date) and birth rank (1 to 9) belong to the name. Raises ValueError on values not in normal form.
    """
    if _NORMAL.fullmatch(nir13) is None or _BIRTH_DATE.fullmatch(birth_date) is None or not 1 <= birth_rank <= 9:
        raise ValueError("a person needs a NIR, a birth date and a birth rank in normal form")
    nir, date, rank = nir13.encode("ascii"), birth_date.encode("ascii"), b"%d" % birth_rank
    return _hashed(secret, b"".join((_NIR_FRAME, nir, _DATE_FRAME, date, _RANK_FRAME, rank)))


def subject_of_card(secret: Secret[bytes], amc: str, member: str) -> Subject:
    """A third-party-payer card (AMC number, member number), where the question names no person."""
    return _subject(secret, _CARD, amc, member)


def _subject(secret: Secret[bytes], label: bytes, *parts: str) -> Subject:
    return _hashed(secret, _framed(label, *[text.encode() for text in parts]))


def _framed(*parts: bytes) -> bytes:
    """Each part after its own length: ("1", "23") and ("12", "3") are different messages, and so are the two labels."""
    return b"".join([len(part).to_bytes(4) + part for part in parts])


_NIR_FRAME: Final = _framed(_PERSON) + (13).to_bytes(4)
_DATE_FRAME: Final = (8).to_bytes(4)
_RANK_FRAME: Final = (1).to_bytes(4)
"""What stands before the parts of a person: in normal form they are of one length each."""


def _hashed(secret: Secret[bytes], framed: bytes) -> Subject:
    return Subject(hmac.digest(secret.reveal(), framed, "sha256")[:_SUBJECT_BYTES])


# ---- scanner

SHORTEST: Final = 13
"""No shorter text can hold a NIR."""

_S: Final = r"[\s._/\-]{0,3}"
"""What may stand between two parts."""
_SEPARATED: Final = re.compile(r"[\s._/\-]")
_PERHAPS: Final = re.compile(rf"[0-9][0-9ABab\s._/\-]{{{SHORTEST - 1}}}")
"""What every written NIR begins like. Cheap, and almost no text has it."""
_MONTH: Final = r"(?:0[1-9]|1[0-29]|[2-9][0-9])"
"""20 to 99 where civil status is incomplete (Cnam); 19 too, on SESAM-Vitale test cards."""
_PLAUSIBLE: Final = re.compile(
    rf"[1-478][0-9]{{2}}{_MONTH}(?!00)(?:[0-9]{{2}}|2[AB])(?!000)[0-9]{{3}}(?!000)[0-9]{{3}}"
    # NNP `[78][12]` and MIG `[56][12]`: no date, no place inside (Cnam nir-validation, README).
    r"|[5-8][12][0-9]{11}"
)
_LIKELY: Final = re.compile(
    # Of a man or a woman, with a calendar month and a département: one in forty of all numbers of thirteen digits,
    # where two in three are plausible.
    r"[12][0-9]{2}(?:0[1-9]|1[0-2])(?!00)(?:[0-9]{2}|2[AB])(?!000)[0-9]{3}(?!000)[0-9]{3}"
)
_IN_PLACE: Final = re.compile(
    # Cut, if at all, where a NIR is cut: a thousand, an IBAN, a telephone, a date are cut elsewhere. Looking ahead
    # only, so that a candidate which proves none does not hide one that begins inside it.
    rf"(?<![0-9])(?=([1-8]{_S}[0-9]{{2}}{_S}[0-9]{{2}}{_S}[0-9]{{2}}{_S}[0-9]{{3}}{_S}[0-9]{{3}})"
    rf"(?:({_S})([0-9]{{2}}))?(?![0-9]))"
)
_OF_CORSICA: Final = re.compile(rf"2{_S}[ABab]")
"""Almost no text has it, and to look for a whole number of Corsica costs as much as all the rest."""
_CORSICAN: Final = re.compile(rf"[1-8](?:{_S}[0-9]){{4}}{_S}{_OF_CORSICA.pattern}(?:{_S}[0-9]){{6}}")
_CORSICAN_KEYED: Final = re.compile(rf"({_CORSICAN.pattern})(?:{_S}[0-9]{{2}}(?![0-9]))?")
_DIGIT_RUN: Final = re.compile(rf"[0-9](?:{_S}[0-9])+")
_FEW: Final = 16
"""Numbers that are looked for one after the other: a family."""
_NOT_ALPHANUMERIC: Final = bytes(code for code in range(128) if not chr(code).isalnum())
_WINDOW: Final = re.compile(rf"(?=({_NIR13}))")
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")
_LONGEST_RUN: Final = 15 + 14 * 3
"""Fifteen digits with three separators between any two."""


def contains_identifier(text: str, *, number: bool = False) -> bool:
    """Whether a text seems to hold a NIR, with or without key, in any common dress. A tripwire, never the mask.

    Fifteen digits count with a right key; thirteen with plausible parts, written in one piece, digit by digit, or cut
    where a NIR is cut; with 2A or 2B inside, plausible parts are enough. Known to escape: numbers glued to other
    digits, split over fields, or encoded. Known to trip: a number of thirteen digits that happens to have such parts,
    as a time in milliseconds may. Linear in the length of the text.

    `number`: the text is known to be a number of another kind, a member number say. Thirteen digits without a key
    count then only with the parts of a man's or a woman's NIR and a calendar month (decision 7).
    """
    if len(text) < SHORTEST:
        return False
    plain = _plain(text)
    if _PERHAPS.search(plain) is None:
        return False
    return next(_found(plain, _LIKELY if number else _PLAUSIBLE), None) is not None


def identifiers(text: str) -> Iterator[str]:
    """What `contains_identifier` finds in a text, each in normal form; some more than once."""
    plain = _plain(text)
    return iter(()) if _PERHAPS.search(plain) is None else _found(plain, _PLAUSIBLE)


def identifier_spans(text: str) -> list[tuple[int, int]]:
    """Where in a text each of them stands, in order, apart from each other, with the two digits behind it if any.

    Fifteen digits with the parts of a likely NIR and a wrong key are one here: who types a number in a sentence slips.
    """
    pieces = [_plain(character) for character in text]
    plain = "".join(pieces)
    places = [place for place, piece in enumerate(pieces) for _ in piece]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(_places(plain)):
        if spans and start < spans[-1][1]:
            first, last = spans.pop()
            spans.append((first, max(end, last)))
        else:
            spans.append((start, end))
    return [(places[start], places[end - 1] + 1) for start, end in spans]


def _places(plain: str) -> Iterator[tuple[int, int]]:
    for found in _IN_PLACE.finditer(plain):
        nir, gap, key = (part or "" for part in found.groups())
        typed = key != "" and _plausible(_bare(nir), _LIKELY)
        if typed or _is_nir_in_place(nir, gap, key, _PLAUSIBLE):
            yield found.start(1), found.end(3) if key else found.end(1)
    for found in _CORSICAN_KEYED.finditer(plain) if _OF_CORSICA.search(plain) else ():
        if _plausible(_bare(found[1])):
            yield found.span()
    for found in _DIGIT_RUN.finditer(plain):
        if len(found[0]) <= _LONGEST_RUN and _is_nir_alone(found[0], _PLAUSIBLE):
            yield found.span()


def _found(plain: str, without_key: re.Pattern[str]) -> Iterator[str]:
    for nir, gap, key in _IN_PLACE.findall(plain):
        if _is_nir_in_place(nir, gap, key, without_key):
            yield _bare(nir)
    for found in map(_bare, _CORSICAN.findall(plain) if _OF_CORSICA.search(plain) else ()):
        if _plausible(found):
            yield found
    for run in _DIGIT_RUN.findall(plain):
        if len(run) <= _LONGEST_RUN and _is_nir_alone(run, without_key):
            yield _bare(run)[:13]


def seems_numeric(text: str) -> bool:
    """Whether a text has digits enough in one place for `contains_identifier` to look closely, at 2 µs a character."""
    return _PERHAPS.search(_plain(text)) is not None


def mentions(text: str, nirs: frozenset[str]) -> bool:
    """Whether one of these NIRs (normal form) stands in a text, whatever separates its characters or adjoins them.

    Linear in the length of the text, however many they are.
    """
    if not nirs or len(text) < SHORTEST:
        return False
    bare = _plain(text).encode("ascii", "ignore").translate(None, _NOT_ALPHANUMERIC).upper().decode()
    if len(nirs) <= _FEW:
        return any([nir in bare for nir in nirs])
    return not nirs.isdisjoint(_WINDOW.findall(bare))


def _is_nir_in_place(written: str, separator: str, key: str, without_key: re.Pattern[str]) -> bool:
    """Thirteen digits and perhaps a key. A key that stands apart is not judged: what it follows is a NIR by itself."""
    nir13 = _bare(written)
    if key and separator == "":
        return _plausible(nir13) and key == nir_key(nir13)
    return _plausible(nir13, without_key)


def _is_nir_alone(run: str, without_key: re.Pattern[str]) -> bool:
    """All digits of one run, however they are cut: `28405 75990 00326`, or one by one as in the boxes of a form."""
    digits = _bare(run)
    if len(digits) == 13:
        return _TWO_DIGITS.search(run) is None and _plausible(digits, without_key)
    return len(digits) == 15 and _plausible(digits[:13]) and digits[13:] == nir_key(digits[:13])


def _bare(written: str) -> str:
    return _SEPARATED.sub("", written).upper()


def _plausible(nir13: str, parts: re.Pattern[str] = _PLAUSIBLE) -> bool:
    return parts.fullmatch(nir13) is not None and not _is_medicine(nir13)


def _is_medicine(digits: str) -> bool:
    """CIP13, the code on every box of a French medicine: an EAN-13 that begins with 34009, and no person's number."""
    if not digits.startswith("34009") or not digits.isdecimal():
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


def is_latin(text: str) -> bool:
    """Whether a text has no other characters than French is written in: it costs as little to look into as ASCII."""
    return text.isascii() or _LATIN.fullmatch(text) is not None


def _plain(text: str) -> str:
    # Character by character: normalising a text puts marks that combine in order, at a cost that is quadratic in how
    # many stand in a row, and none of them can be part of a number.
    if text.isascii():
        return text
    return text.translate(_PLAIN_LATIN if _LATIN.fullmatch(text) is not None else _Plain())


class _Plain(dict[int, str]):
    """For `translate`: ASCII for whatever stands for a digit or a separator: full-width, Arabic, zero-width, dashes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = plain = character if character.isascii() else _plain_character(character)
        return plain


_LONGEST_PLAIN: Final = 6
"""Characters that one can stand for and hold a digit, as 20 in brackets does; what opens out further is a sentence."""


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    whole = unicodedata.normalize("NFKC", character)
    if len(whole) > 1:
        return "".join(map(_plain_character, whole)) if len(whole) <= _LONGEST_PLAIN else character
    if whole.isascii():
        return whole
    character = whole
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category in {"Cf", "Mn", "Me"}:  # zero-width marks, soft hyphen, combining marks
        return ""
    return "-" if category == "Pd" or character in "·•\u2212" else character


_LATIN: Final = re.compile(r"[\x00-\u024f\u2000-\u206f\u20ac]*")
"""Latin letters, the blanks, quotes and dashes that are set between them, and the euro."""
_PLAIN_LATIN: Final = {code: _Plain()[code] for code in (*range(0x250), *range(0x2000, 0x2070), 0x20AC)}
"""Made once: of any other text, each character is asked for anew, at ten times the cost."""

"""The reference policy over answers that an upstream should never give: real ones with something wrong somewhere.

Whatever is put wherever, either nothing leaves, or no number of anybody but the person asked about does; and every JSON
reader reads in what leaves the document that we meant.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import jiter
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jiter import LosslessFloat

from effort import examples
from masking_views import NOBODY, view
from paravent.masking import Reduced
from paravent.masking.json import Undecodable, decode
from paravent.reasons import Reason
from paravent.sandbox import documents_json
from paravent.sandbox.documents_json import Desk
from paravent.sandbox.population import Person, Population
from reference import PROFESSIONS, asked, consultation, search, view_of

ROUNDS: Final = 700
"""For each profession."""

PEOPLE: Final = Population(size=200_000)
DESK: Final = Desk.of(PEOPLE)

type Place = tuple[Any, Any]
"""A container, and a name or an index in it."""


def places(value: Any) -> Iterator[Place]:
    """Everywhere in a document."""
    for key, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def somebody(draw: random.Random) -> Person:
    """With a NIR: stand-in numbers are told from member numbers by nobody (decision 7)."""
    while (person := PEOPLE.person(draw.randrange(PEOPLE.size))).provisional:
        pass
    return person


def spaced(nir: str) -> str:
    return " ".join((nir[0], nir[1:3], nir[3:5], nir[5:7], nir[7:10], nir[10:]))


HOSTILE: Final[tuple[Callable[[Person, dict[str, Any]], Any], ...]] = (
    lambda _, document: document,
    lambda _, document: [document],
    lambda _, document: [[document, {"a": document}]],
    lambda _, document: {"beneficiaireDeSoins": document, "famille": [document]},
    lambda _, document: json.dumps(document),
    lambda person, _: person.nir,
    lambda person, _: person.nir + person.nir_key,
    lambda person, _: spaced(person.nir),
    lambda person, _: f"Ne pas confondre avec {person.nir}, NIR {spaced(person.nir)} {person.nir_key}",
    lambda person, _: int(person.nir) if person.nir.isdecimal() else person.nir,
    lambda person, _: float(person.nir) if person.nir.isdecimal() else person.nir,
    lambda person, _: {person.nir: person.nir},
    lambda person, _: [person.nir] * 3,
    lambda person, _: "".join(chr(ord(digit) + 0xFEE0) for digit in person.nir),
    lambda *_: None,
    lambda *_: True,
    lambda *_: [],
    lambda *_: {},
    lambda *_: "",
    lambda *_: 2**63,
    lambda *_: -1,
    lambda *_: 1.5,
)


def spoil(document: dict[str, Any], stranger: Person, draw: random.Random) -> None:
    """One to three things go wrong."""
    person = documents_json.beneficiary(DESK, stranger, PEOPLE.family_of(stranger), "1")
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice(list(places(document)))
        hostile = draw.choice(HOSTILE)(stranger, json.loads(json.dumps(person)))
        match draw.randrange(4):
            case 0 if isinstance(holder, list):
                holder.insert(key, hostile)
            case 1 if isinstance(holder, dict):
                holder[f"{key}\u200b"] = holder.pop(key)
            case _:
                holder[key] = hostile


def squeezed(value: Any) -> Iterator[str]:
    """Every name and value of a document, without what could separate the parts of a number."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from squeezed(name)
            yield from squeezed(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from squeezed(inner)
    else:
        yield re.sub(r"[\W_]", "", str(value)).upper()


def plain(value: Any) -> Any:
    """A parsed document with fractions as doubles, as every reader but ours has them."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return float(value) if isinstance(value, LosslessFloat) else value


def one_reading(body: bytes) -> Any:
    """What leaves, which all readers must read alike."""
    by_json, by_orjson = json.loads(body), orjson.loads(body)
    by_jiter = plain(jiter.from_json(body, float_mode="lossless-float"))
    assert by_json == by_orjson == by_jiter
    return by_json


@pytest.mark.parametrize("code", PROFESSIONS.values(), ids=PROFESSIONS.keys())
def test_no_number_of_anybody_else_leaves_a_spoiled_consultation(code: str) -> None:
    """Persons, numbers and lists anywhere, names that look alike, nulls and truths where somebody is named."""
    draw, compiled, released = random.Random(2022), view_of("droits.consultation", code), 0
    for _ in range(ROUNDS):
        person, stranger = PEOPLE.person(draw.randrange(PEOPLE.size)), somebody(draw)
        document = json.loads(json.dumps(documents_json.consultation(DESK, person, "1", "2026-11-22T10:15:00+01:00")))
        others = {stranger.nir, *(one.nir for one in PEOPLE.family_of(person).members)} - {person.nir}
        spoil(document, stranger, draw)
        outcome = compiled.apply(
            orjson.dumps(document), asked(consultation(person.nir, person.birth_date, person.birth_rank))
        )
        if isinstance(outcome, Reduced):
            released += 1
            texts = list(squeezed(one_reading(outcome.body)))
            assert not [text for text in texts if any(nir in text for nir in others)]
            assert len(outcome.persons) <= 1
    assert released > ROUNDS // 2, "a single fault elsewhere in an answer stopped too many"


def test_no_number_leaves_a_spoiled_search() -> None:
    """A search shows names, whatever stands where; and never more persons than are counted."""
    draw, compiled = random.Random(2024), view_of("beneficiaires.recherche", "21")
    for _ in range(ROUNDS):
        person, stranger = PEOPLE.person(draw.randrange(PEOPLE.size)), somebody(draw)
        both = [documents_json.beneficiary(DESK, one, PEOPLE.family_of(one), "1") for one in (person, stranger)]
        document = json.loads(json.dumps({"total": 2, "resultats": both}))
        spoil(document, stranger, draw)
        told = asked(search(person.surname, person.first_name, person.birth_date))
        outcome = compiled.apply(orjson.dumps(document), told)
        if isinstance(outcome, Reduced):
            shown = one_reading(outcome.body)
            assert not [text for text in squeezed(shown) if person.nir in text or stranger.nir in text]
            assert len(shown.get("resultats") or ()) <= 2 * len(outcome.persons)


TOKENS: Final = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b'"b":', b'"\\u0061"', b"\\", b"\\ud83d", b"\\ude00"),
        *(b"1", b"-", b"0", b".5", b"e9", b"E400", b"+", b"9" * 19, b"9" * 25, b"null", b"true", b"NaN", b"-Infinity"),
        *(b" ", b"\n", b"\x0b", b"\x00", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xed\xa0\x80", b"\xc0\x80", b"/**/"),
    ]
)
DOCUMENTS: Final = st.sampled_from(
    [
        b'{"a":1.10,"b":[null,"\xc3\xa9"]}',
        b'{"a":{"b":[{"a":"x"},-0,1e5]},"b":"\\n"}',
        b'{"b":12345678901234567890,"a":""}',
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A document with tokens put in and bytes taken out."""
    body = bytearray(draw(DOCUMENTS))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(TOKENS)
    return bytes(body)


def strictly(body: bytes) -> Any:
    """The standard library's reading, without what RFC 8259 does not have."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    def never(_: str) -> Any:
        raise ValueError

    return json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=never)


@given(broken() | st.lists(TOKENS, max_size=12).map(b"".join))
@settings(max_examples=examples(400), deadline=None)
def test_what_we_take_for_a_document_every_reader_does(body: bytes) -> None:
    """Nothing is a document to us and something else, or another one, to the standard library."""
    tree = decode(body, limit_bytes=10_000)
    if not isinstance(tree, Undecodable):
        assert plain(tree) == strictly(body)


EVERYTHING: Final = view({"/a": "keep", "/b[]": "keep", "/c/a": "keep", "/d[]/a": "keep", "/d[]/b": "keep"})
NUMBERS: Final = st.one_of(
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False),
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
).map(str)
VALUES: Final = NUMBERS | st.text(max_size=8).map(json.dumps) | st.sampled_from(["null", "true", "[]", "{}"])


@given(VALUES, st.lists(VALUES, max_size=3), VALUES, st.lists(VALUES, max_size=3))
@settings(max_examples=examples(300), deadline=None)
def test_every_reader_reads_the_same_in_what_leaves(one: str, many: list[str], inner: str, more: list[str]) -> None:
    """Numbers of any length, texts of any characters: written so that no reader rounds, overflows or refuses."""
    elements = ",".join(f'{{"a":{value},"b":{inner}}}' for value in more)
    body = f'{{"a":{one},"b":[{",".join(many)}],"c":{{"a":{inner}}},"d":[{elements}]}}'
    outcome = EVERYTHING.apply(body.encode(errors="surrogatepass"), NOBODY)
    if isinstance(outcome, Reduced):
        one_reading(outcome.body)
    else:
        assert outcome in {Reason.ANSWER_MALFORMED, Reason.ANSWER_IDENTIFIER_LEFT}

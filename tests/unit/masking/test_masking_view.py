"""A view at work on small documents, and on hostile ones."""

import json
from typing import Final

import pytest

from dresses import DRESSES
from masking_views import NO_PERSONS, NOBODY, rule, shape, spec, view
from paravent.masking import Reduced, View, ViewError, compile_view
from paravent.model import Asked
from paravent.reasons import Reason
from reference import view_of

VIEW: Final = view(
    {
        "/nom": "keep",
        "/numero": {"mask": 4},
        "/reseaux[]": "keep",
        "/c2s/actif": "keep",
        "/periodes[]/debut": "keep",
        "/garanties[]/libelle": "keep",
        "/garanties[domaine=PHAR]/taux": "keep",
        "/garanties[domaine=MED]/taux": "redact",
        "/optique[domaine=OPTI]/taux": "keep",
    }
)


def reduce(body: bytes | dict[str, object], by: View = VIEW) -> object:
    reduced = by.apply(body if isinstance(body, bytes) else json.dumps(body).encode(), NOBODY)
    return json.loads(reduced.body) if isinstance(reduced, Reduced) else reduced


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        pytest.param({"nom": "A", "adresse": "B"}, {"nom": "A"}, id="what is not listed does not leave"),
        pytest.param({"nom": None}, {"nom": None}, id="null leaves as null"),
        pytest.param({"numero": None}, {"numero": None}, id="null leaves as null through an operator"),
        pytest.param({}, {}, id="what is absent stays absent"),
        pytest.param({"nom": {"nom": "A"}}, {}, id="an object where a value is listed is dropped"),
        pytest.param({"nom": ["A"]}, {}, id="a list where a value is listed is dropped"),
        pytest.param({"NOM": "A", "nom ": "B", "nom\u200b": "C"}, {}, id="a name is that name, exactly"),
        pytest.param({"c2s": {"actif": True, "organisme": "X"}}, {"c2s": {"actif": True}}, id="below an object"),
        pytest.param({"c2s": {"organisme": "X"}}, {"c2s": {}}, id="an object keeps its shape"),
        pytest.param({"c2s": None}, {"c2s": None}, id="null where an object is expected is null"),
        pytest.param({"c2s": "2840575990003"}, {}, id="a text where an object is expected is dropped"),
        pytest.param({"c2s": [{"actif": True}]}, {}, id="a list where an object is expected is dropped"),
        pytest.param({"periodes": []}, {"periodes": []}, id="an empty list keeps its shape"),
        pytest.param({"periodes": None}, {"periodes": None}, id="null where a list is expected is null"),
        pytest.param({"periodes": {"debut": "x"}}, {}, id="an object where a list is expected is dropped"),
        pytest.param(
            {"periodes": [{"debut": "x"}, "y", None, ["z"], 3, {"fin": "w"}]},
            {"periodes": [{"debut": "x"}, {}]},
            id="an element that is no object is dropped",
        ),
        pytest.param(
            {"reseaux": ["A", None, 1, {"b": "B"}, ["C"]]},
            {"reseaux": ["A", None, 1]},
            id="a list of values holds values",
        ),
        pytest.param({"reseaux": "A"}, {}, id="a value where a list of values is expected is dropped"),
        pytest.param({"reseaux": None}, {"reseaux": None}, id="null where a list of values is expected is null"),
        pytest.param({"nom": 1.0}, {"nom": 1.0}, id="a fraction is a value"),
        pytest.param({"nom": "<script>\u2028é\x00"}, {"nom": "<script>\u2028é\x00"}, id="any character survives"),
    ],
)
def test_what_leaves(answer: dict[str, object], left: object) -> None:
    assert reduce(answer) == left


def test_a_condition_adds_to_what_every_element_shows() -> None:
    """All guarantees show a name, PHAR its rate, MED that it has one, OPTI nothing more."""
    domains: list[object] = ["PHAR", "MED", "OPTI", None, ["PHAR"], 1]
    answer: dict[str, object] = {"garanties": [{"domaine": each, "libelle": "L", "taux": 65} for each in domains]}
    assert reduce(answer) == {
        "garanties": [{"libelle": "L", "taux": 65}, {"libelle": "L", "taux": "***"}] + [{"libelle": "L"}] * 4
    }


def test_a_list_with_conditions_only_shows_only_what_they_select() -> None:
    """No line for every element: an element that no condition selects goes whole."""
    answer: dict[str, object] = {"optique": [{"domaine": "DENT", "taux": 1}, {"domaine": "OPTI", "taux": 2}, {}]}
    assert reduce(answer) == {"optique": [{"taux": 2}]}


def test_what_left_and_what_did_not_is_counted() -> None:
    """Released values by line of the view, null included; cut-off members and elements once each."""
    answer = {
        "nom": "A",
        "reseaux": ["B", "C", []],
        "periodes": [{"debut": None}, {"debut": "x", "fin": "y"}],
        "famille": [{}, {}],
    }
    reduced = VIEW.apply(json.dumps(answer).encode(), NOBODY)
    assert isinstance(reduced, Reduced)
    assert reduced.released == {"/nom": 1, "/reseaux[]": 2, "/periodes[]/debut": 2}
    assert reduced.dropped == 3  # the list in reseaux, one fin, famille


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"[]", Reason.ANSWER_SHAPE, id="a list is no answer"),
        pytest.param(b'"nom"', Reason.ANSWER_SHAPE, id="a text is no answer"),
        pytest.param(b"null", Reason.ANSWER_SHAPE, id="null is no answer"),
        pytest.param(b"", Reason.ANSWER_MALFORMED, id="nothing is no answer"),
        pytest.param(b'{"nom":"A"', Reason.ANSWER_MALFORMED, id="half a document"),
        pytest.param(b'{"nom":"A","nom":"B"}', Reason.ANSWER_MALFORMED, id="a name twice"),
        pytest.param(b'{"x":' * 5000 + b"1" + b"}" * 5000, Reason.ANSWER_MALFORMED, id="five thousand levels"),
        pytest.param(
            b'{"nom":18446744073709551616}', Reason.ANSWER_MALFORMED, id="a listed number that readers read differently"
        ),
        pytest.param(b'{"nom":"' + b"A" * 2**20 + b'"}', Reason.ANSWER_TOO_LARGE, id="more than a mebibyte"),
    ],
)
def test_what_is_withheld_whole(body: bytes, reason: Reason) -> None:
    assert reduce(body) is reason


def test_a_number_that_does_not_leave_may_be_of_any_length() -> None:
    """Only what is shown is judged: an unlisted member never stops a pharmacist."""
    assert reduce(b'{"nom":"A","x":' + b"9" * 400 + b"}") == {"nom": "A"}


def test_the_walk_is_no_deeper_than_the_view() -> None:
    """Two hundred levels below a listed name are cut at the first."""
    assert reduce(b'{"nom":' + b"[" * 190 + b"]" * 190 + b',"c2s":{"actif":' + b'{"a":' * 150 + b"1" + b"}" * 152) == {
        "c2s": {}
    }


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('"2840575990003"', id="a text"),
        pytest.param('"Rappeler, NSS 2 84 05 75 990 003 26"', id="a sentence"),
        pytest.param('"\\u0032840575990003"', id="an escaped text"),
        pytest.param("2840575990003", id="a number"),
        pytest.param("-2840575990003", id="a negative number"),
        pytest.param("284057599000326", id="a number with its key"),
        pytest.param("2840575990003.0", id="a fraction"),
        pytest.param("2.840575990003e12", id="a number in scientific notation"),
        pytest.param("-28405759900030e-1", id="and a negative one, with a zero more"),
    ],
)
@pytest.mark.parametrize("place", ['{"nom":%s}', '{"reseaux":["A",%s]}', '{"c2s":{"actif":%s}}'])
def test_a_kept_value_that_holds_a_nir_withholds_the_answer(value: str, place: str) -> None:
    """The tripwire under every `keep`: a policy that lists a free text, or an upstream that moved a field."""
    assert reduce((place % value).encode()) is Reason.ANSWER_IDENTIFIER_LEFT


@pytest.mark.parametrize("dress", ["URL-escaped", "HTML-escaped", "in base64", "in base64, inside a sentence"])
def test_a_number_in_a_dress_that_values_are_not_searched_for_withholds_it_too(dress: str) -> None:
    """The last look is at the bytes that leave: what a browser or a program would undress is a number."""
    assert reduce({"nom": DRESSES[dress]}) is Reason.ANSWER_IDENTIFIER_LEFT


def test_an_echoed_nir_is_no_accident() -> None:
    """What the caller sent may come back without tripping the wire."""
    by = view(
        {
            "/p/noNIRCertifie": "echo",
            "/p/dateNaissance": "echo",
            "/p/rangGemellaire": "echo",
            "/p/ins": {"echo": "/ins"},
        },
        shape("/p"),
    )
    person = {
        "noNIRCertifie": "2840575990003",
        "dateNaissance": "19840517",
        "rangGemellaire": 1,
        "ins": "284057599000326",
    }
    asked = Asked("2840575990003", "19840517", 1, {"/ins": "284057599000326"})
    reduced = by.apply(json.dumps({"p": person}).encode(), asked)
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"p": person}


def test_the_nir_of_a_child_asked_for_under_a_parents_does_not_leave() -> None:
    """The child leaves; its own NIR, which the caller did not send, does not."""
    by = view({"/p/prenom": "keep", "/p/noNIRCertifie": "echo"}, shape("/p"))
    person = {"prenom": "NOE", "noNIRCertifie": "1120469991033", "dateNaissance": "20120405", "rangGemellaire": 1}
    reduced = by.apply(json.dumps({"p": person}).encode(), Asked("2790369991012", "20120405", 1))
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"p": {"prenom": "NOE"}}


NUMBERED: Final = view(
    {
        "/p/nom": "keep",
        "/contrats[]/numero": {"keep": "member-number"},
        "/contrats[]/reference": {"echo": "/reference"},
    },
    shape("/p", "/famille[]"),
)
CARER: Final = {"noNIRCertifie": "2841375990003", "dateNaissance": "19841317", "rangGemellaire": 1}
"""Month 13: no NIR that the scanner would know."""


@pytest.mark.parametrize(
    ("number", "leaves"),
    [
        pytest.param("0012345678", True, id="ten digits"),
        pytest.param("9876543210987", True, id="thirteen digits that are no NIR"),
        pytest.param("1459912345678", True, id="thirteen digits that a text would not be allowed to hold"),
        pytest.param("2840575990003", True, id="the NIR that was asked with"),
        pytest.param("284057599000326", True, id="the NIR that was asked with, and its key"),
        pytest.param("284057599000399", True, id="fifteen digits with a wrong key"),
        pytest.param("2790369991012", False, id="a NIR that nobody sent"),
        pytest.param("279036999101271", False, id="a NIR with its key"),
        pytest.param("2 79 03 69 991 012", False, id="a NIR with spaces"),
        pytest.param("CTR-2790369991012", False, id="a NIR with letters before it"),
        pytest.param("2841375990003", False, id="what the same answer gives as a relative's NIR"),
        pytest.param("92841375990003-7", False, id="a relative's NIR inside a longer number"),
        pytest.param(2841375990003, False, id="a relative's NIR as a number"),
    ],
)
def test_a_member_number_that_is_a_nir_is_dropped_alone(number: str | int, leaves: bool) -> None:
    """Decision 7: the rest of the answer is not held up for an insurer who numbers members as it likes."""
    answer = {
        "p": {"nom": "A", "noNIRCertifie": "2840575990003", "dateNaissance": "19840517", "rangGemellaire": 1},
        "famille": [CARER],
        "contrats": [{"numero": number}],
    }
    reduced = NUMBERED.apply(json.dumps(answer).encode(), Asked("2840575990003", "19840517", 1))
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"p": {"nom": "A"}, "contrats": [{"numero": number}] if leaves else [{}]}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("voir 2841375990003", id="though no scanner would take it for a NIR"),
        pytest.param("dossier 992841375990003001", id="glued to other digits"),
        pytest.param("２８４１３７５９９０００３", id="in full-width digits"),
    ],
)
def test_a_relatives_nir_in_a_kept_text_withholds_the_answer(text: str) -> None:
    """Whatever an answer says is somebody's NIR is one, and is looked for in all that leaves."""
    person = {"noNIRCertifie": "2840575990003", "dateNaissance": "19840517", "rangGemellaire": 1}
    answer = {"p": {"nom": text, **person}, "famille": [CARER]}
    reduced = NUMBERED.apply(json.dumps(answer).encode(), Asked("2840575990003", "19840517", 1))
    assert reduced is Reason.ANSWER_IDENTIFIER_LEFT


def test_null_is_not_echoed() -> None:
    """Nobody sent it, and it would tell a person without a certified NIR from one with another NIR."""
    by = view({"/p/nom": "keep", "/p/noNIRCertifie": "echo", "/a": {"echo": "/a"}, "/b[]": {"echo": "/b"}}, shape("/p"))
    person = {"nom": None, "noNIRCertifie": None, "dateNaissance": "20260101", "rangGemellaire": 1}
    asked = Asked("2840575990003", "20260101", 1, {"/a": "null", "/b": "null"})
    reduced = by.apply(json.dumps({"p": person, "a": None, "b": [None, "x"]}).encode(), asked)
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"p": {"nom": None}, "b": []}
    assert reduced.released == {"/p/nom": 1}


def test_a_view_with_problems_does_not_compile() -> None:
    """Whoever skipped the check learns it at start, not at the first answer."""
    with pytest.raises(ViewError) as caught:
        compile_view(spec(rule("/nom", "kepe")), NO_PERSONS)
    assert "did you mean 'keep'" in caught.value.problems[0][1]


@pytest.mark.parametrize(
    ("operation", "kind", "read"),
    [
        pytest.param("soap.adri", b'application/soap+xml; action="urn:a"; charset=utf-8', True, id="SOAP 1.2"),
        pytest.param("fhir.eligibilite", b"application/fhir+json; fhirVersion=4.0", True, id="FHIR R4"),
        pytest.param("fhir.eligibilite", b"application/fhir+json; fhirVersion=5.0", False, id="FHIR R5"),
        pytest.param("fhir.eligibilite", b'application/fhir+json; action="urn:a"', False, id="FHIR with an action"),
        pytest.param("droits.consultation", b"application/json; fhirVersion=4.0", False, id="JSON of FHIR"),
    ],
)
def test_a_type_may_have_the_parameters_of_its_format(operation: str, kind: bytes, read: bool) -> None:
    """Those of RFC 3902 and of FHIR, as servers write them. An answer with any other is not of the format."""
    assert (view_of(operation, "21").dress.types.fullmatch(kind) is not None) is read

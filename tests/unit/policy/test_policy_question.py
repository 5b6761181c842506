"""A question is an object with exactly the members that the operation knows, each of its type; it is written anew."""

import json
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.policy.fields import accepts
from paravent.policy.match import RouteTable
from paravent.policy.question import MAX_BODY_BYTES, Question, read_question
from paravent.reasons import Reason
from paravent.rules import FieldType, RequestField
from policies import compiled

POLICY = compiled()
ROUTES = RouteTable(POLICY.operations.values())
RIGHTS, CARD = POLICY.operations["droits.consultation"], POLICY.operations["cartes.lecture"]
GOOD: dict[str, Any] = {"immatriculation": "284057599000326", "dateNaissance": "19840517", "rangGemellaire": 1}
JSON = (b"application/json",)


def ask(body: object = GOOD, types: tuple[bytes, ...] = JSON) -> Question | Reason:
    return read_question(RIGHTS, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), types)


def test_what_the_caller_knows_is_kept_normalised_and_as_sent() -> None:
    """The NIR loses its key in `nir` and keeps it in `fields`."""
    question = ask(GOOD | {"domaine": "PHAR"})
    assert isinstance(question, Question)
    asked = question.asked
    assert (asked.nir, asked.birth_date, asked.birth_rank) == ("2840575990003", "19840517", 1)
    assert asked.fields == {
        "/immatriculation": "284057599000326",
        "/dateNaissance": "19840517",
        "/rangGemellaire": "1",
        "/domaine": "PHAR",
    }


def test_the_body_is_written_anew_in_the_operations_order() -> None:
    """Order, blanks and escapes of the caller do not reach the upstream."""
    body = b' { "domaine":"PH\\u0041R" , "rangGemellaire":1,\n"dateNaissance":"19840517",'
    body += b'"immatriculation":"284057599000326" } '
    question = ask(body)
    assert isinstance(question, Question)
    assert question.body == (
        b'{"immatriculation":"284057599000326","dateNaissance":"19840517","rangGemellaire":1,"domaine":"PHAR"}'
    )
    assert question.target == b"/v1/droits"


LISTS: Final = compiled(
    {
        "operations/lots.yaml": """\
droits.lot:
  match: {method: POST, path: /v1/lot}
  require: {level: substantiel, max_auth_age: 4h}
  request:
    demandes: {type: persons, at_most: 3, members: {nir: n, birth_date: d, birth_rank: r}}
    actes: acts
    dateSoins: date
  subject: {persons: /demandes}
  response:
    format: json
    persons: ["/reponses[]/beneficiaire"]
    identified_by: {nir: nir, birth_date: dateNaissance, birth_rank: rangGemellaire}
    scope: listed
    max_persons: 3
""",
        "views/pharmacien.yaml": """\
droits.lot:
  dispensation:
    /reponses[]/beneficiaire/nomUsuel: keep
droits.consultation:
  dispensation:
    /beneficiaire/nomUsuel: keep
cartes.lecture:
  dispensation:
    /csr: keep
""",
    }
).operations["droits.lot"]


def test_lists_are_written_anew_too_and_are_nothing_to_echo() -> None:
    """The members of each person in our order, acts as they came; a day is what care is compared with."""
    acts = '[{"code":"2212345","montantCentimes":45000},{"code":"HBLD036","montantCentimes":0}]'
    sent = '[{"r": 2, "d": "19840517", "n": "284057599000326"}]'
    body = f'{{"actes": {acts}, "demandes": {sent}, "dateSoins": "2026-11-22"}}'
    question = read_question(LISTS, {}, body.encode(), JSON, today="20260101")
    assert isinstance(question, Question)
    person = '{"n":"284057599000326","d":"19840517","r":2}'
    assert question.body.decode() == f'{{"demandes":[{person}],"actes":{acts},"dateSoins":"2026-11-22"}}'
    assert question.headers == ((b"content-type", b"application/json"),)
    asked = question.asked
    assert asked.several == (("2840575990003", "19840517", 2),)
    assert (asked.nir, asked.birth_date, asked.birth_rank) == (None, None, None)
    assert asked.fields == {"/dateSoins": "2026-11-22"}
    assert asked.care_date == "20261122"


def test_a_question_without_a_day_is_about_today() -> None:
    """Which is what periods are compared with."""
    question = read_question(RIGHTS, {}, json.dumps(GOOD).encode(), JSON, today="20261122")
    assert isinstance(question, Question)
    assert question.asked.care_date == "20261122"


def test_a_question_in_the_path_has_no_body() -> None:
    """The target is built from the template and the parameters."""
    matched = ROUTES.match(b"GET", b"/v1/cartes/99990001/0012345678")
    assert matched is not None
    question = read_question(matched.operation, matched.parameters, b"", ())
    assert isinstance(question, Question)
    assert (question.target, question.body) == (b"/v1/cartes/99990001/0012345678", b"")
    assert tuple(question.asked.fields[name] for name in CARD.subject.card) == ("99990001", "0012345678")
    assert (question.asked.nir, question.asked.birth_date, question.asked.birth_rank) == (None, None, None)


def test_nothing_of_a_question_prints() -> None:
    """repr shows neither identifiers nor body."""
    shown = repr(ask())
    assert "2840575990003" not in shown
    assert "19840517" not in shown
    card = read_question(CARD, {"amc": "99990001", "adherent": "0012345678"}, b"", ())
    assert isinstance(card, Question)
    assert "0012345678" not in repr(card)


def test_a_get_with_a_body_is_refused() -> None:
    """D17: content in a GET means something to one side only."""
    assert read_question(CARD, {"amc": "99990001", "adherent": "1"}, b"{}", JSON) is Reason.REQUEST_NOT_IN_SCHEMA


TYPES = [
    pytest.param((b"application/json",), None, id="application/json"),
    pytest.param((b"application/json; charset=utf-8",), None, id="with its charset"),
    pytest.param((b'Application/JSON;charset="UTF-8"',), None, id="in capitals and quotes"),
    pytest.param((), Reason.REQUEST_NOT_IN_SCHEMA, id="no type"),
    pytest.param((b"application/json", b"application/json"), Reason.REQUEST_AMBIGUOUS, id="two headers"),
    pytest.param((b"application/json, text/plain",), Reason.REQUEST_NOT_IN_SCHEMA, id="two types in one"),
    pytest.param((b"application/json; charset=utf-7",), Reason.REQUEST_NOT_IN_SCHEMA, id="another charset"),
    pytest.param(
        (b"application/json; charset=utf-8; charset=utf-16",), Reason.REQUEST_NOT_IN_SCHEMA, id="two charsets"
    ),
    pytest.param((b"application/json; boundary=x",), Reason.REQUEST_NOT_IN_SCHEMA, id="an unknown parameter"),
    pytest.param((b"application/json\n",), Reason.REQUEST_NOT_IN_SCHEMA, id="a line end behind"),
    pytest.param((b"text/json",), Reason.REQUEST_NOT_IN_SCHEMA, id="another type"),
    pytest.param((b"application/x-www-form-urlencoded",), Reason.REQUEST_NOT_IN_SCHEMA, id="a form"),
]


@pytest.mark.parametrize(("types", "reason"), TYPES)
def test_content_type(types: tuple[bytes, ...], reason: Reason | None) -> None:
    """Exactly one content type, and only JSON in UTF-8."""
    told = ask(types=types)
    assert told is reason if reason else isinstance(told, Question)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


BODIES = [
    pytest.param(b"", id="no body"),
    pytest.param(b"{}", id="no members"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"immatriculation dateNaissance rangGemellaire"', id="a text that holds the names"),
    pytest.param([GOOD], id="a list of questions"),
    pytest.param(json.dumps(GOOD).encode() + b"{}", id="a second document"),
    pytest.param(json.dumps(GOOD).encode()[:-1], id="half a document"),
    pytest.param(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), id="a byte order mark"),
    pytest.param(json.dumps(GOOD).encode("utf-16"), id="UTF-16"),
    pytest.param(json.dumps(GOOD).encode().replace(b"}", b', "rangGemellaire": 2}'), id="C9: a member twice"),
    pytest.param(
        json.dumps(GOOD).encode().replace(b"}", b', "\\u0072angGemellaire": 2}'), id="C9: a member twice, once escaped"
    ),
    pytest.param(GOOD | {"page": 1}, id="an unknown member"),
    pytest.param(GOOD | {"Immatriculation": "2840575990003"}, id="a member in another case"),
    pytest.param(without("immatriculation"), id="no NIR"),
    pytest.param(without("rangGemellaire"), id="no birth rank"),
    pytest.param(GOOD | {"immatriculation": None}, id="a NIR that is null"),
    pytest.param(GOOD | {"immatriculation": 2840575990003}, id="a NIR that is a number"),
    pytest.param(GOOD | {"immatriculation": ["2840575990003"]}, id="a NIR in a list"),
    pytest.param(GOOD | {"immatriculation": "284057599000399"}, id="a NIR with a wrong key"),
    pytest.param(GOOD | {"immatriculation": "2 84 05 75 990 003 26"}, id="a NIR with blanks"),
    pytest.param(GOOD | {"immatriculation": "284057599000%"}, id="a NIR with a wildcard"),
    pytest.param(GOOD | {"immatriculation": "2840575990003\n"}, id="a NIR with a line end"),
    pytest.param(GOOD | {"immatriculation": "２840575990003"}, id="a NIR with a full-width digit"),
    pytest.param(GOOD | {"dateNaissance": "1984-05-17"}, id="a birth date with hyphens"),
    pytest.param(GOOD | {"dateNaissance": "1984051"}, id="a birth date that is short"),
    pytest.param(GOOD | {"rangGemellaire": "1"}, id="a birth rank that is text"),
    pytest.param(GOOD | {"rangGemellaire": True}, id="a birth rank that is true"),
    pytest.param(GOOD | {"rangGemellaire": 1.0}, id="a birth rank with a point"),
    pytest.param(GOOD | {"rangGemellaire": 0}, id="a birth rank of zero"),
    pytest.param(GOOD | {"rangGemellaire": 10}, id="a birth rank of ten"),
    pytest.param(json.dumps(GOOD).encode().replace(b": 1", b": NaN"), id="NaN"),
    pytest.param(json.dumps(GOOD).encode().replace(b": 1", b": " + b"1" * 5000), id="C10: five thousand digits"),
    pytest.param(b"[" * 4000, id="C10: deep nesting"),
    pytest.param(GOOD | {"domaine": "OPTI"}, id="a domain outside the operation's choice"),
    pytest.param(GOOD | {"domaine": None}, id="an optional member that is null"),
]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_that_are_no_question(body: object) -> None:
    """Missing, unknown, doubled, mistyped: refused, never repaired."""
    assert ask(body) is Reason.REQUEST_NOT_IN_SCHEMA


def test_a_long_body_is_not_parsed() -> None:
    """More bytes than any question has are refused before anything looks into them."""
    whole = json.dumps(GOOD).encode()
    assert isinstance(ask(whole.ljust(MAX_BODY_BYTES)), Question)
    assert ask(whole.ljust(MAX_BODY_BYTES + 1)) is Reason.REQUEST_TOO_LARGE


ONE = {"n": "2840575990003", "d": "19840517", "r": 1}
FIELDS = [
    (FieldType.NIR, ["2840575990003", "284057599000326", "182112A990014"], ["182112a990014", "28405759900032", ""]),
    (FieldType.BIRTH_DATE, ["19840517", "19421901"], ["1984051７", "19840517 ", 19840517]),
    (FieldType.BIRTH_RANK, [1, 9], [0, 10, "1", True, 1.0, None]),
    (
        FieldType.DATE,
        ["2026-11-22", "2024-02-29"],
        ["20261122", "2026-W47-7", "2026-02-29", "2026-1-2", "2026-11-22T00:00"],
    ),
    (
        FieldType.NAME,
        ["DURAND-TEST", "L'Étoile", "d’Essai", "Ó Test", "ŒUVRE", "JEAN Jr."],
        [
            "",
            " ",
            "-",
            "DUPONT2",
            "DU%",
            "DU*",
            "DU_",
            "Дюран",
            "ＤＵＲＡＮＤ",
            "x" * 61,
            "a\nb",
            "a\u0301",
            "a\u00a0b",
        ],
    ),
    (FieldType.CODE, ["01", "A1"], ["", "a b", "a-b", "x" * 21]),
    (
        FieldType.DOMAIN,
        ["PHAR", "MED", "OPTI", "AUDI", "DENT", "LABO", "HOSP"],
        ["phar", "PHARMACIE", ""],
    ),
    (FieldType.AMC_NUMBER, ["99990001", "9999000123"], ["9999001", "99990001234", "9999000A"]),
    (
        FieldType.ACTS,
        [[{"code": "2212345", "montantCentimes": 45000}], [{"code": "HBLD036", "montantCentimes": 10_000_000}] * 50],
        [
            [],
            "2212345",
            [{"code": "2212345", "montantCentimes": 1}] * 51,
            [{"code": "2212345"}],
            [{"code": "2212345", "montantCentimes": True}],
            [{"code": "2212345", "montantCentimes": -1}],
            [{"code": "2212345", "montantCentimes": 10_000_001}],
            [{"code": "22 123", "montantCentimes": 1}],
            [{"code": "2840575990003", "montantCentimes": 1}],
            [{"code": "2212345", "montantCentimes": 1, "libelle": "Monture"}],
            [["2212345", 1]],
        ],
    ),
    (FieldType.MEMBER_NUMBER, ["0012345678", "A1"], ["", "a/b", "a.b", "x" * 31]),
    (FieldType.CHOICE, ["Coverage:payor"], ["Coverage:*", "coverage:payor", "", 1, None]),
    (FieldType.NUMBER, [1, 9], [0, 10, -1, "1", True, 1.0, None]),
    (
        FieldType.PERSONS,
        [[ONE], [ONE, ONE | {"n": "182112A990014"}], [ONE | {"r": 9}, ONE]],
        [
            [],
            ONE,
            [ONE] * 2,
            [ONE, ONE | {"n": "284057599000326"}],
            [ONE | {"r": rank} for rank in range(1, 5)],
            [ONE | {"x": 1}],
            [{"n": "2840575990003", "d": "19840517"}],
            [ONE | {"n": "284057599000399"}],
            [ONE | {"d": "1984-05-17"}],
            [ONE | {"r": True}],
            [ONE | {"r": "1"}],
            [["2840575990003", "19840517", 1]],
        ],
    ),
]
MORE = {
    FieldType.CHOICE: {"one_of": frozenset({"Coverage:payor"})},
    FieldType.NUMBER: {"at_most": 9},
    FieldType.PERSONS: {"at_most": 3, "members": ("n", "d", "r")},
}
"""What a policy must say beside some types."""


@pytest.mark.parametrize(("type_", "good", "bad"), FIELDS, ids=[type_ for type_, _, _ in FIELDS])
def test_field_types(type_: FieldType, good: list[Any], bad: list[Any]) -> None:
    """Each type accepts what it is for, as sent, and nothing else."""
    field = RequestField("x", type_, **MORE.get(type_, {}))  # type: ignore[arg-type]
    assert [value for value in good if not accepts(field, value)] == []
    assert [value for value in bad if accepts(field, value)] == []


@pytest.mark.parametrize("type_", [FieldType.BIRTH_RANK, FieldType.NUMBER])
def test_a_number_of_a_body_is_one_of_the_list_where_there_is_one(type_: FieldType) -> None:
    """As in a path or a query: `one_of` is what the policy says is accepted, and the rest of the range is not."""
    field = RequestField("x", type_, one_of=frozenset({"1", "5"}), at_most=9)
    assert [value for value in range(11) if accepts(field, value)] == [1, 5]


def test_every_field_type_has_a_row() -> None:
    """A new type cannot be forgotten above."""
    assert {type_ for type_, _, _ in FIELDS} == set(FieldType)


@settings(max_examples=examples(150), deadline=None)
@example({**GOOD, "domaine": "MED"})
@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "domaine", "page", ""]),
        st.sampled_from([*GOOD.values(), "PHAR", None, 0, 2, "", []]) | st.text(max_size=4),
    )
)
def test_what_is_sent_upstream_is_the_question_that_was_judged(body: dict[str, Any]) -> None:
    """A rebuilt body says the same as the caller's, in the operation's order, and reading it again changes nothing."""
    question = ask(body)
    if isinstance(question, Question):
        assert json.loads(question.body) == body
        assert list(json.loads(question.body)) == [field.name for field in RIGHTS.request if field.name in body]
        assert ask(question.body) == question

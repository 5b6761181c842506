"""A query is read by its operation's list: each parameter once, in one spelling, or the request is refused."""

from typing import Final
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.policy.match import MAX_TARGET_BYTES, RouteTable
from paravent.policy.query import read_query, written_query
from paravent.policy.question import Question, read_question
from paravent.reasons import Reason
from paravent.rules import FieldType, RequestField
from policies import compiled

FIELDS: Final = (
    RequestField("subscriber-id", FieldType.MEMBER_NUMBER),
    RequestField("payor:identifier", FieldType.AMC_NUMBER, required=False),
    RequestField("_include", FieldType.CHOICE, one_of=frozenset({"Coverage:beneficiary"}), required=False),
    RequestField("date", FieldType.DATE, required=False),
    RequestField("page", FieldType.NUMBER, required=False, at_most=5),
)
SEARCH: Final = """
recherche.couvertures:
  match: {method: GET, path: /fhir/Coverage}
  require: {level: eleve, max_auth_age: 1h}
  query:
    subscriber-id: member-number
    "payor:identifier": amc-number
    _include: {type: choice, one_of: ["Coverage:beneficiary"], required: false}
  subject: {card: ["?payor:identifier", "?subscriber-id"]}
  response: {format: json}
"""
ROUTES: Final = RouteTable(compiled({"operations/x.yaml": SEARCH}).operations.values())


@pytest.mark.parametrize(
    ("query", "values"),
    [
        pytest.param(b"subscriber-id=0012345678", {"subscriber-id": "0012345678"}, id="what must be there"),
        pytest.param(
            b"page=5&date=2026-11-30&_include=Coverage:beneficiary&payor:identifier=99990001&subscriber-id=A1",
            {
                "subscriber-id": "A1",
                "payor:identifier": "99990001",
                "_include": "Coverage:beneficiary",
                "date": "2026-11-30",
                "page": "5",
            },
            id="everything, in any order",
        ),
        pytest.param(
            b"subscriber-id=1&_include=Coverage%3Abeneficiary",
            {"subscriber-id": "1", "_include": "Coverage:beneficiary"},
            id="a colon escaped, as libraries write it",
        ),
        pytest.param(
            b"payor%3Aidentifier=99990001&subscriber-id=1",
            {"subscriber-id": "1", "payor:identifier": "99990001"},
            id="in a name too",
        ),
    ],
)
def test_a_query_is_read_in_the_order_of_the_operation(query: bytes, values: dict[str, str]) -> None:
    """Each value of its type, without its escapes."""
    read = read_query(FIELDS, query)
    assert read is not None
    assert list(read.items()) == list(values.items())


GOOD: Final = b"subscriber-id=0012345678"
HOSTILE: Final = [
    pytest.param(b"", id="nothing behind the question mark"),
    pytest.param(None, id="no query where one must be"),
    pytest.param(b"page=1", id="without what must be there"),
    pytest.param(GOOD + b"&subscriber-id=0012345679", id="twice, with two values"),
    pytest.param(GOOD + b"&" + GOOD, id="twice, with one value"),
    pytest.param(GOOD + b"&sex=M", id="an unknown name"),
    pytest.param(GOOD + b"&_count=50", id="a parameter of FHIR that the operation does not have"),
    pytest.param(GOOD + b"&subscriber-id:exact=0012345678", id="a known name with a modifier"),
    pytest.param(GOOD + b"&Page=1", id="a known name in capitals"),
    pytest.param(b"subscriber%2Did=0012345678", id="a name that is escaped"),
    pytest.param(GOOD + b"&payor:identifier=99990001&payor%3Aidentifier=99990001", id="a name in both its spellings"),
    pytest.param(GOOD + b"&payor%3aidentifier=99990001", id="a name with an escape in small letters"),
    pytest.param(GOOD + b"&payor%253Aidentifier=99990001", id="a name with an escape twice over"),
    pytest.param(GOOD + b"&payor%3A%3Aidentifier=99990001", id="a name with a colon more"),
    pytest.param(GOOD + b"&p%61yor%3Aidentifier=99990001", id="a name of which a letter is escaped too"),
    pytest.param(GOOD + b"&payor%3Aidentifier%3Atext=99990001", id="a name with an escaped modifier"),
    pytest.param(GOOD + b"&payor%EF%BC%9Aidentifier=99990001", id="a name with a full-width colon"),
    pytest.param(b"%3Asubscriber-id=0012345678", id="a colon in front of a name"),
    pytest.param(b"subscriber-id[]=0012345678", id="a name with brackets"),
    pytest.param(b"subscriber-id=", id="an empty value"),
    pytest.param(b"subscriber-id", id="no value"),
    pytest.param(b"=0012345678", id="no name"),
    pytest.param(b"subscriber-id=0012345678=1", id="a second sign of equality"),
    pytest.param(b"&" + GOOD, id="an empty pair in front"),
    pytest.param(GOOD + b"&", id="an empty pair behind"),
    pytest.param(GOOD + b"&&page=1", id="an empty pair between"),
    pytest.param(GOOD + b";page=1", id="pairs cut by a semicolon"),
    pytest.param(GOOD + b"%26page=1", id="an escaped ampersand"),
    pytest.param(b"subscriber-id=00+12", id="a plus"),
    pytest.param(b"subscriber-id=00%2012", id="an escaped blank"),
    pytest.param(b"subscriber-id=%30012345678", id="an escape of what needs none"),
    pytest.param(GOOD + b"&_include=Coverage%3abeneficiary", id="an escape in small letters"),
    pytest.param(GOOD + b"&_include=Coverage%253Abeneficiary", id="an escape twice over"),
    pytest.param(GOOD + b"&_include=Coverage%3", id="half an escape"),
    pytest.param(GOOD + b"&_include=Coverage%uFF1Abeneficiary", id="an escape of another kind"),
    pytest.param(GOOD + b"%00", id="an escaped NUL"),
    pytest.param(b"subscriber-id=%C3%A9", id="an escaped letter beyond ASCII"),
    pytest.param("subscriber-id=é".encode(), id="a letter beyond ASCII"),
    pytest.param(b"subscriber-id=%EF%BC%91", id="a full-width digit"),
    pytest.param(GOOD + b"?page=1", id="a second question mark"),
    pytest.param(GOOD + b"#page=1", id="a fragment"),
    pytest.param(b"subscriber-id=*", id="a wildcard"),
    pytest.param(b"subscriber-id=1,2", id="one or the other, as FHIR has it"),
    pytest.param(b"subscriber-id=" + b"1" * 31, id="a value too long"),
    pytest.param(GOOD + b"&date=ge2026-01-01", id="a prefix of FHIR"),
    pytest.param(GOOD + b"&date=2026-02-30", id="a day that is none"),
    pytest.param(GOOD + b"&_include=*", id="a choice that is not listed"),
    pytest.param(GOOD + b"&_include=Coverage:payor", id="another include"),
    pytest.param(GOOD + b"&page=6", id="a number that is too large"),
    pytest.param(GOOD + b"&page=0", id="a number that is too small"),
    pytest.param(GOOD + b"&page=03", id="a number with a zero in front"),
    pytest.param(GOOD + b"&page=-1", id="a number below zero"),
    pytest.param(b"&".join(b"a%d=1" % n for n in range(400)), id="more pairs than any question has"),
]


@pytest.mark.parametrize("query", HOSTILE)
def test_any_other_query_is_refused(query: bytes | None) -> None:
    """Not repaired, and not read in part."""
    assert read_query(FIELDS, query) is None


def test_an_operation_whose_parameters_may_be_left_out_may_be_asked_without() -> None:
    """But a question mark announces something."""
    assert read_query(FIELDS[1:], None) == {}
    assert read_query(FIELDS[1:], b"") is None
    assert read_query((), None) == {}


PIECES: Final = st.sampled_from(
    [
        b"subscriber-id=1",
        b"payor%3Aidentifier=99990001",
        b"page=1",
        b"_include=Coverage%3Abeneficiary",
        b"&",
        b"=",
        b"%",
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(PIECES | st.binary(max_size=2), max_size=6).map(b"".join))
def test_what_is_accepted_means_the_same_to_everybody(query: bytes) -> None:
    """To the standard library, and once more to us when it is written anew: order and escapes are all that changes."""
    read = read_query(FIELDS, query)
    if read is not None:
        assert sorted(parse_qsl(query.decode(), strict_parsing=True, keep_blank_values=True)) == sorted(read.items())
        assert read_query(FIELDS, written_query(read)[1:].encode()) == read


def ask(target: bytes) -> Question | Reason | None:
    matched = ROUTES.match(b"GET", target)
    return matched and read_question(matched.operation, matched.parameters, b"", (), query=matched.query)


def test_the_upstream_is_asked_with_what_was_read() -> None:
    """In the operation's order, without escapes; and each value may be echoed and charged by its name."""
    question = ask(b"/fhir/Coverage?_include=Coverage%3Abeneficiary&payor%3Aidentifier=99990001&subscriber-id=A1")
    assert isinstance(question, Question)
    assert question.target == b"/fhir/Coverage?subscriber-id=A1&payor:identifier=99990001&_include=Coverage:beneficiary"
    assert question.asked.fields == {
        "?subscriber-id": "A1",
        "?payor:identifier": "99990001",
        "?_include": "Coverage:beneficiary",
    }


@pytest.mark.parametrize(
    ("target", "told"),
    [
        pytest.param(b"/fhir/Coverage", Reason.QUERY_NOT_IN_SCHEMA, id="without the query"),
        pytest.param(b"/fhir/Coverage?", Reason.QUERY_NOT_IN_SCHEMA, id="an empty one"),
        pytest.param(b"/fhir/Coverage?subscriber-id=A1", Reason.QUERY_NOT_IN_SCHEMA, id="a part of it"),
        pytest.param(b"/fhir/Coverage/?subscriber-id=A1", None, id="another path"),
        pytest.param(b"/fhir/Cover%61ge?subscriber-id=A1", None, id="a path with an escape"),
        pytest.param(b"/v1/cartes/99990001/1?page=1", None, id="a query where there is none"),
        pytest.param(b"/fhir/Coverage?subscriber-id=" + b"1" * MAX_TARGET_BYTES, None, id="longer than any question"),
    ],
)
def test_a_target_is_the_operation_s_or_nobody_s(target: bytes, told: Reason | None) -> None:
    """A path that is known with a query that is not: a reason of its own."""
    assert ask(target) is told

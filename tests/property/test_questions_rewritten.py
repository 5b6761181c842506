"""Questions on their way in, in each format: nothing reaches the API but the members that the operation names.

A question is drawn with something of its own put anywhere: a pair, a member, an element, an attribute, a comment.
Either it is refused, or what is sent upstream holds none of it, and says to another reader what the caller said.
"""

import json
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import reference
from effort import examples
from paravent.paris import day_in_paris
from paravent.policy.question import Question, read_question
from paravent.reasons import Reason
from reference import Ask, rulebook
from tokens import NOW_S

PERSON: Final = ("2840575990003", "19840517", 1)
ASKS: Final = {
    "json": reference.consultation(*PERSON),
    "form": reference.page(*PERSON),
    "xml": reference.soap(*PERSON),
    "fhir": reference.eligibility(*PERSON),
}
MARK: Final = "m0m"
REFUSALS: Final = {Reason.REQUEST_NOT_IN_SCHEMA, Reason.REQUEST_TOO_LARGE}


def read(ask: Ask, body: bytes) -> Question | Reason:
    matched = rulebook().routes.match(ask.method.encode(), ask.path.encode())
    assert matched is not None
    return read_question(matched.operation, matched.parameters, body, (ask.type,), today=day_in_paris(NOW_S))


def inside(document: Any) -> list[Any]:
    """Every object and list of a document."""
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    found = [each for value in inner for each in inside(value)]
    return [document, *found] if isinstance(document, dict | list) else found


def in_json(draw: st.DrawFn, body: bytes) -> bytes:
    document = json.loads(body)
    holder = draw(st.sampled_from(inside(document)))
    value: Any = draw(st.sampled_from([MARK, [MARK], {"x": MARK}, {MARK: None}]))
    if isinstance(holder, list):
        holder.insert(draw(st.integers(0, len(holder))), value)
    else:
        names = [MARK, "nom", "display", "text", "extension", "reference", "use", "type", *holder]
        holder[draw(st.sampled_from(names))] = value
    return json.dumps(document).encode()


def in_form(draw: st.DrawFn, body: bytes) -> bytes:
    pairs = body.split(b"&")
    more = draw(
        st.sampled_from([f"x={MARK}", f"{MARK}=1", f"dateSoins={MARK}", f"immatriculation={MARK}", f"a=%6d&{MARK}"])
    )
    pairs.insert(draw(st.integers(0, len(pairs))), more.encode())
    return draw(st.sampled_from([b"&", b"&", b"&", b"&&", b";"])).join(pairs)


def in_xml(draw: st.DrawFn, body: bytes) -> bytes:
    ends = [place for place, byte in enumerate(body) if byte == ord(">")]
    at = draw(st.sampled_from(ends))
    attributes = [f' a="{MARK}"', f' xmlns:{MARK}="urn:x"', f' xml:lang="{MARK}"']
    content = [
        f"<!-- {MARK} -->",
        f"<x>{MARK}</x>",
        f"<d:nom>{MARK}</d:nom>",
        MARK,
        f"<?x {MARK}?>",
        f"<![CDATA[{MARK}]]>",
    ]
    before = body[at - 1 : at] not in b"/?" and not body[: at + 1].rpartition(b"<")[2].startswith(b"/")
    if before and draw(st.booleans()):
        return body[:at] + draw(st.sampled_from(attributes)).encode() + body[at:]
    return body[: at + 1] + draw(st.sampled_from(content)).encode() + body[at + 1 :]


def said(name: str, body: bytes) -> dict[str, str]:
    """The members of a question, by another reader than ours."""
    if name == "form":
        return {key: value for key, value in parse_qsl(body.decode(), strict_parsing=True) if value}
    if name == "xml":
        (asked,) = ElementTree.fromstring(body).findall("{*}Body/*")
        return {each.tag.partition("}")[2]: (each.text or "").strip() for each in asked}
    document = json.loads(body)
    if name == "fhir":
        (patient,) = document["contained"]
        whole = {**patient, "identifier": patient["identifier"][0]["value"]}
        return {key: str(whole[key]) for key in ("identifier", "birthDate", "multipleBirthInteger")}
    return {key: str(value) for key, value in document.items()}


@st.composite
def questions(draw: st.DrawFn, name: str) -> bytes:
    put = {"json": in_json, "fhir": in_json, "form": in_form, "xml": in_xml}[name]
    body = ASKS[name].bytes
    for _ in range(draw(st.integers(1, 2))):
        body = put(draw, body)
    return body


@pytest.mark.parametrize("name", ASKS)
@given(data=st.data())
@settings(max_examples=examples(150), deadline=None)
def test_nothing_but_the_named_members_reaches_the_api(name: str, data: st.DataObject) -> None:
    """Whatever stands beside them, in whatever place of the question."""
    body = data.draw(questions(name))
    question = read(ASKS[name], body)
    event(f"{name}: {'sent' if isinstance(question, Question) else 'refused'}")
    if isinstance(question, Reason):
        assert question in REFUSALS
        return
    assert MARK.encode() not in question.body
    assert not any(MARK.encode() in value for _, value in question.headers)
    assert said(name, question.body) == said(name, ASKS[name].bytes)


@pytest.mark.parametrize("name", ASKS)
def test_what_is_sent_is_read_into_itself(name: str) -> None:
    """To send a question through twice is to send it once; and each of the four is accepted."""
    once = read(ASKS[name], ASKS[name].bytes)
    assert isinstance(once, Question)
    assert read(ASKS[name], once.body) == once
    assert said(name, once.body) == said(name, ASKS[name].bytes)

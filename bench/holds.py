"""How long one request or one answer can hold the event loop: the worst that the size caps let through.

    python -m bench.holds

Whatever is read in one piece holds everybody up while it is read. Each row is a shape made to cost as much as it can
inside the caps, or just beyond them, where it must cost next to nothing. CPU time of this thread, best of five.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, override

import orjson

from bench.targets import ROOT
from bench.upstream import PERSON, answer
from paravent.masking.formats.fhir_bundle import MAX_RESOURCES
from paravent.masking.json import MAX_VALUES
from paravent.masking.view import MAX_BODY_BYTES, Reduced, View, compile_view
from paravent.masking.walk import MAX_ELEMENTS, MAX_TEXT_CHARACTERS
from paravent.model import Asked, Disguise, Secret
from paravent.policy.question import read_question
from paravent.rules import FieldRule, Format, PersonFields, ResponseShape, Step, ViewSpec, path_text
from paravent.settings import read_policy_folder
from paravent.wiring import compile_views
from paravent_mitmproxy.listener.conversation import Conversation
from paravent_mitmproxy.listener.head import read_head
from paravent_mitmproxy.listener.limits import Limits

CAP_MS: Final = 20.0
"""No request may hold the loop for longer."""

OPERATION: Final = "droits.consultation"
ASKED: Final = Asked(
    nir=str(PERSON["immatriculation"])[:13],
    birth_date=str(PERSON["dateNaissance"]),
    birth_rank=1,
    fields={},
    disguise=Disguise(Secret(b"k" * 32), "10001234567", 0),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is read in one piece."""

    name: str
    size_bytes: int
    read: Callable[[], object]


def shapes() -> Iterator[Shape]:
    """Every shape."""
    for name, size, read in (
        *_answers(),
        *_bundles(),
        *_markup(),
        *_tables(),
        *_texts(),
        *_numbers(),
        *_mixtures(),
        *_pieces(),
        *_requests(),
    ):
        yield Shape(name, size, read)


def hold_ms(shape: Shape) -> float:
    """CPU time of reading it."""
    return min(_cpu_ms(shape.read) for _ in range(5))


def _cpu_ms(work: Callable[[], object]) -> float:
    before_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - before_ns) / 1e6


def _answers() -> Iterator[tuple[str, int, Callable[[], object]]]:
    _, views = compile_views(read_policy_folder(ROOT / "policies"))
    view = views[OPERATION, "21", "dispensation"]
    for shape, body in _bodies():
        assert len(body) <= MAX_BODY_BYTES, shape
        yield f"answer: {shape}", len(body), lambda body=body: view.apply(body, ASKED)  # type: ignore[misc]


def _bodies() -> Iterator[tuple[str, bytes]]:
    document = orjson.loads(answer())
    contract, relative = document["contratsAMC"][0], document["famille"][0]
    room = MAX_VALUES - answer().count(b",") - answer().count(b"[") - answer().count(b"{") - 2

    def padded(**members: object) -> bytes:
        return orjson.dumps(document | members)

    yield "the reference one", answer()
    yield "as many members as it may have", padded(x={f"k{i:06}": 1 for i in range(room - 2)})
    yield "as many lists", padded(x=[[]] * (room // 2))
    yield "more lists than it may have", padded(x=[[]] * 340_000)
    yield (
        "nested as deep as it may be, many times",
        answer()[:-1] + b',"x":[%b]}' % b",".join([b"[" * 150 + b"]" * 150] * (room // 160)),
    )
    yield "nested deeper", answer()[:-1] + b',"x":%b%b}' % (b"[" * 9000, b"]" * 9000)
    yield "as many contracts as a view looks at", padded(contratsAMC=[{}] * (MAX_ELEMENTS - 10))
    yield "more contracts than that", padded(contratsAMC=[{}] * 340_000)
    yield "whole contracts", padded(contratsAMC=[contract] * (room // 34))
    yield "as many relatives as are compared", padded(famille=[relative | {"x": 1}] * min(990, room // 40))
    yield "a text of a megabyte", padded(dateReponse="à la carte " * 80_000)
    yield "a text of digits, as long as is looked through", padded(dateReponse="1" * 3500)
    yield "as many escapes as are looked behind", padded(dateReponse=f"%41&a;\\u0041{'ILMN' * 24} " * 80)
    yield "words, as many as are looked through", padded(dateReponse="été " * 8000)
    yield "marks that combine, as many as are looked through", padded(dateReponse="\u0f71\u0f72" * 16_000)
    yield "characters that open out, as many", padded(dateReponse="\ufdfa" * 32_000)
    yield (
        "numbers of members, as long as may be",
        padded(contratsAMC=[contract | {"numeroAdherent": "1" * (MAX_TEXT_CHARACTERS - 1)}] * 110),
    )
    yield "a megabyte of escapes", b'{"x":"' + b"\\u00e9" * 170_000 + b'"}'


def _bundles() -> Iterator[tuple[str, int, Callable[[], object]]]:
    _, views = compile_views(read_policy_folder(ROOT / "policies"))
    view = views["fhir.eligibilite", "21", "dispensation"]
    for shape, url, more in (
        ("as many payors as contained", "", {"payor": [{"reference": "#x"}] * 3900, "contained": [{}] * 3900}),
        ("a payor whose reference is a megabyte of slashes", "", {"payor": [{"reference": "/" * 1_000_000}]}),
        ("payors on a server with a long name", f"https://{'a' * 500_000}", {"payor": [{"reference": "A/1"}] * 4900}),
        ("a URL of a megabyte of slashes", "/" * 1_000_000, {}),
        ("a URL of half a million resources", "A/" * 500_000, {}),
    ):
        body = _bundle({"resource": _COVERAGE | more} | ({"fullUrl": f"{url}/Coverage/c"} if url else {}))
        assert len(body) <= MAX_BODY_BYTES, shape
        yield f"answer: {shape}", len(body), lambda body=body: view.apply(body, ASKED)  # type: ignore[misc]
    for shape, count in (("as many Coverages as a Bundle may have", MAX_RESOURCES - 1), ("more Coverages", 1500)):
        each = [{"resource": _WHOLE | {"id": str(n), "subscriberId": f"A1B2C3D4E{n:05}"}} for n in range(count)]
        body = _bundle(*each)
        yield f"answer: {shape}", len(body), lambda body=body: view.apply(body, ASKED)  # type: ignore[misc]
    hiding = _with_pseudonyms("/Coverage[]/subscriberId", "/Coverage[]/payor[]/identifier/value")
    body = _bundle(*({"resource": _WHOLE | {"id": str(n), "subscriberId": f"A1B2C3D4E{n:05}"}} for n in range(270)))
    assert isinstance(hiding.apply(body, ASKED), Reduced)
    yield "answer: Coverages with two pseudonyms each", len(body), lambda: hiding.apply(body, ASKED)


def _with_pseudonyms(*numbers: str) -> View:
    """The reference view, with pseudonyms in place of these."""
    policy, _ = compile_views(read_policy_folder(ROOT / "policies"))
    spec = next(each for each in policy.views if each.operation == "fhir.eligibilite" and each.profession == "21")
    fields = tuple(
        FieldRule(each.path, "pseudonym") if path_text(each.path) in numbers else each for each in spec.fields
    )
    return compile_view(replace(spec, fields=fields), policy.operations[spec.operation].response)


def _bundle(*entries: object) -> bytes:
    patient = {"resource": _PATIENT, "fullUrl": "https://a/Patient/1"}
    return orjson.dumps({"resourceType": "Bundle", "entry": [patient, *entries]})


_PATIENT: Final = {
    "resourceType": "Patient",
    "id": "1",
    "birthDate": ASKED.birth_date,
    "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": ASKED.nir}],
}
_COVERAGE: Final = {"resourceType": "Coverage", "id": "c", "beneficiary": {"reference": "https://a/Patient/1"}}
_WHOLE: Final = _COVERAGE | {
    "status": "active",
    "type": {"text": "x"},
    "period": {"start": "2026-01-01", "end": "2026-12-31"},
    "payor": [{"identifier": {"system": "urn:x", "value": "99990001"}}],
    "class": [{"type": {"coding": [{"code": "x"}]}, "value": "PHAR", "name": "n"}],
}


def _markup() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Pages and XML; an answer in so many is read once more, for fields that nobody names."""
    _, views = compile_views(read_policy_folder(ROOT / "policies"))
    page, xml = views["portail.droits", "21", "dispensation"], views["soap.adri", "21", "dispensation"]
    contract = '<contratAMC numeroAdherent="A1B2C3D4E{:05}" numeroAMC="1" typeConvention="A"/>'
    for view, shape, body in (
        (page, "a page with one element of many attributes", f"<html><p {_attributes(35_000)}>"),
        (page, "a page with many elements of a hundred attributes", f"<html>{f'<p {_attributes(100)}>' * 190}"),
        (page, "a page with as many contracts as rows", _page("A1B2C3D4E{:05}")),
        (page, "a page with as many marks inside its cells", _page("<b><i>{}</i></b>" + "<b>x</b>" * 8)),
        (xml, "XML with one element of many attributes", _soap(f"<x {_attributes(18_000, '=""')}/>")),
        (xml, "XML with as many elements as it may have", _soap("<x/>" * 5_900)),
        (xml, "XML with as many contracts as are read", _soap("".join(map(contract.format, range(600))))),
        (xml, "XML with more contracts", _soap("".join(map(contract.format, range(1900))))),
    ):
        sent = body.encode()
        yield f"answer: {shape}", len(sent), lambda view=view, sent=sent: view.apply(sent, ASKED)  # type: ignore[misc]
        yield f"new fields: {shape}", len(sent), lambda view=view, sent=sent: view.unnamed(sent)  # type: ignore[misc]


def _attributes(count: int, value: str = "") -> str:
    return " ".join(f"a{number}{value}" for number in range(count))


def _page(number: str) -> str:
    rows = "".join(f"<tr><td>1<td><td>c<td>s<td>{number.format(place)}</tr>" for place in range(190))
    return f'<html><table id="contrats"><tbody>{rows}</table>'


def _soap(inside: str) -> str:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<DroitsReponse xmlns="urn:exemple:droits:1">{inside}</DroitsReponse></e:Body></e:Envelope>'
    )


def _tables() -> Iterator[tuple[str, int, Callable[[], object]]]:
    columns = [f"c{number}" for number in range(12)]
    rules = [FieldRule((Step("lignes", array=True), Step(column)), "keep") for column in columns]
    view = compile_view(ViewSpec("o", "21", "p", tuple(rules)), ResponseShape(format=Format.CSV))
    for shape, width, cell in (
        ("of words", 12, "ab c"),
        ("of formulas", 12, "=1"),
        ("of semicolons in quotes", 12, '";;;;"'),
        ("of as many cells as it may have", 64, "1"),
        ("of more cells", 200, ""),
    ):
        header = ",".join([*columns, *(f"x{number}" for number in range(width - 12))])
        body = "\r\n".join([header, *([",".join([cell] * width)] * 1000)]).encode()
        yield f"answer: a table {shape}", len(body), lambda body=body: view.apply(body, ASKED)  # type: ignore[misc]
        yield f"new fields: a table {shape}", len(body), lambda body=body: view.unnamed(body)  # type: ignore[misc]


_UNITS: Final = {
    "words": "mutation ",
    "numbers": "1 23 45 67 890 12 ",
    "base64": "ILMNILMNILMNILMN ",
    "entities": "&" + "a" * 32,
    "marks that combine": "\u0315\u0300",
    "characters that open out": "\ufdfa",
}


def _texts() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """A megabyte of texts, each as long as an operator works on, under operators that look into them."""
    path = (Step("a", array=True), Step("b"))
    for operator, parameter in (("free-text", None), ("mask", 4), ("initial", None), ("keep", "member-number")):
        view = compile_view(ViewSpec("o", "21", "p", (FieldRule(path, operator, parameter),)), ResponseShape())
        for shape, unit in _UNITS.items():
            text = (unit * MAX_TEXT_CHARACTERS)[:MAX_TEXT_CHARACTERS]
            one = orjson.dumps({"b": text})
            body = b'{"a":[%b]}' % b",".join([one] * ((MAX_BODY_BYTES - 10) // (len(one) + 1)))
            yield f"answer: {shape} under {operator}", len(body), lambda view=view, body=body: view.apply(body, ASKED)  # type: ignore[misc]


def _numbers() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """As many as a view looks at, each another one, and as long as an operator looks at."""
    path = (Step("a", array=True), Step("b"))
    for operator, parameter, what, number in (
        ("mask", 4, "of digits", "{:04}" + "1" * 44),
        ("mask", 4, "of digits apart", "{:04}" + " 1" * 22),
        ("keep", "member-number", "of digits and letters", "{:04}" + "A1" * 13),
        ("keep", "member-number", "of digits apart", "{:04}" + "-1" * 26),
        ("keep", "member-number", "as short as counts", "A{:04}B123456C"),
    ):
        view = compile_view(ViewSpec("o", "21", "p", (FieldRule(path, operator, parameter),)), ResponseShape())
        body = orjson.dumps({"a": [{"b": number.format(place)} for place in range(MAX_ELEMENTS - 10)]})
        yield (
            f"answer: numbers {what} under {operator}",
            len(body),
            lambda view=view, body=body: view.apply(body, ASKED),
        )  # type: ignore[misc]


def _mixtures() -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Everything at once, as many rows of it as leave: each bound by itself is kept, and so is the one over all."""
    loads = {
        "p": ("pseudonym", None, "12"),
        "n": ("keep", "member-number", "0042" + "-1" * 12),
        "m": ("mask", 4, "0042" + " 1" * 8),
        "f": ("keep", None, 1.5),
        "y": ("year", None, "1984-05-17"),
        "t": ("keep", None, "&x Né à "),
    }
    fields = PersonFields("nir", "born", "rank")
    named = [{"nir": f"28405999{place:05}", "born": "19840517", "rank": 1} for place in range(1000)]
    for shape, kind, at, keys, rows in (
        ("persons with values of every kind", Format.JSON, "a", "pnmfyt", 340),
        ("persons with pseudonyms", Format.JSON, "a", "p", 780),
        ("persons with numbers and fractions", Format.JSON, "a", "nf", 600),
        ("a table of persons with pseudonyms and numbers", Format.CSV, "lignes", "pn", 480),
    ):
        path = Step(at, array=True)
        rules = tuple(FieldRule((path, Step(key)), *loads[key][:2]) for key in keys)
        response = ResponseShape(((path,),), fields, "listed", 1000, format=kind)
        view = compile_view(ViewSpec("o", "21", "p", rules), response)
        records = [person | {key: loads[key][2] for key in keys} for person in named[:rows]]
        body = _table(records) if kind is Format.CSV else orjson.dumps({at: records, "x": [[]] * 2000})
        assert isinstance(view.apply(body, _SEARCHING), Reduced), shape
        yield f"answer: {shape}", len(body), lambda view=view, body=body: view.apply(body, _SEARCHING)  # type: ignore[misc]


_SEARCHING: Final = Asked(disguise=ASKED.disguise)


def _table(records: list[dict[str, object]]) -> bytes:
    return "\r\n".join([",".join(records[0]), *(",".join(map(str, each.values())) for each in records)]).encode()


def _pieces() -> Iterator[tuple[str, int, Callable[[], object]]]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    # libuv reads 64 KB at a time, asyncio 256 KB.
    for shape, size in (("64 KB", 64 * 1024), ("256 KB, which are too many pieces", 256 * 1024)):
        wire = (head + b"1\r\n{\r\n" * (size // 6))[:size]
        yield f"answer: chunks of one byte, one read of {shape}", size, lambda wire=wire: _feed(wire)  # type: ignore[misc]


def _feed(wire: bytes) -> None:
    async def exchange() -> None:
        conversation = Conversation()
        with socket.socket() as sock:
            conversation.connection_made(_Pipe(sock))
            asking = asyncio.create_task(conversation.exchange(b""))
            await asyncio.sleep(0)
            conversation.data_received(wire)
            asking.cancel()
            await asyncio.wait([asking])

    asyncio.run(exchange())


class _Pipe(asyncio.Transport):
    """A transport that sends nothing."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})

    @override
    def write(self, data: object) -> None:
        pass


def _requests() -> Iterator[tuple[str, int, Callable[[], object]]]:
    limits = Limits()
    line = b"POST /v1/droits/consultation HTTP/1.1\r\nHost: a\r\n"
    many = line + b"".join(b"x-%d: 1\r\n" % number for number in range(limits.headers - 1)) + b"\r\n"
    yield "request: as many headers as it may have", len(many), lambda: read_head(many, limits)
    more = line + b"x:\r\n" * ((limits.head_bytes - len(line)) // 4) + b"\r\n"
    yield "request: more headers", len(more), lambda: read_head(more, limits)
    long = line + b"x: " + b"a" * (12288 - 3) + b"\r\n\r\n"
    yield "request: one long header", len(long), lambda: read_head(long, limits)
    policy, _ = compile_views(read_policy_folder(ROOT / "policies"))
    operation = policy.operations[OPERATION]
    for shape, body in (("a body of lists", b"[" * limits.body_bytes), ("a body of members", _members(8000))):
        yield (
            f"request: {shape}",
            len(body),
            lambda body=body: read_question(  # type: ignore[misc]
                operation, {}, body, (b"application/json",)
            ),
        )


def _members(size: int) -> bytes:
    return orjson.dumps({f"{number:x}": 1 for number in range(size // 9)})


def table(found: dict[str, float]) -> str:
    """For people. `found`: milliseconds by the name of the shape."""
    rows = [f"{name:70} {ms:8.2f}" for name, ms in found.items()]
    return "\n".join([f"{'one request or answer holds the loop for':70} {'ms':>8}", *rows])


def measure() -> dict[str, float]:
    """Milliseconds by the name of the shape, the longest first."""
    found = {shape.name: hold_ms(shape) for shape in shapes()}
    return dict(sorted(found.items(), key=lambda each: -each[1]))


if __name__ == "__main__":
    print(table(measure()))

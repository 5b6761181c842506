"""What a well-framed answer may say, and what the caller gets of it: the reduced document, or a constant.

A row is a sentence, the upstream's bytes, and the status. What the upstream said is in none of them.
"""

import asyncio
import gzip
import zlib
from pathlib import Path
from typing import Final

import orjson
import pytest

import loops
from answers import ANSWER, BODY, DOCUMENT, REDUCED
from node import parse, running_node
from sweep import OTHER_NIR
from wire import http_answer, raw_upstream

SECRET: Final = OTHER_NIR.encode()
PACKED: Final = gzip.compress(BODY)
PAGE: Final = b"<html><body>Erreur pour " + SECRET + b"</body></html>"


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """One loop: what an answer says is not read by it."""
    return loops.policy(loops.BOTH[-1])


def answer(status: int, body: bytes = BODY, content_type: bytes = b"application/json", extra: bytes = b"") -> bytes:
    return http_answer(body, status=status, content_type=content_type, extra=extra)


def nested(depth: int) -> bytes:
    return b'{"beneficiaireDeSoins":' + b'{"a":' * depth + b'"' + SECRET + b'"' + b"}" * depth + b"}"


WITHHELD = [
    # ---- status
    *((f"status {status}", answer(status), 502) for status in (201, 202, 203, 205, 206, 207, 226, 299)),
    *(
        (f"status {status}", answer(status, extra=b"Location: /p/" + SECRET + b"\r\n"), 502)
        for status in (301, 302, 307)
    ),
    *((f"status {status}", answer(status, PAGE, b"text/html"), 502) for status in (401, 405, 407, 418, 429)),
    *((f"status {status}", answer(status, PAGE, b"text/html"), 502) for status in (500, 502, 503, 504, 599, 999)),
    ("a question it did not like", answer(400, b'{"motif":"' + SECRET + b'"}'), 404),
    ("not entitled, with the reason in it", answer(403, b'{"motif":"' + SECRET + b'"}'), 404),
    ("not found, in words", answer(404, PAGE, b"text/html"), 404),
    ("not found, with the person in it", answer(404), 404),
    ("not processable, with the reason in it", answer(422, b'{"motif":"' + SECRET + b'"}'), 404),
    # ---- type
    ("HTML", answer(200, PAGE, b"text/html"), 502),
    ("text", answer(200, BODY, b"text/plain"), 502),
    ("CSV", answer(200, b"nir\n" + SECRET, b"text/csv"), 502),
    ("PDF", answer(200, b"%PDF-1.4 " + SECRET, b"application/pdf"), 502),
    ("XML", answer(200, b"<nir>" + SECRET + b"</nir>", b"application/xml"), 502),
    ("SOAP", answer(200, b"<Envelope>" + SECRET + b"</Envelope>", b"application/soap+xml"), 502),
    ("FHIR", answer(200, BODY, b"application/fhir+json"), 502),
    ("JSON lines", answer(200, BODY + b"\n" + BODY, b"application/x-ndjson"), 502),
    ("an event stream", answer(200, b"data: " + BODY + b"\n\n", b"text/event-stream"), 502),
    ("parts", answer(200, b"--a\r\n\r\n" + BODY + b"\r\n--a--", b"multipart/mixed; boundary=a"), 502),
    ("a problem document of its own", answer(200, BODY, b"application/problem+json"), 502),
    ("no type", b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY, 502),
    ("two types", answer(200, extra=b"Content-Type: text/html\r\n"), 502),
    ("two types in one field", answer(200, BODY, b"application/json, text/html"), 502),
    ("JSON in latin-1", answer(200, BODY, b"application/json; charset=iso-8859-1"), 502),
    ("JSON in UTF-16 by its label", answer(200, BODY, b"application/json; charset=utf-16"), 502),
    # ---- encoding
    ("gzip", answer(200, PACKED, extra=b"Content-Encoding: gzip\r\n"), 502),
    ("gzip, two members", answer(200, PACKED + PACKED, extra=b"Content-Encoding: gzip\r\n"), 502),
    ("gzip in gzip", answer(200, gzip.compress(PACKED), extra=b"Content-Encoding: gzip, gzip\r\n"), 502),
    ("x-gzip", answer(200, PACKED, extra=b"Content-Encoding: x-gzip\r\n"), 502),
    ("deflate", answer(200, zlib.compress(BODY), extra=b"Content-Encoding: deflate\r\n"), 502),
    ("br", answer(200, BODY, extra=b"Content-Encoding: br\r\n"), 502),
    ("a Python codec", answer(200, BODY.hex().encode(), extra=b"Content-Encoding: hex\r\n"), 502),
    ("UTF-8 as a coding", answer(200, extra=b"Content-Encoding: utf-8\r\n"), 502),
    ("identity as a coding", answer(200, extra=b"Content-Encoding: identity\r\n"), 502),
    ("an empty coding", answer(200, extra=b"Content-Encoding:\r\n"), 502),
    ("gzip without its label", answer(200, PACKED), 502),
    ("a label without gzip", answer(200, extra=b"Content-Encoding: gzip\r\n"), 502),
    ("a bomb", answer(200, gzip.compress(b"0" * 50_000_000, 9), extra=b"Content-Encoding: gzip\r\n"), 502),
    # ---- characters
    ("UTF-16", answer(200, BODY.decode().encode("utf-16")), 502),
    ("a byte order mark", answer(200, b"\xef\xbb\xbf" + BODY), 502),
    ("UTF-7", answer(200, b"+AHs-" + BODY), 502),
    ("a byte that is not UTF-8", answer(200, BODY.replace(b"ESSAI", b"ESS\xff")), 502),
    ("half a surrogate pair", answer(200, BODY.replace(b"ESSAI", b"ESS\\ud800")), 502),
    # ---- JSON
    ("nothing", answer(200, b""), 502),
    ("not JSON", answer(200, b"nir=" + SECRET), 502),
    ("a prefix against scripts", answer(200, b")]}'\n" + BODY), 502),
    ("a callback", answer(200, b"f(" + BODY + b")"), 502),
    ("a comment", answer(200, b"/* " + SECRET + b" */" + BODY), 502),
    ("two documents", answer(200, BODY + BODY), 502),
    ("a document cut off", answer(200, BODY[:-3]), 502),
    ("a list", answer(200, b"[" + BODY + b"]"), 502),
    ("a string", answer(200, b'"' + SECRET + b'"'), 502),
    ("null", answer(200, b"null"), 502),
    ("a name twice", answer(200, BODY[:-1] + b',"infosGlobales":{"codeRegime":"' + SECRET + b'"}}'), 502),
    ("not a number", answer(200, BODY[:-1] + b',"a":NaN}'), 502),
    ("infinity", answer(200, BODY[:-1] + b',"a":Infinity}'), 502),
    ("a number of 5 000 digits", answer(200, BODY[:-1] + b',"a":' + b"1" * 5000 + b"}"), 502),
    ("a hundred thousand levels", answer(200, nested(100_000)), 502),
    ("a thousand levels", answer(200, nested(1_000)), 502),
    ("a list for an object", answer(200, orjson.dumps({"beneficiaireDeSoins": [DOCUMENT["famille"][0]]})), 502),
    ("no person", answer(200, b"{}"), 404),
    ("somebody else", answer(200, orjson.dumps({"beneficiaireDeSoins": DOCUMENT["famille"][0]})), 502),
    (
        "a NIR in a field that may be kept",
        answer(200, orjson.dumps({**DOCUMENT, "infosGlobales": {"codeRegime": OTHER_NIR}})),
        502,
    ),
    ("more than a megabyte", answer(200, b'{"a":"' + b"x" * 1_100_000 + b'"}'), 502),
]


@pytest.mark.parametrize(("wire", "status"), [row[1:] for row in WITHHELD], ids=[row[0] for row in WITHHELD])
async def test_what_cannot_be_reduced_is_withheld(tmp_path: Path, wire: bytes, status: int) -> None:
    """A constant, one record, nobody disclosed, and no byte of the upstream's anywhere."""
    async with raw_upstream(wire) as seen, running_node(tmp_path, seen.port) as node:
        sent = await node.send(node.request())
        got, headers, body = parse(sent)
        problem = orjson.loads(body)
        assert got == status == problem["status"]
        assert headers[b"content-type"] == b"application/problem+json"
        assert problem.keys() == {"type", "title", "status", "detail", "reference"}
        for piece in (SECRET, b"Erreur", b"ESSAI", b"Location", b"ETag"):
            assert piece not in sent
        (record,) = node.records()
        assert (record["decision"], record["persons"]) == ("withhold", [])


HEADERS = [
    ("a cookie", b"Set-Cookie: nir=" + SECRET),
    ("a place", b"Location: https://evil.example/" + SECRET),
    ("where the content is", b"Content-Location: /personnes/" + SECRET),
    ("a link", b"Link: </personnes/" + SECRET + b">; rel=self"),
    ("a strong tag of the unmasked body", b'ETag: "' + SECRET + b'"'),
    ("a digest of the unmasked body", b"Digest: sha-256=" + SECRET),
    ("an MD5 of the unmasked body", b"Content-MD5: " + SECRET),
    ("a warning", b'Warning: 199 - "' + SECRET + b'"'),
    ("another protocol", b'Alt-Svc: h3="evil.example:443"; ma=' + SECRET),
    ("an alternative origin", b"Access-Control-Allow-Origin: *"),
    ("a cache's permission", b"Cache-Control: public, max-age=31536000"),
    ("when it was changed", b"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"),
    ("how it may be asked in parts", b"Accept-Ranges: bytes"),
    ("who made it", b"Server: upstream/" + SECRET),
    ("a header of its own", b"X-Debug-Person: " + SECRET),
    ("a name in odd case", b"x-NIR: " + SECRET),
    ("a challenge", b'WWW-Authenticate: Basic realm="' + SECRET + b'"'),
    ("a time to wait", b"Retry-After: 99999"),
    ("an announced trailer", b"Trailer: X-Nir"),
    ("a value above 0x7f", b"X-A: \xe9" + SECRET),
]


async def test_no_header_of_the_upstreams_passes(tmp_path: Path) -> None:
    """Each with a good body: the same answer, byte for byte, as without it, but for the budget's own fields."""
    script = iter([*(line for _, line in HEADERS)])
    wires = [http_answer(BODY, extra=line + b"\r\n") for line in script]
    async with (
        raw_upstream(lambda count, _: wires[count] if count < len(wires) else ANSWER) as seen,
        running_node(tmp_path, seen.port) as node,
    ):
        heads = set()
        for number, (sentence, _) in enumerate(HEADERS):
            status, headers, body = await node.ask(rpps=f"997004{number:05d}")
            assert (status, orjson.loads(body)) == (200, REDUCED), sentence
            heads.add(tuple(sorted(headers.items())))
        assert len(heads) == 1


async def test_unknown_members_of_any_kind_are_dropped(tmp_path: Path) -> None:
    """A field that the upstream adds tomorrow does not pass, wherever it adds it and whatever it is called."""
    odd = {
        "": OTHER_NIR,
        "\u0000": OTHER_NIR,
        "nomUsuel ": OTHER_NIR,
        "NOMUSUEL": OTHER_NIR,
        "a/b": OTHER_NIR,
        "~1": [OTHER_NIR],
    }
    document = {**DOCUMENT, **odd, "beneficiaireDeSoins": {**DOCUMENT["beneficiaireDeSoins"], **odd}}
    wire = http_answer(orjson.dumps(document))
    async with raw_upstream(wire) as seen, running_node(tmp_path, seen.port) as node:
        status, _, body = await node.ask()
        assert (status, orjson.loads(body)) == (200, REDUCED)


async def test_escaped_names_are_names(tmp_path: Path) -> None:
    """What JSON spells with escapes is the same member to us as to the client."""
    wire = http_answer(
        BODY.replace(b'"nomUsuel"', b'"\\u006eomUsuel"').replace(b'"commentaire"', b'"\\u0063ommentaire"')
    )
    async with raw_upstream(wire) as seen, running_node(tmp_path, seen.port) as node:
        status, _, body = await node.ask()
        assert (status, orjson.loads(body)) == (200, REDUCED)


async def test_unknown_and_not_entitled_look_the_same(tmp_path: Path) -> None:
    """One status, one body but for the reference, the same headers: an answer is no oracle."""
    wires = [answer(404), answer(403), answer(404, PAGE, b"text/html"), answer(422, b"{}"), answer(404, b"")]
    async with raw_upstream(lambda count, _: wires[count]) as seen, running_node(tmp_path, seen.port) as node:
        looks = set()
        for number in range(len(wires)):
            status, headers, body = await node.ask(rpps=f"997004{number:05d}")
            document = orjson.loads(body)
            document.pop("reference")
            looks.add((status, orjson.dumps(document), tuple(sorted(headers.items()))))
        assert len(looks) == 1

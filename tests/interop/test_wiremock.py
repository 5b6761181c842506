"""WireMock as the lookup API, with each of its faults and with all that an HTTP server of others may say.

A row is a sentence, what WireMock is told to do, and what the caller gets: the reduced answer, or a constant with this
status, for this reason. Nothing of what WireMock said is in the constant, the sweep at the end of each node finds
nothing of it anywhere, and whoever asks next gets an answer of their own.
"""

import base64
import gzip
from collections.abc import Iterator
from itertools import batched, count
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from answers import BODY, REDUCED
from node import CONSULTATION, RunningNode, parse, running_node
from policies import reference_files
from sweep import OTHER_NIR
from wiremock import Stub, WireMock, wiremock

pytestmark = [pytest.mark.real]

JSON: Final = {"Content-Type": "application/json"}
GARBAGE: Final = b"lskdu018973t09sylgasjkfg1"
"""What WireMock's random data begins with."""

NAMES: Final = {
    b"cache-control",
    b"content-language",
    b"content-length",
    b"content-security-policy",
    b"content-type",
    b"referrer-policy",
    b"vary",
    b"x-content-type-options",
}
"""The headers of a constant."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireMock]:
    with wiremock(tmp_path_factory.mktemp("wiremock")) as running:
        yield running


def said(status: int = 200, headers: dict[str, Any] | None = None, body: bytes = BODY, **more: Any) -> Stub:
    """A stub with the whole document, and with a number of somebody else in a header."""
    given = {**JSON, "X-Assure": OTHER_NIR, "Set-Cookie": f"nir={OTHER_NIR}", **(headers or {})}
    return {"status": status, "headers": given, "base64Body": base64.b64encode(body).decode(), **more}


def dribbled(ms: int, chunks: int = 10) -> dict[str, Any]:
    return {"chunkedDribbleDelay": {"numberOfChunks": chunks, "totalDuration": ms}}


FAULTS: Final[list[tuple[str, Stub, int, str]]] = [
    # ---- WireMock's faults
    ("ends the connection without a word", {"fault": "EMPTY_RESPONSE"}, 502, "upstream_unreachable"),
    ("says 200, then what is no chunk, and hangs up", {"fault": "MALFORMED_RESPONSE_CHUNK"}, 502, "upstream_protocol"),
    ("says random bytes and hangs up", {"fault": "RANDOM_DATA_THEN_CLOSE"}, 502, "upstream_protocol"),
    ("resets the connection", {"fault": "CONNECTION_RESET_BY_PEER"}, 502, "upstream_unreachable"),
    # ---- too late
    ("answers after the deadline", said(fixedDelayMilliseconds=3000), 504, "upstream_timeout"),
    ("begins in time and ends after the deadline", said(**dribbled(3000)), 504, "upstream_timeout"),
    # ---- framing
    ("promises fewer bytes than it sends", said(headers={"Content-Length": "20"}), 502, "upstream_protocol"),
    ("promises more bytes than it sends", said(headers={"Content-Length": "5000"}), 502, "upstream_protocol"),
    (
        "has another transfer coding below the chunks",
        said(headers={"Transfer-Encoding": "gzip"}),
        502,
        "upstream_protocol",
    ),
    ("ends its body with the connection", said(headers={"Connection": "close"}), 502, "upstream_protocol"),
    ("has a header of 20 KB", said(headers={"X-A": "a" * 20_000}), 502, "upstream_protocol"),
    ("has a header of 100 KB", said(headers={"X-A": "a" * 100_000}), 502, "upstream_protocol"),
    (
        "has three thousand headers",
        said(headers={f"X-{number}": "a" for number in range(3000)}),
        502,
        "upstream_protocol",
    ),
    ("has one header three thousand times", said(headers={"X-A": ["a"] * 3000}), 502, "upstream_protocol"),
    ("sends more than a megabyte", said(body=b'{"a":"' + b"x" * 1_100_000 + b'"}'), 502, "answer_too_large"),
    # ---- status
    ("says 100 Continue and nothing else", said(100), 502, "upstream_protocol"),
    ("switches protocols", said(101, {"Upgrade": "websocket", "Connection": "upgrade"}), 502, "upstream_protocol"),
    ("says 102 Processing", said(102), 502, "upstream_protocol"),
    ("says 103 Early Hints", said(103, {"Link": f"</{OTHER_NIR}>; rel=preload"}), 502, "upstream_protocol"),
    *((f"says {status}", said(status), 502, "answer_status") for status in (201, 202, 203, 205, 207, 226)),
    ("says 204 without a length", said(204), 502, "upstream_protocol"),
    ("says a part of it", said(206, {"Content-Range": "bytes 0-99/900"}), 502, "answer_status"),
    *(
        (f"sends elsewhere with {s}", said(s, {"Location": f"/p/{OTHER_NIR}"}), 502, "answer_status")
        for s in (301, 302, 303, 307, 308)
    ),
    ("says that nothing has changed", said(304, {"ETag": f'"{OTHER_NIR}"'}), 502, "upstream_protocol"),
    ("wants a login", said(401, {"WWW-Authenticate": f'Basic realm="{OTHER_NIR}"'}), 502, "answer_status"),
    ("wants a proxy login", said(407, {"Proxy-Authenticate": f'Basic realm="{OTHER_NIR}"'}), 502, "answer_status"),
    ("does not know the person, and says who", said(404), 404, "beneficiary_unknown"),
    ("had enough", said(429, {"Retry-After": "1"}), 502, "answer_status"),
    (
        "fails with a trace of its stack",
        said(500, {"Content-Type": "text/plain"}, b"at Assure." + OTHER_NIR.encode()),
        502,
        "answer_status",
    ),
    ("is down", said(503, {"Retry-After": "1"}), 502, "answer_status"),
    ("has a status of its own", said(999), 502, "answer_status"),
    # ---- what the body is
    ("says HTML", said(headers={"Content-Type": "text/html"}, body=b"<p>" + OTHER_NIR.encode()), 502, "answer_type"),
    ("says text", said(headers={"Content-Type": "text/plain"}), 502, "answer_type"),
    (
        "says XML",
        said(headers={"Content-Type": "application/xml"}, body=b"<a>" + OTHER_NIR.encode() + b"</a>"),
        502,
        "answer_type",
    ),
    ("says no type", {"status": 200, "body": BODY.decode()}, 502, "answer_type"),
    ("says another charset", said(headers={"Content-Type": "application/json;charset=utf-16"}), 502, "answer_type"),
    ("compresses it", said(headers={"Content-Encoding": "gzip"}, body=gzip.compress(BODY)), 502, "answer_encoding"),
    (
        "compresses it twice",
        said(headers={"Content-Encoding": "gzip"}, body=gzip.compress(BODY) * 2),
        502,
        "answer_encoding",
    ),
    ("says that it is compressed", said(headers={"Content-Encoding": "br"}), 502, "answer_encoding"),
    ("says nothing", said(body=b""), 502, "answer_malformed"),
    ("says half of it", said(body=BODY[: len(BODY) // 2]), 502, "answer_malformed"),
    ("says it twice", said(body=BODY + BODY), 502, "answer_malformed"),
]


TAKEN: Final[list[tuple[str, Stub]]] = [
    ("in chunks, with a number in each header", said()),
    ("in forty pieces, in time", said(**dribbled(300, 40))),
    ("with a length, and then hangs up", said(headers={"Content-Length": str(len(BODY)), "Connection": "close"})),
    ("with a reason phrase of its own", said(statusMessage=f"Voici {OTHER_NIR}")),
    ("with a header of 7 KB", said(headers={"X-A": "a" * 7_000})),
    ("with a thousand headers", said(headers={f"X-{number}": "a" for number in range(1000)})),
    ("with one header a thousand times", said(headers={"X-A": ["a"] * 1000})),
    ("with a type in capitals", said(headers={"Content-Type": "APPLICATION/JSON; Charset=UTF-8"})),
]

ROWS_A_NODE: Final = 7

number = count()


def somebody() -> str:
    """A pharmacist who has not asked yet."""
    return f"997004{next(number):05d}"


async def refused(node: RunningNode, server: WireMock, row: tuple[str, Stub, int, str]) -> None:
    """Built here, whatever came; on record with its reason, and about nobody. Asked once, or once more on a kept
    connection that ended without a byte of an answer."""
    what, stub, status, reason = row
    server.answers(stub)
    sent = await node.send(node.request(rpps=somebody()))
    got, headers, body = parse(sent)
    problem = orjson.loads(body)
    assert (got, problem["status"]) == (status, status), what
    assert headers[b"content-type"] == b"application/problem+json", what
    assert headers.keys() == NAMES, what
    assert problem.keys() == {"type", "title", "status", "detail", "reference"}, what
    for piece in (OTHER_NIR.encode(), GARBAGE, b"ESSAI", b"Matched-Stub"):
        assert piece not in sent, what
    record = node.records()[-1]
    assert (record["decision"], record["reason"], record["persons"]) == ("withhold", reason, []), what
    assert server.asked() in ((1, 2) if reason == "upstream_unreachable" else (1,)), what


async def taken(node: RunningNode, server: WireMock, what: str, stub: Stub) -> None:
    """The same reduced answer, without one header of the upstream's."""
    server.answers(stub)
    status, headers, body = await node.ask(rpps=somebody())
    assert (status, orjson.loads(body)) == (200, REDUCED), what
    assert headers.keys() == (NAMES - {b"content-language", b"vary"}) | {b"ratelimit", b"ratelimit-policy"}, what


@pytest.mark.parametrize(
    "rows",
    [pytest.param(rows, id=f"{rows[0][0]} … {rows[-1][0]}") for rows in batched(FAULTS, ROWS_A_NODE)],
)
async def test_a_caller_gets_a_constant_when_it(
    tmp_path: Path, server: WireMock, rows: tuple[tuple[str, Stub, int, str], ...]
) -> None:
    """Each followed by a caller who gets their answer, and nothing that was left on a connection."""
    async with running_node(tmp_path, server.port, timeout="1s") as node:
        for row in rows:
            await refused(node, server, row)
            await taken(node, server, row[0], said())


async def test_an_answer_is_reduced_that_comes(tmp_path: Path, server: WireMock) -> None:
    """However it is dressed."""
    async with running_node(tmp_path, server.port) as node:
        for what, stub in TAKEN:
            await taken(node, server, what, stub)


@pytest.mark.parametrize("fault", ["EMPTY_RESPONSE", "CONNECTION_RESET_BY_PEER"])
@pytest.mark.parametrize(
    ("method", "path", "said_of_it", "times"),
    [("POST", CONSULTATION, b"true", 2), ("POST", CONSULTATION, b"false", 1), ("GET", "/v1/compte", b"false", 2)],
)
async def test_only_what_may_be_repeated_is_asked_once_more(
    tmp_path: Path, server: WireMock, fault: str, method: str, path: str, said_of_it: bytes, times: int
) -> None:
    """On a kept connection that ends, which may have been closing already (RFC 9110 section 9.2.2)."""
    droits = reference_files()["operations/droits.yaml"].replace(b"repeatable: true", b"repeatable: " + said_of_it)
    async with running_node(tmp_path, server.port, policies={"operations/droits.yaml": droits}) as node:
        await taken(node, server, "a kept connection", said())
        server.answers({"fault": fault}, said())
        await node.send(node.request(method=method, path=path, rpps=somebody()))
        assert server.asked() == times

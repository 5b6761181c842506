"""Bytes that a client may send, and what they may cause: a constant refusal, no question upstream, one record.

A row is a sentence, the bytes, and the status.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

import loops
from answers import ANSWER, REDUCED
from node import CONSULTATION, RunningNode, parse, running_node
from wire import RawUpstream, raw_upstream


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """One loop: how bytes are read does not depend on it. `test_client_conduct` runs on both."""
    return loops.policy(loops.BOTH[-1])


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path, upstream.port) as running:
        yield running


async def test_a_good_question_is_answered_reduced(node: RunningNode, upstream: RawUpstream) -> None:
    """The answer holds what the view names; the upstream's headers, and everybody else, stay behind."""
    status, headers, body = await node.ask()
    assert (status, orjson.loads(body)) == (200, REDUCED)
    assert headers.keys() == {
        b"cache-control",
        b"x-content-type-options",
        b"referrer-policy",
        b"content-security-policy",
        b"content-type",
        b"content-length",
        b"ratelimit",
        b"ratelimit-policy",
    }
    assert headers[b"cache-control"] == b"no-store"
    assert len(upstream.requests) == 1
    head = upstream.requests[0].lower()
    assert b"authorization" not in head
    assert b"dpop" not in head
    assert b"accept-encoding: identity" in head


def get(*lines: bytes, target: bytes = b"/v1/compte") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"", target: bytes = CONSULTATION.encode()) -> bytes:
    head = b"".join(line + b"\r\n" for line in lines)
    return b"POST " + target + b" HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + body


JWT = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA"
UNSIGNED = b"eyJhbGciOiJub25lIn0.e30."
BAD = [
    # ---- the request line
    ("HTTP/1.0", b"GET /v1/compte HTTP/1.0\r\nHost: a\r\n\r\n", 400),
    ("HTTP/1.0 that wants to be kept", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 400),
    ("HTTP/2.0 in letters", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
    ("HTTP/01.1", b"GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400),
    ("HTTP/3", b"GET / HTTP/3\r\nHost: a\r\n\r\n", 400),
    ("http/1.1 in lower case", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("no version at all (HTTP/0.9)", b"GET /v1/compte\r\n\r\n", 400),
    ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("a method in lower case", b"get /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a method with NUL in it", b"GE\0T /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a method that is a whole request line", b"GET_/admin_HTTP/1.1 / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT with a path", b"CONNECT /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("PRI with a path", b"PRI / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("absolute form", b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("absolute form of our own origin", b"GET https://droits.example/v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("the asterisk", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("two spaces before the target", b"GET  /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a tab for a space", b"GET\t/v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a vertical tab for a space", b"GET\x0b/v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a space in the target", b"GET /v1/compte HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("a byte above 0x7f in the target", get(target=b"/v1/compte\xff"), 400),
    ("NUL in the target", get(target=b"/v1/compte\0"), 400),
    ("a target of 9 000 bytes", get(target=b"/" + b"a" * 9000), 400),
    ("an empty line first", b"\r\n" + get(), 400),
    ("a space first", b" " + get(), 400),
    ("a byte order mark first", b"\xef\xbb\xbf" + get(), 400),
    # ---- other protocols on our port
    ("a TLS handshake on the plaintext port", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400),
    ("PROXY protocol version 1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(), 400),
    ("PROXY protocol version 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + get(), 400),
    ("SOCKS5", b"\x05\x01\x00\r\n\r\n", 400),
    ("Redis", b"*1\r\n$4\r\nPING\r\n\r\n", 400),
    ("an answer in place of a request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    ("a WebSocket upgrade", get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: a"), 400),
    ("an upgrade to cleartext HTTP/2", get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"), 400),
    ("HTTP2-Settings alone", get(b"HTTP2-Settings: AAMAAABkAAQAAP__"), 400),
    # ---- line ends and folds
    ("bare LF for every line end", b"GET /v1/compte HTTP/1.1\nHost: a\n\r\n\r\n", 400),
    ("bare LF after one header", b"GET /v1/compte HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n", 400),
    ("bare CR that hides a header", get(b"X-A: y\rAuthorization: Bearer evil"), 400),
    ("NUL in a value", get(b"X-A: 1\x002"), 400),
    ("a fold", get(b"Authorization: Bearer", b" abc"), 400),
    ("a fold before the first header", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("DEL in a value", get(b"X-A: \x7f"), 400),
    ("a value above 0x7f", get(b"Authorization: Bearer abc\xff"), 400),
    ("a vertical tab before a length", post(b"Content-Length:\x0b3", body=b"abc"), 400),
    # ---- names
    ("a blank before the colon", get(b"X-A : 1"), 400),
    ("a blank before the length's colon", post(b"Content-Length : 3", body=b"abc"), 400),
    ("no colon", get(b"X-A"), 400),
    ("no name", get(b": 1"), 400),
    ("an underscore for a hyphen", get(b"X_Role: admin"), 400),
    ("a name in full-width letters", get("Ｈost: b".encode()), 400),
    # ---- one, and only one
    ("no Host", b"GET /v1/compte HTTP/1.1\r\nX-A: 1\r\n\r\n", 400),
    ("two Hosts", get(b"Host: b"), 400),
    ("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("a Host that is a URL", b"GET / HTTP/1.1\r\nHost: https://a/\r\n\r\n", 400),
    ("a Host with a user", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    ("a Host that is a list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("two Authorizations", get(b"Authorization: Bearer a", b"Authorization: Bearer b"), 400),
    ("two Authorizations in different case", get(b"Authorization: Bearer a", b"AUTHORIZATION: Bearer b"), 400),
    ("two DPoP proofs", get(b"DPoP: a", b"DPoP: b"), 400),
    ("two purposes", get(b"Paravent-Purpose: a", b"Paravent-Purpose: b"), 400),
    ("two content types", post(b"Content-Type: application/json", b"Content-Type: text/plain"), 400),
    # ---- framing
    ("chunked", post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ("chunked, in odd case", post(b"tRANSFER-eNCODING: cHUNKED", body=b"0\r\n\r\n"), 400),
    ("chunked with trailers", post(b"Transfer-Encoding: chunked", b"Trailer: X", body=b"0\r\nX: 1\r\n\r\n"), 400),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 400),
    ("identity as a transfer coding", post(b"Transfer-Encoding: identity", b"Content-Length: 0"), 400),
    ("an empty transfer coding", post(b"Transfer-Encoding:", b"Content-Length: 0"), 400),
    ("length and coding", post(b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ("coding and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"0\r\n\r\n"), 400),
    ("two equal lengths", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"), 400),
    ("two different lengths", post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"), 400),
    ("a list of lengths", post(b"Content-Length: 3, 3", body=b"abc"), 400),
    ("a signed length", post(b"Content-Length: +3", body=b"abc"), 400),
    ("a negative length", post(b"Content-Length: -3", body=b"abc"), 400),
    ("a hexadecimal length", post(b"Content-Length: 0x3", body=b"abc"), 400),
    ("a length with a leading zero", post(b"Content-Length: 03", body=b"abc"), 400),
    ("a length with a fraction", post(b"Content-Length: 3.0", body=b"abc"), 400),
    ("an empty length", post(b"Content-Length:", body=b"abc"), 400),
    ("a gigabyte announced", post(b"Content-Length: 1000000000"), 400),
    ("a body over the limit announced", post(b"Content-Length: 70000"), 413),
    ("a body and no length", post(body=b"abc\r\n\r\n"), 401),
    # ---- headers that ask for something else
    ("Expect", post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc"), 400),
    ("a compressed question", post(b"Content-Encoding: gzip", b"Content-Length: 3", body=b"abc"), 400),
    ("a method override", get(b"X-HTTP-Method-Override: DELETE"), 400),
    ("an original URL", get(b"X-Original-URL: /admin"), 400),
    ("a rewritten URL", get(b"X-Rewrite-URL: /admin"), 400),
    ("a range", get(b"Range: bytes=0-1"), 400),
    ("credentials for a proxy", get(b"Proxy-Authorization: Basic YTpi"), 400),
    # ---- too much
    ("a head without end", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000, 431),
    ("a head over the limit that ends", get(b"X-A: " + b"a" * 9000, b"X-B: " + b"b" * 9000), 431),
    ("seventy headers", get(*[b"X-A: 1"] * 70), 431),
    # ---- targets that are none of ours
    ("an unknown path", get(target=b"/admin"), 403),
    ("a path with dots", get(target=b"/v1/../v1/compte"), 403),
    ("an encoded path", get(target=b"/v1/%63ompte"), 403),
    ("encoded dots", get(target=b"/v1/%2e%2e/v1/compte"), 403),
    ("a path parameter", get(target=b"/v1/compte;x=1"), 403),
    ("a doubled slash", get(target=b"//v1/compte"), 403),
    ("a host in the path", get(target=b"//evil.example/v1/compte"), 403),
    ("a slash at the end", get(target=b"/v1/compte/"), 403),
    ("a backslash", get(target=b"/v1\\compte"), 403),
    ("an encoded NUL", get(target=b"/v1/compte%00"), 403),
    ("a fragment", get(target=b"/v1/compte#x"), 403),
    ("a query that nobody asked for", get(target=b"/v1/compte?a=1#&nir=2"), 403),
    ("a token in the query", get(target=b"/v1/compte?access_token=a.b.c"), 403),
    ("mitmproxy's pages", b"GET / HTTP/1.1\r\nHost: mitm.it\r\n\r\n", 403),
    ("mitmproxy's revocation list", get(target=b"/mitmproxy-1.crl"), 403),
    ("our metrics", get(target=b"/metrics"), 403),
    # ---- methods that are none of ours
    ("DELETE", b"DELETE /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n", 403),
    ("TRACE", b"TRACE /v1/compte HTTP/1.1\r\nHost: a\r\nX-A: reflected\r\n\r\n", 403),
    ("OPTIONS", b"OPTIONS /v1/compte HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n", 403),
    # ---- who asks
    ("no token", get(), 401),
    ("Basic", get(b"Authorization: Basic YTpi"), 401),
    ("an unsigned token", get(b"Authorization: Bearer " + UNSIGNED + b"x"), 401),
    ("a token without its signature", get(b"Authorization: Bearer " + UNSIGNED), 401),
    ("a signed token of nobody we know", get(b"Authorization: Bearer " + JWT), 401),
    ("a token in lower-case scheme", get(b"authorization: bearer " + JWT), 401),
    ("two tokens in one header", get(b"Authorization: Bearer a.b.c, Bearer d.e.f"), 401),
    ("a token of 10 KB", get(b"Authorization: Bearer " + b"a" * 10_000 + b".b.c"), 401),
    ("a token in a cookie", get(b"Cookie: access_token=" + JWT), 401),
    ("an identity that a front proxy might have set", get(b"X-User: root", b"X-Forwarded-User: root"), 401),
    ("a client certificate's verification in a header", get(b"X-SSL-Client-Verify: SUCCESS"), 401),
    ("a client certificate in a header, to a node whose front proxy sends none", get(b"Client-Cert: :MIIB:"), 400),
    ("an assertion of our own making", get(b"Paravent-Assertion: " + JWT), 401),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_bad_bytes_get_a_constant_refusal(
    node: RunningNode, upstream: RawUpstream, data: bytes, status: int
) -> None:
    """A problem document, the upstream untouched, and one record of the decision."""
    got, headers, body = parse(await node.send(data))
    problem = orjson.loads(body)
    assert got == status == problem["status"]
    assert headers[b"content-type"] == b"application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "reference"}
    assert upstream.requests == []
    first = node.records()[0]
    assert (first["decision"], first["status"], first["id"]) == ("deny", status, problem["reference"])


WITH_TOKEN = [
    ("a body in a GET", {"method": "GET", "path": "/v1/compte", "extra": b"Content-Length: 3\r\n"}, b"abc", 400),
    ("another purpose than there is", {"extra": b"Paravent-Purpose: curiosite\r\n"}, b"", 403),
    ("text for JSON", {"extra": b"X-A: 1\r\n", "question": "non"}, b"", 400),
    ("a member that nobody knows", {"question": {"immatriculation": "284059999000159", "page": 2}}, b"", 400),
]


@pytest.mark.parametrize(("how", "more", "status"), [row[1:] for row in WITH_TOKEN], ids=[row[0] for row in WITH_TOKEN])
async def test_a_good_token_does_not_open_a_bad_question(
    node: RunningNode, upstream: RawUpstream, how: dict[str, object], more: bytes, status: int
) -> None:
    """The question is judged whoever asks it."""
    data = node.request(**how)  # type: ignore[arg-type]
    if more:
        data = data.replace(b"Content-Length: 0\r\n", b"") + more
    assert parse(await node.send(data))[0] == status
    assert upstream.requests == []


REFLECTED = b"reflect-me-7f3a"
ECHOES = [
    ("in the target", get(target=b"/" + REFLECTED)),
    ("in a header's value", get(b"X-A: " + REFLECTED)),
    ("in a header's name", get(REFLECTED + b": 1")),
    ("in the Host", b"GET / HTTP/1.1\r\nHost: " + REFLECTED + b"\r\n\r\n"),
    ("in the Origin", get(b"Origin: https://" + REFLECTED)),
    ("in the language", get(b"Accept-Language: " + REFLECTED + b", en;q=0.1")),
    ("in the method", b"REFLECTME /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("in the scheme", get(b"Authorization: " + REFLECTED + b" abc")),
    ("in the token", get(b"Authorization: Bearer " + REFLECTED + b".b.c")),
    ("in the request id", get(b"X-Request-Id: " + REFLECTED)),
    ("in a broken head", b"GET / HTTP/1.1\r\nHost: a\r\n" + REFLECTED + b"\r\n\r\n"),
    ("in a refused body", post(b"Content-Length: 15", body=REFLECTED)),
]


@pytest.mark.parametrize("data", [row[1] for row in ECHOES], ids=[row[0] for row in ECHOES])
async def test_nothing_that_was_sent_comes_back(node: RunningNode, data: bytes) -> None:
    """A refusal differs between two callers in its reference only; and the ledger does not quote either."""
    answer = await node.send(data)
    assert b"reflect" not in answer.lower()
    assert b"reflect" not in node.ledger().lower()


LANGUAGES = [
    ("none", b"", b"fr"),
    ("English", b"en", b"en"),
    ("English of somewhere", b"en-GB,en;q=0.9", b"en"),
    ("French first", b"fr-FR,fr;q=0.9,en;q=0.8", b"fr"),
    ("English wanted more", b"fr;q=0.2,en;q=0.7", b"en"),
    ("English refused", b"en;q=0", b"fr"),
    ("neither", b"de,es;q=0.5", b"fr"),
    ("not a number", b"en;q=nan", b"fr"),
    ("infinity", b"en;q=inf", b"fr"),
    ("an exponent", b"en;q=1e400,fr;q=0.1", b"fr"),
    ("a negative weight", b"en;q=-1", b"fr"),
    ("a weight of two hundred digits", b"fr;q=0.5,en;q=" + b"9" * 200, b"en"),
    ("a thousand languages", b",".join([b"xx"] * 1000), b"fr"),
    ("only commas and semicolons", b",;,;=;q=,;", b"fr"),
]


async def test_the_language_is_one_of_two(node: RunningNode) -> None:
    """Whatever Accept-Language holds, the answer is the French constant or the English one."""
    for sentence, value, expected in LANGUAGES:
        _, headers, body = parse(await node.send(get(b"Accept-Language: " + value)))
        assert headers[b"content-language"] == expected, sentence
        assert (b"Log in" in body) == (expected == b"en"), sentence
        assert headers[b"vary"] == b"Accept-Language"


async def test_a_401_says_how_to_do_better(node: RunningNode) -> None:
    """A challenge of constants, no realm, nothing of the request in it."""
    _, headers, _ = parse(await node.send(get(b"Authorization: Bearer " + JWT)))
    challenge = headers[b"www-authenticate"]
    assert challenge.startswith(b"DPoP ")
    assert JWT not in challenge


async def test_the_path_of_the_question_is_all_that_reaches_the_upstream(
    node: RunningNode, upstream: RawUpstream
) -> None:
    """Headers of the caller's own stay here, also those that name an identity or a connection."""
    extra = (
        b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nParavent-Assertion: forged\r\nX-User: root\r\n"
        b"Cookie: a=b\r\nConnection: keep-alive, Authorization\r\nKeep-Alive: timeout=99\r\nIf-None-Match: x\r\n"
        b"Accept-Encoding: gzip\r\nTE: trailers\r\nVia: 1.1 x\r\nMax-Forwards: 0\r\n"
    )
    status, _, _ = await node.ask(extra=extra)
    assert status == 200
    head = upstream.requests[0].lower()
    assert head.startswith(b"post " + CONSULTATION.encode() + b" http/1.1\r\nhost: 127.0.0.1:")
    names = {line.partition(b":")[0] for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert names == {
        b"host",
        b"accept",
        b"accept-encoding",
        b"paravent-assertion",
        b"paravent-request",
        b"content-type",
        b"content-length",
    }
    assert b"forged" not in head
    assert b"gzip" not in head

"""`mitmdump -s addons/guard.py`: mitmproxy's own layers, a real process, and nothing that leaves but what we built.

Threat notes: sections 0, 1a, 1b, 1c and 8.4. What this mode does not cover is in docs/how-to/develop-with-mitmdump.md.
"""

import asyncio
import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import loops
from answers import ANSWER, BODY, REDUCED
from mitmdump import MITMDUMP, Mitmdump, Upstream, arguments, environment, mitmdump, upstream_in_background
from node import REPOSITORY, make_folder, parse
from sweep import OTHER_NIR
from wire import http_answer

pytestmark = pytest.mark.real


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """What loop there is, is mitmdump's choice."""
    return loops.policy(loops.BOTH[0])


SECRET = OTHER_NIR.encode()
CONSTANT = {400: b"malformed_request", 502: b"answer_withheld", 503: b"unavailable"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_in_background() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Mitmdump]:
    with mitmdump(tmp_path_factory.mktemp("development"), upstream.port) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(upstream: Upstream) -> None:
    upstream.script = ANSWER
    upstream.seen.requests.clear()


def constant(answer: bytes, *statuses: int) -> bool:
    """One constant problem document of these statuses, or a connection that ended without a word."""
    if answer == b"":
        return True
    status, headers, body = parse(answer)
    known = status in statuses and CONSTANT[status] in body
    return known and SECRET not in answer and len(body) == int(headers[b"content-length"])


def test_an_honest_question_is_answered_reduced(proxy: Mitmdump, upstream: Upstream) -> None:
    """The same engine, policy and ledger as `paravent serve`."""
    status, headers, body = parse(proxy.send(proxy.request()))
    assert (status, json.loads(body)) == (200, REDUCED)
    assert b"set-cookie" not in headers
    assert upstream.seen.requests[0].startswith(b"POST /v1/droits/consultation HTTP/1.1\r\n")
    assert b"x-deed" not in upstream.seen.requests[0].lower()


UPSTREAM: list[tuple[str, bytes]] = [
    ("no HTTP at all", b"nonsense " + SECRET + b"\r\n\r\n"),
    ("no head, HTTP/0.9", SECRET),
    ("a bad status line", b"HTTP/1.1 " + SECRET + b"\r\n\r\n"),
    ("a line that is no header", b"HTTP/1.1 200 OK\r\n" + SECRET + b"\r\n\r\n"),
    ("a name that is no token", b"HTTP/1.1 200 OK\r\nX " + SECRET + b": 1\r\nContent-Length: 0\r\n\r\n"),
    ("an end in the middle of the head", b"HTTP/1.1 200 OK\r\nX-Nir: " + SECRET),
    ("an end in the middle of the body", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + SECRET),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Length: 2\r\n\r\n" + SECRET),
    ("100 Continue before the answer", b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER),
    ("103 Early Hints before the answer", b"HTTP/1.1 103 X\r\nLink: </" + SECRET + b">\r\n\r\n" + ANSWER),
    (
        "101, to a WebSocket",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x0d" + SECRET,
    ),
    ("101, to anything", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + SECRET),
    ("304 with what describes the answer", b"HTTP/1.1 304 X\r\nETag: " + SECRET + b"\r\n\r\n"),
    ("206, a part", http_answer(SECRET, status=206)),
    ("302 to a place that says it", b"HTTP/1.1 302 X\r\nLocation: /" + SECRET + b"\r\nContent-Length: 0\r\n\r\n"),
    ("500 with a stack trace", http_answer(b"Traceback " + SECRET, status=500, content_type=b"text/html")),
    (
        "a second gzip member",
        http_answer(gzip.compress(BODY) + gzip.compress(SECRET), extra=b"Content-Encoding: gzip\r\n"),
    ),
    ("gzip twice", http_answer(gzip.compress(gzip.compress(BODY)), extra=b"Content-Encoding: gzip, gzip\r\n")),
    ("a coding that only Python knows", http_answer(BODY.hex().encode(), extra=b"Content-Encoding: hex\r\n")),
    (
        "trailers",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Nir: " + SECRET + b"\r\n\r\n",
    ),
    ("a second answer behind the first", http_answer(b"[]") + http_answer(SECRET)),
    ("another type", http_answer(SECRET, content_type=b"text/event-stream")),
    ("nothing", b""),
]


@pytest.mark.parametrize("script", [row[1] for row in UPSTREAM], ids=[row[0] for row in UPSTREAM])
def test_no_byte_of_an_answer_that_is_none_leaves(proxy: Mitmdump, upstream: Upstream, script: bytes) -> None:
    """The caller gets the constant page, where mitmproxy's own shows what it could not read."""
    upstream.script = script
    assert constant(proxy.send(proxy.request()), 502)
    assert len(upstream.seen.requests) == 1


SILENCE = 0
"""mitmproxy's layers break off, and keep the connection open."""

DEEDS: list[tuple[str, str, int, int]] = [
    ("the guard raises when it decides", "guard:_request", 503, 0),
    ("the guard raises when it reduces", "guard:_response", 502, 1),
    ("an addon before the guard halts the first hook", "early:halt@requestheaders", 200, 1),
    ("an addon before the guard halts the decision", "early:halt@request", 503, 0),
    ("an addon before the guard halts the reduction", "early:halt@response", 502, 1),
    ("an addon lifts the refusal", "late:lift@request", 502, 0),
    ("an addon answers in the upstream's place", "late:replace@request", 502, 0),
    ("an addon replaces the answer", "late:replace@response", 502, 1),
    ("an addon edits the answer", "late:edit@response", 200, 1),
    ("an addon copies the answer", "late:copy@response", 502, 1),
    ("an addon takes the answer away", "late:lift@response", SILENCE, 1),
    ("an addon streams the answer", "late:stream@responseheaders", 502, 1),
    ("an addon streams the question", "late:stream_up@requestheaders", SILENCE, 0),
    ("an addon kills the flow", "late:kill@response", 502, 1),
    ("an addon sends the question elsewhere", "late:redirect@request", 200, 1),
    ("an addon asks a question of its own", "late:requestion@request", 502, 0),
]


@pytest.mark.parametrize(("deed", "status", "asked"), [row[1:] for row in DEEDS], ids=[row[0] for row in DEEDS])
def test_whatever_hooks_do_only_sealed_bytes_leave(
    proxy: Mitmdump, upstream: Upstream, deed: str, status: int, asked: int
) -> None:
    """Every hook of mitmproxy's fails open, and any addon may edit a flow; the latch sends neither."""
    refused = b"GET /v1/compte HTTP/1.1\r\nHost: a\r\nX-Deed: %s\r\n\r\n" % deed.encode()
    data = refused if deed == "late:lift@request" else proxy.request(deed)
    answer = proxy.send(data, wait_s=1.0 if status == SILENCE else 10.0)
    assert len(upstream.seen.requests) == asked
    if status == 200:
        assert json.loads(parse(answer)[2]) == REDUCED
    else:
        assert constant(answer, status)
        assert (answer == b"") is (status == SILENCE)
    if asked:
        assert upstream.seen.requests[0].startswith(b"POST /v1/droits/consultation HTTP/1.1\r\n")


def test_a_guard_that_raises_in_its_error_hook_closes(proxy: Mitmdump, upstream: Upstream) -> None:
    """mitmproxy writes a page of its own after that hook, which the latch replaces."""
    upstream.script = SECRET
    assert constant(proxy.send(proxy.request("guard:_error")), 502)


def test_a_refusal_is_told_as_in_production(proxy: Mitmdump, upstream: Upstream) -> None:
    """Status, challenge and document of the refusal, which mitmproxy leads through two hooks more."""
    status, headers, body = parse(proxy.send(b"POST /v1/droits/consultation HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert (status, json.loads(body)["status"]) == (401, 401)
    assert b"www-authenticate" in headers
    assert upstream.seen.requests == []


CLIENT: list[tuple[str, bytes]] = [
    ("no HTTP", SECRET + b"\r\n\r\n"),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("CONNECT", b"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no token", b"GET /v1/compte HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("a length and a coding", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("trailers", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n"),
    ("a body that is announced", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
    ("mitmproxy's own pages", b"GET / HTTP/1.1\r\nHost: mitm.it\r\n\r\n"),
    ("a second request behind the first", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
]


@pytest.mark.parametrize("data", [row[1] for row in CLIENT], ids=[row[0] for row in CLIENT])
def test_bytes_that_are_no_question_of_ours_are_refused(proxy: Mitmdump, upstream: Upstream, data: bytes) -> None:
    """One problem document, the end of the connection, and nobody is asked."""
    answer = proxy.send(data)
    assert answer == b"" or answer.count(b"HTTP/1.1 ") == 1
    assert answer == b"" or parse(answer)[1][b"content-type"] == b"application/problem+json"
    assert b"mitmproxy" not in answer
    assert upstream.seen.requests == []


def test_without_the_guard_nothing_leaves_and_nobody_is_asked(proxy: Mitmdump, upstream: Upstream) -> None:
    """mitmproxy unloads a script that is deleted or broken, and goes on without it. The latch stays.

    It looks at its scripts once a second, and prints what it does with one before it answers anybody again.
    """
    good, young = proxy.guard.read_text(), proxy.guard.stat().st_mtime
    for breaking, told in (
        (lambda: rewrite(proxy.guard, "def (", young + 10), rb"foreign_record script\.py:\d+ SyntaxError"),
        (proxy.guard.unlink, rb"foreign_record script\.py:\d+"),
    ):
        now = proxy.printed.length
        breaking()
        proxy.printed.until(told, now)
        upstream.seen.requests.clear()
        assert constant(proxy.send(proxy.request()), 502)
        assert upstream.seen.requests == []
        if proxy.guard.exists():
            now = proxy.printed.length
            rewrite(proxy.guard, good, young + 20)
            proxy.printed.until(rb"Listening on ", now)
            assert parse(proxy.send(proxy.request()))[0] == 200


def rewrite(script: Path, text: str, at_s: float) -> None:
    """In one step, and of another time than before: whoever looks reads all of it."""
    fresh = script.with_suffix(".new")
    fresh.write_text(text)
    os.utime(fresh, (at_s, at_s))
    fresh.rename(script)


# ---- what does not start

REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("a tunnel", {"mode": "reverse:tcp://127.0.0.1:9@127.0.0.1:0"}, "upstream.url"),
    ("options that let bytes pass", {"stream_large_bodies": "1", "ignore_hosts": ".*"}, "ignore_hosts, stream_large"),
    ("a configuration that is none", {"paravent_config": "guard.py"}, "not valid TOML"),
]


@pytest.mark.parametrize(("options", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_it_does_not_start_without_its_boundary(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    """Exit code 2 and one sentence; mitmproxy alone would log an error and may serve without us."""
    code, printed = start(tmp_path, options)
    assert (code, sentence in printed) == (2, True), printed
    assert "Traceback" not in printed


def test_a_file_of_mitmproxys_is_no_way_around(tmp_path: Path) -> None:
    """config.yaml sets options silently."""
    (tmp_path / "confdir").mkdir()
    (tmp_path / "confdir" / "config.yaml").write_text("keep_host_header: true\n")
    code, printed = start(tmp_path, {})
    assert (code, "keep_host_header" in printed) == (2, True), printed


def test_session_keys_are_not_written(tmp_path: Path) -> None:
    """The variable that makes mitmproxy write them refuses the start."""
    code, printed = start(tmp_path, {}, SSLKEYLOGFILE=str(tmp_path / "keys"))
    assert (code, "SSLKEYLOGFILE" in printed) == (2, True), printed


def test_a_configuration_that_is_named_twice_serves_nothing(tmp_path: Path) -> None:
    """mitmproxy refuses such an option inside the hook that loads us, logs it, and would go on."""
    code, printed = start(tmp_path, {}, "--set", "paravent_config=other.toml")
    assert (code, "paravent_config" in printed) == (2, True), printed


def test_a_guard_that_cannot_be_imported_serves_nothing(tmp_path: Path) -> None:
    """mitmproxy logs what a script raises, and would go on."""
    (tmp_path / "paravent_mitmproxy.py").write_text("")
    code, printed = start(tmp_path, {}, PYTHONPATH=str(tmp_path))
    assert (code, "cannot be imported" in printed) == (1, True), printed


def start(folder: Path, options: dict[str, str], *more: str, **environ: str) -> tuple[int, str]:
    """Run it until it ends by itself."""
    make_folder(folder, 9)
    (folder / "guard.py").write_text((REPOSITORY / "addons/guard.py").read_text())
    command = [*MITMDUMP, "-s", "guard.py", *arguments(9, options), *more]
    done = subprocess.run(
        command, cwd=folder, env=environment() | environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr

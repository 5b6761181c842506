"""Keeping key sets: what a request may cause, what an outage does, and when a set is no longer trusted.

Time is a number that the test moves; places are files, or a small HTTP server of this machine. Nothing sleeps.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paravent.effects import FindKey, KeyMissing
from paravent.keys.held import HeldKeys
from paravent.keys.places import KeyFile, KeyUrl
from paravent.keys.source import JwksSource
from paravent.ports import KeySource
from tokens import SigningKey, jwks, signing_key

FIRST, SECOND, THIRD = (signing_key("ES256", kid) for kid in ("k1", "k2", "k3"))


@dataclass
class Clock:
    """Seconds, moved by hand."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Publisher:
    """An issuer's key server: what it answers, and how often it was asked."""

    body: bytes = field(default_factory=lambda: jwks(FIRST))
    status: int = 200
    location: str | None = None
    asked: int = 0
    port: int = 0
    hang: threading.Event = field(default_factory=threading.Event)
    """Answers wait until it is set. It is, unless a test clears it."""

    def __post_init__(self) -> None:
        self.hang.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    published = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            published.asked += 1
            published.hang.wait(10)
            self.send_response(published.status)
            if published.location:
                self.send_header("Location", published.location)
            self.send_header("Content-Length", str(len(published.body)))
            self.end_headers()
            self.wfile.write(published.body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    published.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield published
    server.shutdown()
    server.server_close()
    thread.join()


def held(publisher: Publisher, clock: Clock) -> HeldKeys:
    keys = HeldKeys(KeyUrl(publisher.url), clock)
    keys.tick()
    return keys


def test_a_key_is_found_in_memory(publisher: Publisher) -> None:
    """A known kid costs no fetch, however often it is asked for."""
    keys = held(publisher, Clock())
    for _ in range(100):
        assert keys.find("k1", "ES256") == FIRST.public
    keys.tick()
    assert publisher.asked == 1


def test_a_set_is_fetched_every_five_minutes(publisher: Publisher) -> None:
    """A withdrawn key stops verifying within five minutes."""
    clock = Clock()
    keys = held(publisher, clock)
    publisher.body = jwks(SECOND)
    clock.now_s += 299
    keys.tick()
    assert keys.find("k1", "ES256") == FIRST.public
    clock.now_s += 1
    keys.tick()
    assert keys.find("k1", "ES256") is KeyMissing.UNKNOWN
    assert publisher.asked == 2


def test_a_new_key_is_found_early(publisher: Publisher) -> None:
    """After a rotation the first unknown kid brings the fetch forward; half a minute later another one may."""
    clock = Clock()
    keys = held(publisher, clock)
    for kid, key, published in (("k2", SECOND, (FIRST, SECOND)), ("k3", THIRD, (SECOND, THIRD))):
        publisher.body = jwks(*published)
        asked = publisher.asked
        assert keys.find(kid, "ES256") is KeyMissing.UNKNOWN
        keys.fetch_early()
        keys.tick()
        assert (keys.find(kid, "ES256"), publisher.asked) == (key.public, asked + 1)
        clock.now_s += 29
        assert keys.fetch_early() is None
        clock.now_s += 1
    assert keys.find("k1", "ES256") is KeyMissing.UNKNOWN


@pytest.mark.parametrize("status", [200, 500])
def test_a_flood_of_unknown_kids(publisher: Publisher, status: int) -> None:
    """Threat rows 7 and 48: a thousand unknown kids are one fetch in half a minute, with the server up or down."""
    clock = Clock()
    keys = held(publisher, clock)
    publisher.status = status
    before = publisher.asked
    for number in range(1000):
        assert keys.find(f"x{number}", "ES256") is KeyMissing.UNKNOWN
        keys.fetch_early()
        keys.tick()
        clock.now_s += 0.0599  # less than a minute in all
    assert publisher.asked - before == 2


async def test_tokens_of_a_new_key_wait_for_it(publisher: Publisher) -> None:
    """A rotation without notice refuses nobody: all who come with the new kid wait for one fetch, and are let in."""
    source = JwksSource({"operateur": KeyUrl(publisher.url)})
    source.load()
    source.start()
    publisher.body = jwks(FIRST, SECOND)
    found = await asyncio.gather(*(source.find(FindKey("operateur", "k2", "ES256")) for _ in range(100)))
    source.stop()
    assert found == [SECOND.public] * 100
    assert publisher.asked == 2


async def test_nobody_waits_longer_than_the_deadline(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer that hangs costs a token with an unknown kid the deadline, and a token with a known one nothing."""
    monkeypatch.setattr("paravent.keys.source.WAIT_S", 0.2)
    source = JwksSource({"operateur": KeyUrl(publisher.url)})
    source.load()
    source.start()
    publisher.hang.clear()
    started_s = time.monotonic()
    assert await source.find(FindKey("operateur", "x", "ES256")) is KeyMissing.UNKNOWN
    assert time.monotonic() - started_s < 4
    monkeypatch.setattr("paravent.keys.source.WAIT_S", 3600)
    assert await source.find(FindKey("operateur", "k1", "ES256")) == FIRST.public
    publisher.hang.set()
    source.stop()


@pytest.mark.parametrize(
    ("status", "body", "location"),
    [
        (500, b"", None),
        (404, jwks(SECOND), None),
        (302, b"", "http://127.0.0.1:1/"),
        (200, b"<html>down for maintenance</html>", None),
        (200, b'{"keys": []}', None),
        (200, b'{"keys": [' + b" " * 300_000 + b"]}", None),
        (206, jwks(SECOND), None),
    ],
)
def test_an_outage_changes_nothing(publisher: Publisher, status: int, body: bytes, location: str | None) -> None:
    """Threat rows 49 and 52: an error, a redirect or an unusable answer keeps the last good set, and is counted."""
    clock = Clock()
    keys = held(publisher, clock)
    publisher.status, publisher.body, publisher.location = status, body, location
    clock.now_s += 300
    keys.tick()
    assert publisher.asked == 2
    assert keys.find("k1", "ES256") == FIRST.public
    assert keys.failures == 1
    assert keys.problems
    assert keys.age_s() == 300


def test_an_outage_is_retried_soon_and_ends(publisher: Publisher) -> None:
    """After a failure the next try is half a minute later, and success clears what was wrong."""
    clock = Clock()
    keys = held(publisher, clock)
    publisher.status = 503
    clock.now_s += 300
    keys.tick()
    assert keys.fetch_early() is None, "nor does an unknown kid hurry a server that has just failed"
    publisher.status = 200
    clock.now_s += 30
    keys.tick()
    assert (publisher.asked, keys.failures, keys.problems, keys.age_s()) == (3, 1, (), 0)


def test_a_set_is_trusted_for_a_day(publisher: Publisher) -> None:
    """Threat row 49: known keys verify through a day of outage, then nobody's token can be verified: unavailable."""
    clock = Clock()
    keys = held(publisher, clock)
    publisher.status = 500
    clock.now_s += 24 * 3600
    keys.tick()
    assert keys.ready()
    assert keys.find("k1", "ES256") == FIRST.public
    clock.now_s += 1
    assert not keys.ready()
    assert keys.find("k1", "ES256") is KeyMissing.UNAVAILABLE
    assert keys.find("x", "ES256") is KeyMissing.UNAVAILABLE


async def test_a_start_during_an_outage(publisher: Publisher) -> None:
    """It is not a mistake of the configuration: nothing to report, not ready, and well again by itself."""
    clock = Clock()
    publisher.status = 500
    source = JwksSource({"operateur": KeyUrl(publisher.url)}, clock_s=clock)
    assert source.load() == []
    assert source.ready() == {"operateur": False}
    assert source.ages_s() == {}
    assert source.failures == {"operateur": 1}
    assert await source.find(FindKey("operateur", "k1", "ES256")) is KeyMissing.UNAVAILABLE


def test_each_issuer_has_its_limit(publisher: Publisher) -> None:
    """The configuration says for how long a set serves while its issuer is down."""
    clock = Clock()
    places = {name: KeyUrl(publisher.url) for name in ("usual", "strict")}
    source = JwksSource(places, stale_for_s={"strict": 3600.0}, clock_s=clock)
    source.load()
    publisher.status = 500
    clock.now_s += 3601
    assert source.ready() == {"usual": True, "strict": False}
    assert source.limits_s() == {"usual": 86400.0, "strict": 3600.0}


def test_a_server_that_is_not_there() -> None:
    """A refused connection is an outage like any other."""
    keys = HeldKeys(KeyUrl("http://127.0.0.1:1/jwks"), Clock())
    keys.tick()
    assert (keys.ready(), keys.failures) == (False, 1)


def test_a_bug_while_reading_does_not_end_the_watch() -> None:
    """Whatever a place raises counts as a failure, in words of ours."""

    class Broken:
        def read(self) -> bytes:
            raise RuntimeError("token-1")

    keys = HeldKeys(Broken(), Clock())  # type: ignore[arg-type]
    keys.tick()
    assert keys.failures == 1
    assert "token-1" not in " ".join(keys.problems)


# ---- files


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A rewritten file is in force a second later; a broken or removed one leaves the last good set."""
    file, clock = tmp_path / "jwks.json", Clock()
    file.write_bytes(jwks(FIRST))
    keys = HeldKeys(KeyFile(file), clock)
    keys.tick()
    assert keys.find("k1", "ES256") == FIRST.public

    file.write_bytes(jwks(SECOND))
    clock.now_s += 1
    keys.tick()
    assert keys.find("k1", "ES256") is KeyMissing.UNKNOWN
    assert keys.find("k2", "ES256") == SECOND.public

    for damage in (lambda: file.write_bytes(b"{"), file.unlink):
        damage()
        clock.now_s += 1
        keys.tick()
        assert keys.find("k2", "ES256") == SECOND.public
    assert keys.failures == 2
    assert keys.age_s() == 2


def test_problems_before_serving(tmp_path: Path) -> None:
    """Every place that cannot work is named at once, with its issuer; nothing raises."""
    good, bad, key = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "private.json"
    good.write_bytes(jwks(FIRST))
    bad.write_bytes(b"{")
    key.write_bytes(jwks(FIRST.jwk(d="AAAA")))
    source = JwksSource(
        {
            "good": KeyFile(good),
            "bad": KeyFile(bad),
            "absent": KeyFile(tmp_path / "absent.json"),
            "private": KeyFile(key),
            "plain": KeyUrl("http://as.example/jwks"),
        }
    )
    problems = source.load()
    assert {problem.partition(":")[0] for problem in problems} == {
        "issuers.bad",
        "issuers.absent",
        "issuers.private",
        "issuers.plain",
    }
    assert source.ready() == {"good": True, "bad": False, "absent": False, "private": False, "plain": False}


def test_a_key_left_out_is_not_a_reason_not_to_start(tmp_path: Path) -> None:
    """It is told beside, for the operator."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(FIRST, {"kty": "oct", "k": "c2VjcmV0", "kid": "x"}))
    source = JwksSource({"operateur": KeyFile(file)})
    assert source.load() == []
    assert len(source.problems()["operateur"]) == 1


async def test_keys_belong_to_their_issuer(tmp_path: Path) -> None:
    """Threat row 28: the same kid at two issuers is two keys, and an issuer nobody configured has none."""
    places = {}
    other = SigningKey(SECOND.private, "ES256", "k1")
    for name, key in (("one", FIRST), ("two", other)):
        places[name] = KeyFile(tmp_path / name)
        places[name].path.write_bytes(jwks(key))
    source: KeySource = JwksSource(places)
    assert isinstance(source, JwksSource)
    assert source.load() == []
    assert await source.find(FindKey("one", "k1", "ES256")) == FIRST.public
    assert await source.find(FindKey("two", "k1", "ES256")) == other.public
    assert await source.find(FindKey("three", "k1", "ES256")) is KeyMissing.UNKNOWN


def test_start_and_stop(tmp_path: Path) -> None:
    """The threads are daemons, one an issuer, and end when asked to."""
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(FIRST))
    source = JwksSource({"operateur": KeyFile(file)})
    source.load()
    source.start()
    names = {thread.name for thread in threading.enumerate() if thread.daemon}
    assert "keys-operateur" in names
    source.stop()
    assert "keys-operateur" not in {thread.name for thread in threading.enumerate()}

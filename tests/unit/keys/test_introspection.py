"""Asking an issuer about its tokens: a real HTTPS server that makes its demands, hangs, lies and changes its mind."""

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from certificates import CLIENT, Authority
from issuer_server import IssuerServer, Seen, issuer_server
from paravent.effects import Introspect, IssuerDown, Standing
from paravent.keys import introspection
from paravent.keys.asking import MAX_ANSWER_BYTES, Trust
from paravent.keys.introspection import HOLD_S, UNDER_WAY, Introspection, Introspector
from paravent.model import Secret

NOW_MS = 1_767_225_600_000
ACTIVE = (200, b'{"active": true, "sub": "x"}')


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def wanted(name: bytes = b"t", *, expires_in_s: int = 100, issuer: str = "psc") -> Introspect:
    return Introspect(issuer, Secret(b"header.payload+" + name), name, NOW_MS // 1000 + expires_in_s)


def asking(folder: Path, issuer: IssuerServer, clock: Clock | None = None, **how: Any) -> Introspection:
    usual: dict[str, Any] = {
        "url": issuer.url("/introspect"),
        "trust": Trust(folder / "issuer-ca.pem"),
        "client": "paravent",
        "secret": Secret("s3cr:t"),
    }
    return Introspection({"psc": Introspector(**usual | how)}, clock or Clock())


async def test_the_question(tmp_path: Path) -> None:
    """RFC 7662 section 2.1 by POST, our name and secret as RFC 6749 section 2.3.1 writes them; of the answer, what is
    read of one."""
    with issuer_server(tmp_path, lambda _: (200, b'{"active": true, "sub": "x", "email": "x@example.org"}')) as issuer:
        assert await asking(tmp_path, issuer).ask(wanted(), NOW_MS) == Standing(True, {"sub": "x"})
    (seen,) = issuer.seen
    assert (seen.method, seen.path) == ("POST", "/introspect")
    assert parse_qs(seen.body.decode()) == {"token": ["header.payload+t"], "token_type_hint": ["access_token"]}
    assert base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")) == b"paravent:s3cr%3At"


async def test_with_a_certificate_in_place_of_a_secret(tmp_path: Path) -> None:
    """RFC 8705 section 2: the certificate says who we are, and client_id in the form which client that is."""
    pair = Authority(tmp_path, "clients").issue("paravent", use=CLIENT)
    trust = Trust(tmp_path / "issuer-ca.pem", pair.certificate, pair.key)
    with issuer_server(tmp_path, lambda _: ACTIVE, client_ca=tmp_path / "clients.pem") as issuer:
        with_it = asking(tmp_path, issuer, trust=trust, secret=None)
        assert await with_it.ask(wanted(), NOW_MS) == Standing(True, {"sub": "x"})
        assert await asking(tmp_path, issuer).ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE
    (seen,) = issuer.seen
    assert seen.certificate is not None
    assert parse_qs(seen.body.decode())["client_id"] == ["paravent"]
    assert "authorization" not in seen.headers


async def test_an_answer_is_kept_for_three_seconds(tmp_path: Path) -> None:
    """A burst costs one question; a session that was ended is known to be three seconds later, and stays ended."""
    clock, answers = Clock(), [ACTIVE]
    with issuer_server(tmp_path, lambda _: answers[-1]) as issuer:
        one = asking(tmp_path, issuer, clock)
        for _ in range(20):
            assert await one.ask(wanted(), NOW_MS) == Standing(True, {"sub": "x"})
        assert len(issuer.seen) == 1
        answers.append((200, b'{"active": false, "sub": "x"}'))
        clock.now_s += HOLD_S - 0.01
        assert await one.ask(wanted(), NOW_MS) == Standing(True, {"sub": "x"})
        clock.now_s += 0.01
        assert await one.ask(wanted(), NOW_MS) == Standing(False)
        assert await one.ask(wanted(), NOW_MS) == Standing(False)
        assert len(issuer.seen) == 2


async def test_no_answer_outlives_its_token(tmp_path: Path) -> None:
    """Kept or not, asked or not: at its end a token is not active."""
    with issuer_server(tmp_path, lambda _: ACTIVE) as issuer:
        one = asking(tmp_path, issuer)
        assert await one.ask(wanted(expires_in_s=1), NOW_MS) == Standing(True, {"sub": "x"})
        assert await one.ask(wanted(expires_in_s=1), NOW_MS + 1000) == Standing(False)
        assert await one.ask(wanted(b"other", expires_in_s=0), NOW_MS) == Standing(False)
        assert len(issuer.seen) == 1


async def test_all_who_ask_at_once_share_one_question(tmp_path: Path) -> None:
    """For each token; and one who leaves does not take the answer away from the others."""
    open_ = threading.Event()

    def answer(_: Seen) -> tuple[int, bytes]:
        open_.wait(10)
        return ACTIVE

    with issuer_server(tmp_path, answer) as issuer:
        one = asking(tmp_path, issuer)
        tasks = [asyncio.create_task(one.ask(wanted(), NOW_MS)) for _ in range(50)]
        other = asyncio.create_task(one.ask(wanted(b"other"), NOW_MS))
        await asyncio.sleep(0)
        tasks[0].cancel()
        open_.set()
        assert await asyncio.gather(*tasks[1:]) == [Standing(True, {"sub": "x"})] * 49
        assert await other == Standing(True, {"sub": "x"})
        assert len(issuer.seen) == 2


def said(status: int, body: bytes) -> Callable[[Seen], tuple[int, bytes]]:
    return lambda _: (status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(401, b'{"active": true}', id="our secret is not accepted"),
        pytest.param(500, b"", id="an error"),
        pytest.param(302, b'{"active": true}', id="a redirect"),
        pytest.param(201, b'{"active": true}', id="another success"),
        pytest.param(101, b"", id="another protocol"),
        pytest.param(200, b"<html>", id="a page"),
        pytest.param(200, b'{"active": "true"}', id="active as a text"),
        pytest.param(200, b'{"active": 1}', id="active as a number"),
        pytest.param(200, b'{"active": false, "active": true}', id="active twice"),
        pytest.param(200, b'{"sub": "x"}', id="active absent"),
        pytest.param(200, b"[true]", id="a list"),
        pytest.param(200, b'{"active": true, "x": "' + b"x" * MAX_ANSWER_BYTES + b'"}', id="too long"),
    ],
)
async def test_what_is_no_clear_answer(tmp_path: Path, status: int, body: bytes) -> None:
    """It lets nobody in, is counted, and is not kept: the next request asks again."""
    with issuer_server(tmp_path, said(status, body)) as issuer:
        one = asking(tmp_path, issuer)
        for count in (1, 2):
            assert await one.ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE
            assert (one.counts["psc"].asked, one.counts["psc"].failed) == (count, count)


async def test_an_issuer_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than the deadline, and others do not wait at all."""
    monkeypatch.setattr(introspection, "DEADLINE_S", 0.2)
    end = threading.Event()

    def answer(_: Seen) -> tuple[int, bytes]:
        end.wait(20)
        return ACTIVE

    with issuer_server(tmp_path, answer) as issuer:
        one = asking(tmp_path, issuer)
        async with asyncio.timeout(5):
            assert await one.ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE
        end.set()


@pytest.mark.parametrize("ca", ["another", "absent"])
async def test_another_authority(tmp_path: Path, ca: str) -> None:
    """Threat row 52: only the pinned authority vouches for the address, and the secret is not sent elsewhere."""
    Authority(tmp_path, "another")
    with issuer_server(tmp_path, lambda _: ACTIVE) as issuer:
        one = asking(tmp_path, issuer, trust=Trust(tmp_path / f"{ca}.pem"))
        assert await one.ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE
    assert issuer.seen == []


async def test_a_name_that_is_looked_up_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens wait for it, an issuer's name holds no thread that other names are looked up with: the
    upstream's is one of them."""
    monkeypatch.setattr(introspection, "DEADLINE_S", 0.2)
    end, real = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        if host == "issuer.example":
            end.wait(20)
            raise OSError
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    Authority(tmp_path, "issuer-ca")
    how = Introspector("https://issuer.example/", Trust(tmp_path / "issuer-ca.pem"), "paravent", Secret("s"))
    one = Introspection({"psc": how})
    try:
        async with asyncio.timeout(5):
            asked = [one.ask(wanted(b"%d" % number), NOW_MS) for number in range(UNDER_WAY)]
            assert set(await asyncio.gather(*asked)) == {IssuerDown.UNAVAILABLE}
            assert await asyncio.get_running_loop().getaddrinfo("localhost", 443)
    finally:
        end.set()


async def test_nobody_listens_and_nobody_is_configured(tmp_path: Path) -> None:
    """Both are an outage, not a yes."""
    with issuer_server(tmp_path, lambda _: ACTIVE) as issuer:
        gone = asking(tmp_path, issuer)
    assert await gone.ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE
    assert await gone.ask(wanted(issuer="other"), NOW_MS) is IssuerDown.UNAVAILABLE


# ---- userinfo


async def test_userinfo_is_asked_once_for_a_token(tmp_path: Path) -> None:
    """OpenID Connect Core section 5.3, with the token itself; introspection goes on being asked. What nobody reads of
    it, a name or an address, is not kept."""
    clock, person = Clock(), {"sub": "x", "SubjectRole": ["21^1.2"]}

    def answer(request: Seen) -> tuple[int, bytes]:
        return (200, json.dumps(person | {"family_name": "ESSAI"}).encode()) if request.path == "/userinfo" else ACTIVE

    with issuer_server(tmp_path, answer) as issuer:
        one = asking(tmp_path, issuer, clock, userinfo=issuer.url("/userinfo"))
        for _ in range(3):
            assert await one.ask(wanted(), NOW_MS) == Standing(True, person)
            clock.now_s += HOLD_S
    assert [seen.path for seen in issuer.seen] == ["/introspect", "/userinfo", "/introspect", "/introspect"]
    assert issuer.seen[1].headers["authorization"] == "Bearer header.payload+t"


@pytest.mark.parametrize("person", [{"sub": "somebody else"}, {"SubjectRole": "21"}, {"sub": 1}])
async def test_userinfo_about_somebody_else(tmp_path: Path, person: dict[str, Any]) -> None:
    """OpenID Connect Core section 5.3.2: it must say whom it is about, and that must be the token's person."""

    def answer(request: Seen) -> tuple[int, bytes]:
        return (200, json.dumps(person).encode()) if request.path == "/userinfo" else ACTIVE

    with issuer_server(tmp_path, answer) as issuer:
        one = asking(tmp_path, issuer, userinfo=issuer.url("/userinfo"))
        assert await one.ask(wanted(), NOW_MS) is IssuerDown.UNAVAILABLE


async def test_the_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answers are forgotten, and asked for again."""
    monkeypatch.setattr(introspection, "MAX_ANSWERS", 2)
    with issuer_server(tmp_path, lambda _: ACTIVE) as issuer:
        one = asking(tmp_path, issuer)
        for name in (b"a", b"b", b"c", b"c", b"a"):
            await one.ask(wanted(name), NOW_MS)
        assert len(issuer.seen) == 4

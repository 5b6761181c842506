"""Logouts that an issuer reports. The tokens are made by joserfc, which knows nothing of how they are read here."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey
from joserfc.jws import serialize_compact

from answers import ANSWER
from asking import ISSUER_KEY, ISSUERS
from clock import FrozenClock
from node import RunningNode, running_node
from paravent import logout
from paravent.effects import FindKey, FindRevocations, KeyMissing, PublicKey, Revocation, StoreDown
from paravent.identity.revocation import Kind, Named, mark_of
from paravent.logout import LogoutDesk, Outcome
from tokens import ABSENT, AUDIENCE, CLIENT, ISSUER, NOW_S, RPPS, SigningKey, mint, signing_key
from until import until
from wire import raw_upstream

EVENT = "http://schemas.openid.net/event/backchannel-logout"
OPERATEUR = Named("operateur", ISSUER)
FORGOTTEN_S = NOW_S + 4 * 3600 + 10
"""Four hours is how long a token may live, ten seconds how far the issuer's clock may be ahead."""


def logout_token(key: SigningKey = ISSUER_KEY, header: dict[str, Any] | None = None, **overrides: Any) -> str:
    """As an authorization server writes it, for the login "login-1"."""
    usual = {
        "iss": ISSUER,
        "aud": CLIENT,
        "iat": NOW_S - 1,
        "exp": NOW_S + 120,
        "jti": "logout-1",
        "events": {EVENT: {}},
        "sid": "login-1",
        "sub": "8" + RPPS,
    }
    claims = {name: value for name, value in {**usual, **overrides}.items() if value is not ABSENT}
    head = {"typ": "logout+jwt", "alg": key.alg, "kid": key.kid, **(header or {})}
    head = {name: value for name, value in head.items() if value is not ABSENT}
    # Not as `jwt.encode` does: that types whatever is not typed.
    return serialize_compact(head, json.dumps(claims), ECKey.import_key(key.private), algorithms=["ES256"])


@dataclass
class World:
    """Keys and a shared list, moved by hand."""

    key: PublicKey | KeyMissing = field(default_factory=lambda: ISSUER_KEY.public)
    down: bool = False
    revoked: tuple[Revocation, ...] | StoreDown = ()
    written: list[Revocation] = field(default_factory=list)
    looked: int = 0

    async def find(self, wanted: FindKey) -> PublicKey | KeyMissing:
        return self.key

    def read(self) -> tuple[Revocation, ...]:
        return tuple(self.written)

    def write(self, revocation: Revocation, now_s: int) -> StoreDown | None:
        if self.down:
            return StoreDown.UNAVAILABLE
        self.written.append(revocation)
        return None

    def lift(self, mark: str) -> bool:
        raise NotImplementedError

    def find_revoked(self, wanted: FindRevocations) -> tuple[Revocation, ...] | StoreDown:
        if isinstance(self.revoked, StoreDown):
            return self.revoked
        return tuple(each for each in self.revoked if each.mark in wanted.marks)

    def look(self) -> None:
        self.looked += 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW_S * 1000)


@pytest.fixture
def desk(world: World, clock: FrozenClock) -> LogoutDesk:
    return LogoutDesk(ISSUERS, world, world, clock, world.find_revoked, world.look)


def form(token: str, **more: str) -> bytes:
    return urlencode({"logout_token": token, **more}).encode()


def test_a_login_is_over(desk: LogoutDesk, world: World) -> None:
    """With sid: every token of that login, for as long as one can live; and this node looks at once."""
    assert desk.take(form(logout_token(), state="ignored")) is Outcome.ACCEPTED
    assert world.written == [Revocation(mark_of(Kind.SESSION, "login-1", OPERATEUR), FORGOTTEN_S)]
    assert world.looked == 1


@pytest.mark.parametrize("sub", ["8" + RPPS, RPPS, f"f:0a1b2c3d-0000-4000-8000-0123456789ab:8{RPPS}"])
def test_all_logins_of_a_person_are_over(desk: LogoutDesk, world: World, sub: str) -> None:
    """Without sid: all that this issuer has issued to the person until then. Whoever logs in anew is let in."""
    assert desk.take(form(logout_token(sid=ABSENT, sub=sub))) is Outcome.ACCEPTED
    assert world.written == [Revocation(mark_of(Kind.PRACTITIONER, RPPS, OPERATEUR), FORGOTTEN_S, NOW_S - 1)]


@pytest.mark.parametrize("aud", [CLIENT, AUDIENCE, [CLIENT], [AUDIENCE, CLIENT]])
def test_it_may_mean_us_or_software_of_ours(desk: LogoutDesk, aud: object) -> None:
    """The client that is registered for logouts can be the portal, or this proxy."""
    assert desk.take(form(logout_token(aud=aud))) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "change",
    [{"iat": NOW_S + 10}, {"iat": NOW_S - 300}, {"exp": NOW_S + 1}, {"typ": "any"}],
    ids=["ten seconds ahead", "five minutes old", "in its last second", "with a claim that says nothing of it"],
)
def test_it_may_have_taken_its_time(desk: LogoutDesk, change: dict[str, Any]) -> None:
    """As long as clocks may differ, and a server may try again."""
    assert desk.take(form(logout_token(**change))) is Outcome.ACCEPTED


STRANGER = signing_key("ES256", "stranger")

REFUSED = (
    ("signed by somebody else", {"key": SigningKey(STRANGER.private, "ES256", "k1")}),
    ("typed as an access token", {"header": {"typ": "at+jwt"}}),
    ("typed as any token", {"header": {"typ": "JWT"}}),
    ("not typed", {"header": {"typ": ABSENT}}),
    ("from an issuer that is not ours", {"iss": "https://other.example"}),
    ("for somebody else", {"aud": "another"}),
    ("for us and somebody else", {"aud": [CLIENT, "another"]}),
    ("for nobody", {"aud": []}),
    ("without audience", {"aud": ABSENT}),
    ("audience of another type", {"aud": [1]}),
    ("audience in lists", {"aud": [[CLIENT]]}),
    ("audience as an object", {"aud": {CLIENT: {}}}),
    ("without the event", {"events": {}}),
    ("with another event", {"events": {EVENT + "s": {}}}),
    ("the event as a text", {"events": {EVENT: "yes"}}),
    ("events as a list", {"events": [EVENT]}),
    ("without events", {"events": ABSENT}),
    ("with a nonce, as an ID token has one", {"nonce": "n"}),
    ("with a null nonce", {"nonce": None}),
    ("without jti", {"jti": ABSENT}),
    ("jti of another type", {"jti": 1}),
    ("without iat", {"iat": ABSENT}),
    ("iat as a text", {"iat": str(NOW_S)}),
    ("without exp", {"exp": ABSENT}),
    ("expired", {"exp": NOW_S}),
    ("older than five minutes", {"iat": NOW_S - 301}),
    ("from the future", {"iat": NOW_S + 11}),
    ("about nobody", {"sid": ABSENT, "sub": ABSENT}),
    ("about somebody without RPPS number", {"sid": ABSENT, "sub": "anna"}),
    ("about somebody and a line end", {"sid": ABSENT, "sub": "8" + RPPS + "\n"}),
    ("about somebody by ADELI number", {"sid": ABSENT, "sub": "0" + RPPS[:9]}),
    ("about somebody by another twelve digits", {"sid": ABSENT, "sub": "0" + RPPS}),
    ("with an empty sid", {"sid": ""}),
    ("with a blank in its sid", {"sid": "login-1 "}),
    ("with a sid of another type", {"sid": 1}),
    ("with a key of its own", {"header": {"jwk": STRANGER.jwk()}}),
)


@pytest.mark.parametrize("change", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_logout(desk: LogoutDesk, world: World, change: dict[str, Any]) -> None:
    """Refused, and nothing is revoked: nobody but the issuer can log a practitioner out."""
    assert desk.take(form(logout_token(**change))) is Outcome.REFUSED
    assert world.written == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"logout_token=",
        b"logout_token=x.y.z",
        b"token=x",
        b"\xff\xfe",
        form(logout_token()) + b"&" + form(logout_token()),
        form(mint(ISSUER_KEY, x5t="x")),
        b"logout_token=" + b"a" * 9000,
        b"&".join(b"a=1" for _ in range(50)),
    ],
)
def test_bodies_that_hold_no_logout(desk: LogoutDesk, world: World, body: bytes) -> None:
    """Empty, garbage, the field twice, an access token, too long, too many fields."""
    assert desk.take(body) is Outcome.REFUSED
    assert world.written == []


KEY = mark_of(Kind.KEY, "k1", OPERATEUR)


@pytest.mark.parametrize(
    ("revoked", "outcome"),
    [
        ((Revocation(KEY),), Outcome.REFUSED),
        ((Revocation(KEY, issued_before_s=NOW_S - 1),), Outcome.REFUSED),
        (StoreDown.UNAVAILABLE, Outcome.UNAVAILABLE),
        ((Revocation(KEY, until_s=NOW_S),), Outcome.ACCEPTED),
        ((Revocation(KEY, issued_before_s=NOW_S - 2),), Outcome.ACCEPTED),
        ((Revocation(mark_of(Kind.KEY, "k2", OPERATEUR)),), Outcome.ACCEPTED),
    ],
    ids=["revoked", "for what it signed before", "who knows", "no more", "for what it signed longer ago", "another"],
)
def test_whoever_stole_a_key_logs_nobody_out(
    desk: LogoutDesk, world: World, revoked: tuple[Revocation, ...] | StoreDown, outcome: Outcome
) -> None:
    """A key of the issuer that is revoked has signed no logout: else its thief could keep everybody out for hours."""
    world.revoked = revoked
    assert desk.take(form(logout_token())) is outcome
    assert len(world.written) == (outcome is Outcome.ACCEPTED)


def test_it_is_remembered_while_a_token_can_be_of_it(world: World, clock: FrozenClock) -> None:
    """Pro Santé Connect's tokens live for five minutes: whoever logs out there stands in the list for no longer."""
    issuers = {url: replace(issuer, max_lifetime_s=300) for url, issuer in ISSUERS.items()}
    desk = LogoutDesk(issuers, world, world, clock, world.find_revoked, world.look)
    assert desk.take(form(logout_token())) is Outcome.ACCEPTED
    assert world.written[0].until_s == NOW_S + 310


# ---- of an issuer that does not type them


@pytest.fixture
def loose(world: World, clock: FrozenClock) -> LogoutDesk:
    """Its issuer has `untyped_logouts`."""
    issuers = {url: replace(issuer, untyped_logouts=True) for url, issuer in ISSUERS.items()}
    return LogoutDesk(issuers, world, world, clock, world.find_revoked, world.look)


UNTYPED = (
    ("typed as any token", {"header": {"typ": "JWT"}}),
    ("in small letters", {"header": {"typ": "jwt"}}),
    ("not typed", {"header": {"typ": ABSENT}}),
    ("typed as it should be", {}),
    ("as Keycloak writes it", {"header": {"typ": "JWT"}, "typ": "Logout"}),
)


@pytest.mark.parametrize("change", [row[1] for row in UNTYPED], ids=[row[0] for row in UNTYPED])
def test_an_issuer_may_be_allowed_not_to_type_them(loose: LogoutDesk, world: World, change: dict[str, Any]) -> None:
    """Back-Channel Logout 1.0 section 2.4: the explicit type is recommended, and no more."""
    assert loose.take(form(logout_token(**change))) is Outcome.ACCEPTED
    assert world.written == [Revocation(mark_of(Kind.SESSION, "login-1", OPERATEUR), FORGOTTEN_S)]


JUST_JWT = {"header": {"typ": "JWT"}}
OF_AN_ID_TOKEN = {"acr": "eidas3", "amr": ["mfa"], "auth_time": NOW_S - 5, "at_hash": "x", "azp": CLIENT}
NO_LOGOUT_EITHER = (
    *((claim, change) for claim, change in REFUSED if change not in (JUST_JWT, {"header": {"typ": ABSENT}})),
    ("an ID token", {"events": ABSENT, **OF_AN_ID_TOKEN}),
    ("an ID token of a login with a nonce", {"events": ABSENT, "nonce": "n", **OF_AN_ID_TOKEN}),
    ("an ID token with a logout among its claims", {"nonce": "n", **OF_AN_ID_TOKEN}),
    ("an ID token of Keycloak's with a logout among its claims", {"typ": "ID", **OF_AN_ID_TOKEN}),
    ("an access token of Keycloak's with a logout among its claims", {"typ": "Bearer"}),
    ("typed as an ID token would be", {"header": {"typ": "id+jwt"}}),
)


@pytest.mark.parametrize("change", [row[1] for row in NO_LOGOUT_EITHER], ids=[row[0] for row in NO_LOGOUT_EITHER])
def test_what_is_no_logout_of_theirs_either(loose: LogoutDesk, world: World, change: dict[str, Any]) -> None:
    """Typed JWT as all their tokens are, unless the row says otherwise: section 2.6 tells a logout from the others."""
    assert loose.take(form(logout_token(**{**JUST_JWT, **change}))) is Outcome.REFUSED
    assert world.written == []


def test_it_is_told_once(desk: LogoutDesk, world: World, clock: FrozenClock) -> None:
    """The same jti again is refused for as long as its token could be accepted."""
    body = form(logout_token(exp=NOW_S + 10_000))
    assert desk.take(body) is Outcome.ACCEPTED
    for seconds in (0, 150, 149):
        clock.step(s=seconds)
        assert desk.take(body) is Outcome.REFUSED
    assert desk.take(form(logout_token(jti="logout-2", iat=NOW_S + 290, exp=NOW_S + 999))) is Outcome.ACCEPTED
    assert len(world.written) == 2


def test_an_outage_is_told_to_the_issuer(desk: LogoutDesk, world: World) -> None:
    """Without keys or state store: it is to try again, and then it counts."""
    body = form(logout_token())
    world.down = True
    assert desk.take(body) is Outcome.UNAVAILABLE
    world.down, world.key = False, KeyMissing.UNAVAILABLE
    assert desk.take(body) is Outcome.UNAVAILABLE
    world.key = ISSUER_KEY.public
    assert desk.take(body) is Outcome.ACCEPTED
    assert len(world.written) == 1


def test_none_waits_for_all_before_it(desk: LogoutDesk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state store hangs, each keeps a thread for a moment, not until all before it have had their deadline: a
    probe that asks whether the node lives needs one, too."""
    monkeypatch.setattr(logout, "WAIT_S", 0.05)
    hangs, end, write = threading.Event(), threading.Event(), world.write

    def slowly(revocation: Revocation, now_s: int) -> StoreDown | None:
        hangs.set()
        end.wait(10)
        return write(revocation, now_s)

    monkeypatch.setattr(world, "write", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.take, form(logout_token()))
        hangs.wait(10)
        try:
            assert desk.take(form(logout_token(jti="logout-2"))) is Outcome.UNAVAILABLE
        finally:
            end.set()
        assert first.result() is Outcome.ACCEPTED
    assert desk.take(form(logout_token(jti="logout-2"))) is Outcome.ACCEPTED


# ---- through the management listener of a node


def post(node: RunningNode, body: bytes, **headers: str) -> tuple[int, str | None]:
    with closing(HTTPConnection(*node.node.management.address, timeout=5)) as connection:
        usual = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/backchannel-logout", body, {**usual, **headers})
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("Cache-Control")


@pytest.fixture
def now_s() -> int:
    return int(time.time())


async def test_whoever_logged_out_is_refused(tmp_path: Path, now_s: int) -> None:
    """A practitioner is served, logs out at the issuer, is refused with the same login, and served with the next."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        token = logout_token(node.sandbox.issuer_key, iat=now_s, exp=now_s + 120)
        assert (await node.ask(sid="login-1"))[0] == 200
        assert post(node, form(token)) == (200, "no-store")
        assert (await node.ask(sid="login-1"))[0] == 401
        assert node.records()[-1]["reason"] == "session_revoked"
        assert (await node.ask(sid="login-2"))[0] == 200
        assert post(node, form(token))[0] == 400
        assert node.metric("paravent_logouts_total", outcome="accepted") == 1
        assert node.metric("paravent_logouts_total", outcome="refused") == 1


@pytest.mark.parametrize(("setting", "status"), [("", 400), ("untyped_logouts = true", 200)], ids=["not said", "said"])
async def test_it_is_said_in_the_configuration(tmp_path: Path, now_s: int, setting: str, status: int) -> None:
    """Of one issuer; without it, its untyped logouts are refused."""
    jwks = f'"jwks.json"\n{setting}'
    async with running_node(tmp_path, 9, jwks=jwks) as node:
        token = logout_token(node.sandbox.issuer_key, JUST_JWT["header"], iat=now_s, exp=now_s + 120)
        assert post(node, form(token))[0] == status


async def test_requests_that_are_none(tmp_path: Path, now_s: int) -> None:
    """Another type, no length, too long: refused before anything is read."""
    async with running_node(tmp_path, 9) as node:
        body = form(logout_token(node.sandbox.issuer_key, iat=now_s, exp=now_s + 120))
        assert post(node, body, **{"Content-Type": "application/json"})[0] == 400
        assert post(node, b"logout_token=" + b"a" * 30_000)[0] == 400
        assert post(node, body, **{"Content-Length": "-1"})[0] == 400
        assert post(node, body)[0] == 200
        await until(lambda: node.node.runtime._revocations.entries()["state"] == 1)

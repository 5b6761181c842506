"""A Redis behind TLS, a client certificate and a login of few rights: what works there, and who is kept out."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from answers import ANSWER
from certificates import CLIENT, Authority
from clock import FrozenClock
from ledgers import PATIENT_MS, Desk, budget, own_persons
from node import running_node
from pages import DOCS
from paravent.effects import BudgetKind, Charged, Measure, MeasureKind, ProofSeen, Revocation, Scope, StoreDown
from paravent.model import Secret
from paravent.simulate.processes import free_ports
from paravent.stores.redis import RedisLedger
from paravent.stores.redis_link import Server
from paravent.stores.redis_measures import RedisMeasures
from paravent.stores.redis_revocations import RedisRevocations
from paravent.stores.redis_usage import RedisUsage
from redis_server import RedisServer, running_redis
from wire import raw_upstream

pytestmark = pytest.mark.real

HOUR = 3_600
PASSWORD = "mot-de-passe-secret"
PAGE = (DOCS / "how-to/use-several-machines.md").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Protected:
    folder: Path
    redis: RedisServer
    server: Server
    """As a node is configured that may enter."""
    other: Authority
    """Of a certificate that nobody trusts."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """The rights of the login are those that the page shows."""
    folder = tmp_path_factory.mktemp("protected")
    authority = Authority(folder, "authority")
    server, node = authority.issue("server"), authority.issue("node", use=CLIENT)
    (rights,) = re.findall(r"^ *user paravent on >\S+ (.+)$", PAGE, re.MULTILINE)
    (port,) = free_ports(1)
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "yes"),
        *("--tls-cert-file", str(server.certificate), "--tls-key-file", str(server.key)),
        *("--tls-ca-cert-file", str(authority.certificate)),
        *("--user", "paravent", "on", f">{PASSWORD}", *rights.split()),
    )
    with running_redis(folder / "redis", *options) as redis:
        pair = (node.certificate, node.key)
        enters = Server("localhost", port, 0, "paravent", Secret(PASSWORD), authority.certificate, pair)
        yield Protected(folder, redis, enters, Authority(folder, "other"))


async def asked(server: Server) -> object:
    """What a charge is answered. A short deadline: whoever is kept out is so at once."""
    ledger = RedisLedger(server, deadline_ms=PATIENT_MS if server.certificate and server.password else 1000)
    try:
        return await Desk(ledger, FrozenClock(), own_persons((9, HOUR))).look_up(1)
    finally:
        ledger.close()


async def test_every_operation_works_there(place: Protected) -> None:
    """Charges and settlements of every kind of budget, proofs, and both lists, with those rights and no others."""
    place.redis.client().flushall()
    ledger = RedisLedger(place.server, deadline_ms=PATIENT_MS)
    clock = FrozenClock()
    desk = Desk(
        ledger,
        clock,
        own_persons((2, HOUR)),
        budget(Scope.PRACTITIONER, BudgetKind.MISSES, (9, HOUR)),
        budget(Scope.PRACTITIONER, BudgetKind.REQUESTS, (9, HOUR)),
        budget(Scope.ESTABLISHMENT, BudgetKind.PERSONS, (9, HOUR)),
        budget(Scope.FLEET, BudgetKind.PERSONS, (9, HOUR)),
    )
    assert [await desk.passes(n) for n in (1, 2, 3)] == [True, True, False]
    charge, _ = await desk.charge(1)
    assert isinstance(await desk.settle(charge, missed=True), Charged)
    proof = ProofSeen(b"p" * 32, clock.now_ms() + 60_000)
    assert [await ledger.proof_seen(proof, clock.now_ms()) for _ in range(2)] == [False, True]
    ledger.close()
    usage = RedisUsage(place.server).persons((HOUR,), clock.now_ms())
    assert usage == {desk.budgets[0].payer: (2,)}
    revocations, measures = RedisRevocations(place.server), RedisMeasures(place.server)
    assert revocations.write(Revocation("client:essai"), 0) is None
    assert revocations.read() == (Revocation("client:essai"),)
    assert revocations.lift("client:essai") is True
    grant = Measure("00000000000000a1", MeasureKind.GRANT, "ab" * 16, 2, 0, 60)
    assert measures.write(grant, 0) is None
    assert measures.read() == (grant,)
    assert measures.lift(grant.id) is True


async def test_a_good_caller_enters(place: Protected) -> None:
    assert isinstance(await asked(place.server), Charged)


async def test_who_is_kept_out(place: Protected) -> None:
    """By the server: no certificate, one of a stranger, a wrong password, a name that it does not know. By us: a server
    whose authority is another, or whose name is."""
    stranger = place.other.issue("stranger", use=CLIENT)
    good = place.server
    for refused in (
        replace(good, certificate=None),
        replace(good, certificate=(stranger.certificate, stranger.key)),
        replace(good, password=Secret("another")),
        replace(good, user="somebody"),
        replace(good, ca=place.other.certificate),
    ):
        assert await asked(refused) is StoreDown.UNAVAILABLE
        assert RedisRevocations(refused).read() is StoreDown.UNAVAILABLE


def test_a_list_is_asked_for_once() -> None:
    """A server that hangs up costs one connection, and no second try by itself: that would be twice the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        calls = 0

        def hang_up() -> None:
            nonlocal calls
            with suppress(OSError):
                while True:
                    caller, _ = listening.accept()
                    calls += 1
                    caller.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            assert RedisRevocations(Server("127.0.0.1", listening.getsockname()[1])).read() is StoreDown.UNAVAILABLE
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
    assert calls == 1


async def test_the_name_of_the_server_is_looked_at(tmp_path: Path) -> None:
    """A certificate of the right authority for another machine is another machine's."""
    authority = Authority(tmp_path, "authority")
    server = authority.issue("server", names=("redis.example",))
    (port,) = free_ports(1)
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(server.certificate), "--tls-key-file", str(server.key)),
        *("--tls-ca-cert-file", str(authority.certificate)),
    )
    with running_redis(tmp_path / "redis", *options):
        assert await asked(Server("localhost", port, ca=authority.certificate)) is StoreDown.UNAVAILABLE


async def test_a_node_serves_from_there_and_says_no_password(tmp_path: Path, place: Protected) -> None:
    """From the configuration alone: file of the password, certificate, key, authority. None of its bytes is in a log, a
    metric or a record."""
    (tmp_path / "state.password").write_text(PASSWORD + "\n")
    assert place.server.certificate is not None
    certificate, key = place.server.certificate
    state = f"""rediss://localhost:{place.server.port}/0"
ca = "{place.server.ca}"
client_certificate = "{certificate}"
client_key = "{key}"
user = "paravent"
password_file = "state.password"
# """
    async with raw_upstream(ANSWER) as seen, running_node(tmp_path, seen.port, state=state) as node:
        assert (await node.ask())[0] == 200
        assert node.node.runtime.readiness()["state"]
        assert PASSWORD not in node.logs.getvalue()
        assert PASSWORD.encode() not in node.ledger()
    assert PASSWORD not in repr(place.server)

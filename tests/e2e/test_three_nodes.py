"""Three `paravent serve` on one real Redis, while parts of it are killed, stopped or wrong about the time.

Whatever happens: no practitioner is told about more persons than their budget has, and nobody whom they were told about
is forgotten. What is answered meanwhile is what the page on several machines says.
"""

import re
import shutil
import signal
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from paravent.model import Secret
from paravent.sandbox.practitioners import practitioner
from paravent.sandbox.tokens import Wish
from paravent.simulate.processes import Parts
from redis_server import RedisServer, running_redis
from stack import CONSULTATION, Stack, population, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("three_nodes")]

NODES = 3
WRONG_CLOCK = Path(__file__).resolve().parents[1] / "support/wrong_clock.py"
LIMIT = 12
HOUR_S = 3600
CLIENTS = 64
DEADLINE_S = 1.0
SLACK_S = 2.0
"""For a machine that is busy with others."""
EMERGENCY = "emergency: {practitioner: 2, node: 5, total: 15, per: 1h, longest: 5m}\n"


@dataclass(frozen=True, slots=True)
class Caller:
    """A practitioner of their own, with tokens that are bound to a certificate."""

    stack: Stack
    serial: int
    tls: ssl.SSLContext
    x5t: str

    def ask(self, node: Stack, person: int, ahead_s: int = 0) -> int:
        """The status; 0 where no answer came. `ahead_s`: of the token's times, for a node whose clock is wrong."""
        who, one = practitioner(self.serial, "21"), population().person(person)
        wish = Wish(rpps=who.rpps, profession="21", finess=who.finess, jkt=None, x5t_s256=self.x5t)
        token = Secret(self.stack.mint.mint(wish, int(time.time()) + ahead_s)).reveal()
        body = {
            "immatriculation": one.nir + one.nir_key,
            "dateNaissance": one.birth_date,
            "rangGemellaire": one.birth_rank,
        }
        headers = [("Authorization", f"Bearer {token}")]
        try:
            return node.call("POST", CONSULTATION, body=body, headers=headers, tls=self.tls).status
        except OSError:
            return 0

    @property
    def key(self) -> str:
        return f"paravent:{{rpps:{practitioner(self.serial, '21').rpps}}}:persons"


@dataclass(slots=True)
class Site:
    redis: RedisServer
    nodes: tuple[Stack, ...]
    callers: Iterator[Caller]

    def ready(self) -> None:
        for node in self.nodes:
            assert node.proxy is not None
            node.parts.wait(node.proxy, lambda node=node: node.scrape("/readyz")[0] == 200)  # type: ignore[misc]

    def counted(self, caller: Caller) -> int:
        """How many persons of this practitioner stand in Redis."""
        return int(self.redis.client().zcard(caller.key))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("three")
    with ExitStack() as parts:
        redis = parts.enter_context(running_redis(folder / "redis", "--appendonly", "yes", "--appendfsync", "always"))
        stack = parts.enter_context(running_stack(folder, start=False))
        state = f'url = "redis://127.0.0.1:{redis.port}/0"\nnodes = {NODES}'
        stack.config.write_text(stack.config.read_text().replace('url = "sqlite:state.db"', state))
        quotas = stack.policies / "quotas.yaml"
        text = re.sub(r"limit: 60, +per: 10m", f"limit: {LIMIT}, per: 10m", quotas.read_text())
        quotas.write_text(EMERGENCY + re.sub(r"limit: [0-9]+, per: 10s", "limit: 1000, per: 10s", text))
        places = [folder / f"node{number}" for number in range(NODES)]
        for place in places:
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("redis", "node*", "*.log"))
        nodes = tuple(replace(stack, folder=place, parts=parts.enter_context(Parts(place))) for place in places)
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(Stack.start, nodes))
        yield Site(redis, nodes, _callers(stack))


def _callers(stack: Stack) -> Iterator[Caller]:
    for serial in count(100):
        pair = stack.certificate(f"officine{serial}")
        yield Caller(stack, serial, stack.tls_with(pair), pair.x5t_s256)


@pytest.fixture
def caller(site: Site) -> Caller:
    return next(site.callers)


def through_all(site: Site, caller: Caller, persons: Iterable[int], meanwhile: Callable[[], None]) -> dict[int, int]:
    """Sixteen at a time, through the nodes in turn; `meanwhile` happens once a few are answered. Person → status."""
    with ThreadPoolExecutor(16) as pool:
        asked: dict[int, Future[int]] = {
            person: pool.submit(caller.ask, site.nodes[person % NODES], person) for person in persons
        }
        list(asked.values())[4].result()
        meanwhile()
        return {person: each.result() for person, each in asked.items()}


def holds(site: Site, caller: Caller, told: dict[int, int]) -> set[int]:
    """What holds after every race: nobody over budget, nobody forgotten. Whom the caller was told about."""
    disclosed = {person for person, status in told.items() if status == 200}
    site.ready()
    assert len(disclosed) <= LIMIT
    assert len(disclosed) <= site.counted(caller) <= LIMIT
    assert {caller.ask(site.nodes[n % NODES], person) for n, person in enumerate(disclosed)} <= {200}
    return disclosed


def filled(site: Site, caller: Caller, disclosed: set[int]) -> None:
    """Whoever goes on asking gets what is left, and not one person more."""
    for person in range(5000, 5000 + LIMIT + 1):
        if caller.ask(site.nodes[person % NODES], person) == 200:
            disclosed.add(person)
    assert len(disclosed) <= LIMIT == site.counted(caller)


def test_sixty_four_clients_at_the_limit(site: Site, caller: Caller) -> None:
    """As many persons at once, through three nodes: exactly the limit pass."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(lambda n: caller.ask(site.nodes[n % NODES], n), range(CLIENTS)))
    assert sorted(told) == [200] * LIMIT + [429] * (CLIENTS - LIMIT)


def test_a_node_is_killed(site: Site, caller: Caller) -> None:
    """kill -9 in full flight: the others go on, its callers hear nothing, and what it had charged counts."""
    told = through_all(site, caller, range(40), site.nodes[1].kill)
    assert set(told.values()) <= {0, 200, 429}
    assert all(status for person, status in told.items() if person % NODES != 1)
    site.nodes[1].start()
    filled(site, caller, holds(site, caller, told))


def test_redis_is_killed(site: Site, caller: Caller) -> None:
    """kill -9 and a new process on the same file: what it had said yes to counts."""

    def killed() -> None:
        site.redis.kill()
        site.redis.start()

    told = through_all(site, caller, range(40), killed)
    assert set(told.values()) <= {200, 429, 503}
    assert 0 not in told.values()
    _settled(site)
    # What the nodes served by themselves comes on top, as the policy says, and is counted.
    disclosed = {person for person, status in told.items() if status == 200}
    assert len(disclosed) <= LIMIT + 2 * NODES
    assert len(disclosed) <= site.counted(caller) <= LIMIT + 2 * NODES


def test_redis_is_stopped(site: Site, caller: Caller) -> None:
    """SIGSTOP: each node serves its few, within the deadline, then 503; none waits longer. When Redis wakes up, all of
    them are charged there, once."""
    before = [person for person in range(3) if caller.ask(site.nodes[person], person) == 200]
    assert len(before) == 3
    assert site.redis.process is not None
    site.redis.process.send_signal(signal.SIGSTOP)
    told: dict[int, int] = {}
    try:
        for person in range(10, 10 + 4 * NODES):
            started_s = time.monotonic()
            told[person] = caller.ask(site.nodes[person % NODES], person)
            assert time.monotonic() - started_s < DEADLINE_S + SLACK_S
    finally:
        site.redis.process.send_signal(signal.SIGCONT)
    assert sorted(told.values()) == [200] * (2 * NODES) + [503] * (2 * NODES)
    _settled(site)
    assert site.counted(caller) == 3 + 2 * NODES
    assert {caller.ask(site.nodes[0], person) for person, status in told.items() if status == 200} == {200}


def test_clocks_are_an_hour_wrong(site: Site, caller: Caller) -> None:
    """One node an hour ahead, one an hour behind: one budget, at the time of Redis; and again when they have changed
    places, as a clock that is set back and forth."""
    disclosed: set[int] = set()
    for turn, (ahead_s, behind_s) in enumerate([(HOUR_S, -HOUR_S), (-HOUR_S, HOUR_S)]):
        clocks = (0, ahead_s, behind_s)
        for node, clock_s in zip(site.nodes[1:], clocks[1:], strict=True):
            node.stop()
            node.start(str(WRONG_CLOCK), str(clock_s))
        for person in range(1000 * (turn + 1), 1000 * (turn + 1) + (LIMIT // 2 if turn == 0 else LIMIT)):
            which = person % NODES
            if caller.ask(site.nodes[which], person, clocks[which]) == 200:
                disclosed.add(person)
    for node in site.nodes[1:]:
        node.stop()
        node.start()
    assert len(disclosed) == LIMIT == site.counted(caller)
    assert caller.ask(site.nodes[0], 4000) == 429


def _settled(site: Site) -> None:
    """Every node hears of Redis again and owes it nothing."""
    site.ready()
    for node in site.nodes:
        assert node.proxy is not None
        node.parts.wait(
            node.proxy,
            lambda node=node: (
                "\nparavent_emergency_owed 0.0\n" in node.metrics()  # type: ignore[misc]
                and '"state": true' in node.scrape("/readyz")[1].decode()
            ),
        )

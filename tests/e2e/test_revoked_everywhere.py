"""A revocation is in force on every node within a second: three nodes on one real Redis, timed."""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import jwt
import pytest

from nodes import edited, running_nodes
from paravent.books import names_of_issuers, revocation_book
from paravent.identity.revocation import Kind
from paravent.revocations.entries import mark, revocation
from paravent.settings import load_settings
from redis_server import running_redis
from stack import CONSULTATION, Stack, population, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("revoked_everywhere")]

NODES = 3
WITHIN_S = 1.0
"""What a revocation may take, as the pages promise it."""
GIVE_UP_S = 10.0
PACE_S = 0.02
"""Between two questions on a node: whoever asks without a pause measures the machine, and slows what it measures."""
SOFTWARE = "essai"
"""What everybody here asks with; revoked last of all."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token of their own, bound to a client certificate."""

    token: str
    tls: ssl.SSLContext
    certificate_sha256: str

    def is_refused(self, node: Stack) -> bool:
        """As far as the token goes: whoever asks as often as this soon hears of limits as well."""
        one = population().person(1)
        body = {"immatriculation": one.nir, "dateNaissance": one.birth_date, "rangGemellaire": one.birth_rank}
        headers = [("Authorization", f"Bearer {self.token}")]
        status = node.call("POST", CONSULTATION, body=body, headers=headers, tls=self.tls).status
        assert status in {200, 401, 429}
        return status == 401

    def value(self, kind: Kind) -> tuple[str, str | None]:
        """What to revoke of this caller: the value, and the issuer's name where it needs one."""
        claims = jwt.decode(self.token, options={"verify_signature": False})
        return {
            Kind.TOKEN: (claims["jti"], "operateur"),
            Kind.SESSION: (claims["sid"], "operateur"),
            Kind.PRACTITIONER: (claims["sub"][1:], None),
            Kind.CLIENT: (claims["client_id"], None),
            Kind.CERTIFICATE: (self.certificate_sha256, None),
            Kind.KEY: (jwt.get_unverified_header(self.token)["kid"], "operateur"),
        }[kind]


@dataclass(frozen=True, slots=True)
class Site:
    nodes: tuple[Stack, ...]
    callers: Iterator[Caller]
    of_old_key: Caller

    def served(self, caller: Caller) -> Caller:
        assert not any(caller.is_refused(node) for node in self.nodes)
        return caller

    def taken_for_s(self, caller: Caller, since_s: float) -> float:
        """How long after `since_s` the last question was put that some node still took.

        From when it was put, not from when it was answered: a slow machine is not what is measured.
        """

        def watch(node: Stack) -> float:
            last_s = since_s
            while (asked_s := time.monotonic()) < since_s + GIVE_UP_S:
                if caller.is_refused(node):
                    return last_s - since_s
                last_s = asked_s
                time.sleep(PACE_S)
            return GIVE_UP_S

        with ThreadPoolExecutor(NODES) as pool:
            return max(pool.map(watch, self.nodes))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("everywhere")
    with ExitStack() as parts:
        redis = parts.enter_context(running_redis(folder / "redis"))
        stack = parts.enter_context(running_stack(folder, start=False))
        callers = _callers(stack)
        of_old_key = next(callers)
        stack.mint.rotate()
        (folder / "jwks.json").write_text(json.dumps(stack.mint.jwks()))
        (folder / "revoked.yaml").touch()
        edited(stack, {"sqlite:state.db": f"redis://127.0.0.1:{redis.port}/0", '["portail"]': f'["{SOFTWARE}"]'})
        stack.config.write_text(stack.config.read_text() + '\n[revocation]\nfile = "revoked.yaml"\n')
        yield Site(running_nodes(stack, NODES, parts), callers, of_old_key)


def _callers(stack: Stack) -> Iterator[Caller]:
    for serial in count():
        pair = stack.certificate(f"officine{serial}")
        sid = {"sid": f"login-{serial}"}
        login = stack.login(serial=serial, jkt=None, x5t_s256=pair.x5t_s256, client_id=SOFTWARE, claims=sid)
        der = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
        yield Caller(login.token.reveal(), stack.tls_with(pair), hashlib.sha256(der).hexdigest())


def by_command(node: Stack, kind: Kind, value: str, issuer: str | None) -> None:
    """On another machine than the nodes that are asked, for all they know."""
    words = ["revoke", kind.value, value, "--config", str(node.config), *(("--issuer", issuer) if issuer else ())]
    subprocess.run([sys.executable, "-m", "paravent.cli", *words], check=True, timeout=60, capture_output=True)


def by_state_store(node: Stack, kind: Kind, value: str, issuer: str | None) -> None:
    """As a logout of an issuer is written."""
    settings = load_settings(node.config, os.environ)
    book = revocation_book(settings)
    book.write(revocation(mark(kind, value, issuer, names_of_issuers(settings))), int(time.time()))


def by_file(nodes: tuple[Stack, ...], kind: Kind, value: str, issuer: str | None) -> None:
    """Distributed as one file, renamed into place on each node."""
    entry = {kind.value: value} | ({"issuer": issuer} if issuer else {})
    for node in nodes:
        fresh = node.folder / "fresh.yaml"
        fresh.write_text(json.dumps([entry]))
        fresh.rename(node.folder / "revoked.yaml")


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        *[(kind, "command") for kind in Kind if kind is not Kind.CLIENT],
        (Kind.SESSION, "state store"),
        (Kind.PRACTITIONER, "file"),
        (Kind.CLIENT, "command"),  # the last: it is everybody's
    ],
    ids=str,
)
def test_within_a_second_on_every_node(site: Site, kind: Kind, way: str) -> None:
    """Each kind by command, which writes the state store; by the store alone; by the watched file."""
    caller = site.served(site.of_old_key if kind is Kind.KEY else next(site.callers))
    what = (kind, *caller.value(kind))
    match way:
        case "command":
            by_command(site.nodes[0], *what)
        case "state store":
            by_state_store(site.nodes[0], *what)
        case _:
            by_file(site.nodes, *what)
    taken_for_s = site.taken_for_s(caller, time.monotonic())
    print(f"{kind.value} by {way}: the last question taken {taken_for_s:.3f} s after it")
    assert taken_for_s <= WITHIN_S

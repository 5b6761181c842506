"""Where a question comes from, and who is charged for it: at the boundary, over real connections.

Each row asks about one patient for one practitioner after the other, whom a budget of two pairs serves twice.
"""

import base64
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from answers import ANSWER
from certificates import CLIENT, Authority, Pair
from node import MTLS, PLAINTEXT, TLS, RunningNode, parse, running_node
from paravent_mitmproxy.listener.introduction import FIXED, SIGNATURE
from state_file import whole
from wire import raw_upstream

PROXY = PLAINTEXT + "\nproxy_protocol = true"
HEADER = PLAINTEXT + '\nclient_ca = "authority.pem"\nclient_cert_header = true'
PINNED = TLS + '\nclient_ca = "authority.pem"\nclient_cert_header = true\nfront_certificates = "front.pem"'
TWO = "persons: [{limit: 2, per: 1h}]"


@asynccontextmanager
async def limited(folder: Path, scope: str, listen: str) -> AsyncIterator[RunningNode]:
    """A node whose policy gives this scope room for two pairs an hour."""
    async with raw_upstream(ANSWER) as upstream, running_node(folder, upstream.port, listen=listen) as node:
        quotas = folder / "policies/quotas.yaml"
        quotas.write_text(quotas.read_text().replace("quotas:\n", f"quotas:\n  {scope}: {{{TWO}}}\n", 1))
        assert node.node.runtime.reload_policy()
        yield node


def introduced(*address: int) -> bytes:
    """A PROXY header for an IPv4 or IPv6 address."""
    kind, other = (0x11, bytes(4)) if len(address) == 4 else (0x21, bytes(16))
    rest = bytes(address) + other + struct.pack("!HH", 54321, 443)
    return FIXED.pack(SIGNATURE, 0x21, kind, len(rest)) + rest


def client_cert(pair: Pair) -> bytes:
    """The header of RFC 9440."""
    der = load_pem_x509_certificate(pair.certificate.read_bytes()).public_bytes(Encoding.DER)
    return b"Client-Cert: :" + base64.b64encode(der) + b":\r\n"


def practitioners(number: int) -> Sequence[str]:
    return [f"9970042{each:04}" for each in range(number)]


async def statuses(asked: int, ask: Callable[[str], object]) -> list[int]:
    return [parse(await ask(rpps))[0] for rpps in practitioners(asked)]  # type: ignore[misc]


async def test_a_network_is_the_peers(tmp_path: Path) -> None:
    """Three practitioners from one address, of whom two are served."""
    async with limited(tmp_path, "network", TLS) as node:
        told = await statuses(3, lambda rpps: node.send(node.request(rpps=rpps), tls=node.sandbox.tls()))
        assert node.metric("paravent_over_budget_total", scope="network", kind="persons") == 1
    assert told == [200, 200, 429]


async def test_a_network_is_the_one_that_a_front_proxy_introduces(tmp_path: Path) -> None:
    """Neighbours share a budget; another network has its own; the front proxy's address is nobody's."""
    neighbours = [introduced(192, 0, 2, 1), introduced(192, 0, 2, 200), introduced(192, 0, 2, 77)]
    site = bytes.fromhex("20010db80005")
    elsewhere = [introduced(198, 51, 100, 1), *(introduced(*site, subnet, *bytes(9)) for subnet in (1, 2, 3))]
    itself = [FIXED.pack(SIGNATURE, 0x20, 0, 0)] * 3
    headers = iter([*neighbours, *elsewhere, *itself])
    async with limited(tmp_path, "network", PROXY) as node:
        told = await statuses(10, lambda rpps: node.send(next(headers) + node.request(rpps=rpps)))
    assert told == [200, 200, 429, 200, 200, 200, 429, 200, 200, 200]


async def test_behind_a_front_proxy_that_introduces_nobody_no_network_pays(tmp_path: Path) -> None:
    """All of its callers would share one budget, and stop each other."""
    async with limited(tmp_path, "network", PLAINTEXT) as node:
        assert await statuses(4, lambda rpps: node.send(node.request(rpps=rpps))) == [200] * 4


async def test_a_certificate_is_the_callers_own(tmp_path: Path) -> None:
    """At the handshake, whatever the token is bound to; who shows none is charged elsewhere."""
    async with limited(tmp_path, "certificate", MTLS) as node:
        one, other = (node.sandbox.authority.issue(name, use=CLIENT) for name in ("one", "other"))
        shown = iter([node.sandbox.tls((pair.certificate, pair.key)) for pair in (one, one, one, other)])
        assert await statuses(4, lambda rpps: node.send(node.request(rpps=rpps), tls=next(shown))) == [
            200,
            200,
            429,
            200,
        ]
        without = node.sandbox.tls()
        assert await statuses(3, lambda rpps: node.send(node.request(rpps=rpps), tls=without)) == [200] * 3


async def test_a_certificate_is_the_one_that_a_front_proxy_tells_of(tmp_path: Path) -> None:
    """Request by request: on one front proxy, each caller's certificate has its own budget."""
    async with limited(tmp_path, "certificate", HEADER) as node:
        one, other = (client_cert(node.sandbox.authority.issue(name, use=CLIENT)) for name in ("one", "other"))
        shown = iter([one, one, one, other])
        told = await statuses(4, lambda rpps: node.send(node.request(rpps=rpps, extra=next(shown))))
    assert told == [200, 200, 429, 200]


async def test_a_front_proxy_with_a_certificate_pays_with_it(tmp_path: Path) -> None:
    """Whomever it speaks for: a stolen front certificate takes no fresh budget with each Client-Cert it passes on."""
    front = Authority(tmp_path, "internal").issue("front", use=CLIENT)
    async with limited(tmp_path, "certificate", PINNED) as node:
        shown = iter([client_cert(node.sandbox.authority.issue(name, use=CLIENT)) for name in "abc"])
        tls = node.sandbox.tls((front.certificate, front.key))
        told = await statuses(3, lambda rpps: node.send(node.request(rpps=rpps, extra=next(shown)), tls=tls))
    assert told == [200, 200, 429]


@pytest.mark.parametrize("scope", ["network", "certificate"])
async def test_the_store_shows_neither(tmp_path: Path, scope: str) -> None:
    """Not the address, not the network, not the thumbprint: in the state file, the ledger and the metrics a keyed hash
    at most."""
    async with limited(tmp_path, scope, PROXY + '\nclient_ca = "authority.pem"\nclient_cert_header = true') as node:
        caller = node.sandbox.authority.issue("caller", use=CLIENT)
        sent = introduced(192, 0, 2, 1) + node.request(extra=client_cert(caller))
        assert parse(await node.send(sent))[0] == 200
        metrics = node.node.runtime.metrics.exposition()
    payers = [payer for payer in whole(tmp_path / "state.db").accounts if payer.startswith(scope)]
    assert len(payers) == 1
    raw = b"".join(file.read_bytes() for file in [*tmp_path.glob("state.db*"), *(tmp_path / "audit").glob("*")])
    thumbprint = caller.x5t.encode()
    for shown in (b"192.0.2.", bytes([192, 0, 2, 1]), thumbprint):
        assert shown not in raw + metrics + node.logs.getvalue().encode()

"""Invented tokens by the thousand: what they cost us, and whom they hinder."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

import loops
import tokens
from answers import ANSWER
from drill import recorded
from node import CONSULTATION, PLAINTEXT, RunningNode, parse, running_node
from paravent.identity import jws
from wire import RawUpstream, raw_upstream

MOST = 3
BOUND = f"\nrefusals_per_minute = {MOST}"
INTRODUCED = PLAINTEXT + "\nproxy_protocol = true" + BOUND


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Nothing here depends on which loop it is."""
    return loops.policy(loops.BOTH[0])


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


def guess(node: RunningNode) -> bytes:
    """A good request but for the signature of its token."""
    data = node.request()
    token = node.credentials[-2].encode()
    signed, _, signature = token.rpartition(b".")
    return data.replace(token, signed + b"." + signature[:20] + signature[39:19:-1] + signature[40:])


def again(node: RunningNode, token: str) -> bytes:
    """Another question with a token that was used before."""
    data = node.request()
    other, proof = node.credentials[-2:]
    fresh = tokens.prove(
        node.sandbox.caller_key, token, "POST", tokens.ORIGIN + CONSULTATION, int(time.time()), jti=str(uuid.uuid4())
    )
    node.credentials.append(fresh)
    return data.replace(other.encode(), token.encode()).replace(proof.encode(), fresh.encode())


def introduced(address: str) -> bytes:
    """Bytes of a PROXY header for a caller there."""
    source = bytes(map(int, address.split(".")))
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + source + b"\x7f\x00\x00\x01\xd4\x31\x01\xbb"


async def test_guesses_beyond_the_bound_are_not_verified(tmp_path: Path, upstream: RawUpstream) -> None:
    """One constant 429 with the time to wait, on record with its reason; and no signature is looked at."""
    async with running_node(tmp_path, upstream.port, listen=INTRODUCED) as node:
        for _ in range(MOST):
            assert parse(await node.send(introduced("192.0.2.1") + guess(node)))[0] == 401
        with recorded() as made:
            status, headers, body = parse(await node.send(introduced("192.0.2.1") + guess(node)))
        assert (status, orjson.loads(body)["type"]) == (429, "urn:paravent:problem:too_many_refusals")
        assert 0 < int(headers[b"retry-after"]) <= 60
        assert not [call for call in made.calls if call.code.co_filename == jws.__file__]
        reasons = [record["reason"] for record in node.records()]
        assert reasons == ["token_signature"] * MOST + ["network_refused_often"]
        assert node.metric(
            "paravent_decisions_total", operation="none", decision="deny", reason="network_refused_often"
        )


async def test_who_is_at_work_works_on_under_another_policy(tmp_path: Path, upstream: RawUpstream) -> None:
    """Whoever tightens a limit while somebody guesses does not send the colleagues of the guesser away."""
    async with running_node(tmp_path, upstream.port, listen=INTRODUCED) as node:
        here = introduced("192.0.2.1")
        assert parse(await node.send(here + node.request()))[0] == 200
        token = node.credentials[-2]
        for _ in range(MOST):
            await node.send(here + guess(node))
        quotas = tmp_path / "policies" / "quotas.yaml"
        quotas.write_text(quotas.read_text().replace("{limit: 60, per: 10m}", "{limit: 50, per: 10m}"))
        assert node.node.runtime.reload_policy()
        assert parse(await node.send(here + again(node, token)))[0] == 200
        assert parse(await node.send(here + node.request()))[0] == 429


async def test_who_is_at_work_works_on(tmp_path: Path, upstream: RawUpstream) -> None:
    """A token that was verified before is served from the same network, and one that is new waits; not elsewhere."""
    async with running_node(tmp_path, upstream.port, listen=INTRODUCED) as node:
        here, there = introduced("192.0.2.1"), introduced("192.0.2.2")
        assert parse(await node.send(here + node.request()))[0] == 200
        token = node.credentials[-2]
        for _ in range(MOST + 1):
            await node.send(here + guess(node))
        assert parse(await node.send(here + again(node, token)))[0] == 200
        assert parse(await node.send(here + node.request()))[0] == 429
        assert parse(await node.send(there + node.request()))[0] == 200


OF_ANY_PAGE = {
    "no token": (b"GET /v1/compte HTTP/1.1\r\n", 401),
    "an address that is too long": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n", 431),
    "a form that is too long": (b"POST /v1/compte HTTP/1.1\r\nContent-Length: 9999999\r\n", 413),
    "an address that is nearly too long": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n", 400),
    "new WebSocket()": (b"GET /v1/compte HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", 400),
    "<video src>": (b"GET /v1/compte HTTP/1.1\r\nRange: bytes=0-\r\n", 400),
    "fetch() with a byte beyond ASCII in Accept": (b"GET /v1/compte HTTP/1.1\r\nAccept: \xe9\r\n", 400),
    "a preflight of many names": (
        b"OPTIONS /v1/compte HTTP/1.1\r\nAccess-Control-Request-Headers: " + b"a," * 6_200 + b"a\r\n",
        400,
    ),
    "a login in the address": (b"GET /v1/compte HTTP/1.1\r\nAuthorization: Basic YTpi\r\n", 401),
}


@pytest.mark.parametrize(("line", "told"), OF_ANY_PAGE.values(), ids=OF_ANY_PAGE)
async def test_a_page_that_a_browser_there_has_open_stops_nobody(
    tmp_path: Path, upstream: RawUpstream, line: bytes, told: int
) -> None:
    """It can make the browser send that, as often as it likes; who signs in beside it is served."""
    async with running_node(tmp_path, upstream.port, listen=INTRODUCED) as node:
        here = introduced("192.0.2.1")
        for _ in range(2 * MOST):
            sent = here + line + b"Host: a\r\nSec-Fetch-Site: cross-site\r\n\r\n"
            assert parse(await node.send(sent))[0] == told
        assert parse(await node.send(here + node.request()))[0] == 200


async def test_a_front_proxy_that_introduces_nobody_is_not_turned_away(tmp_path: Path, upstream: RawUpstream) -> None:
    """Its address is everybody's."""
    async with running_node(tmp_path, upstream.port, listen=PLAINTEXT + BOUND) as node:
        for _ in range(2 * MOST):
            assert parse(await node.send(guess(node)))[0] == 401
        assert (await node.ask())[0] == 200

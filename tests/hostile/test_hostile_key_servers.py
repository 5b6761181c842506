"""A node whose issuer publishes its keys over HTTPS, from a real server under its own authority."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import tokens
from answers import ANSWER
from issuer_server import IssuerServer, issuer_server
from node import RunningNode, running_node
from wire import raw_upstream

FIRST, NEXT = tokens.signing_key(), tokens.signing_key("ES256", "next")


@asynccontextmanager
async def node_with(folder: Path, issuer: IssuerServer) -> AsyncIterator[RunningNode]:
    jwks = f'"{issuer.url("/jwks")}"\nca = "issuer-ca.pem"'
    async with raw_upstream(ANSWER) as upstream, running_node(folder, upstream.port, jwks=jwks) as node:
        yield node


async def status_with(node: RunningNode, key: tokens.SigningKey) -> int:
    """Of a question with a token that this key has signed."""
    node.sandbox.issuer_key = key
    return (await node.ask())[0]


async def test_an_issuer_whose_keys_cannot_be_fetched_at_the_start(tmp_path: Path) -> None:
    """The node starts, is not ready, says whose keys are missing, and answers 503 without asking the upstream."""
    with issuer_server(tmp_path, lambda _: (500, b"")) as issuer:
        async with node_with(tmp_path, issuer) as node:
            readiness = node.node.runtime.readiness()
            assert {name for name, well in readiness.items() if not well} == {"keys.operateur"}
            assert (await node.ask())[0] == 503
            assert node.metric("paravent_ready") == 0
            assert node.metric("paravent_keys_failures", issuer="operateur") >= 1
            assert node.records()[-1]["reason"] == "keys_unavailable"


async def test_a_rotation_without_notice_refuses_no_request(tmp_path: Path) -> None:
    """The issuer begins to sign with a new key and publishes it at that moment: all first tokens of the new key are
    answered, by one fetch between them, though the set was fetched just before. The withdrawn key is no key then."""
    published = [tokens.jwks(FIRST)]
    with issuer_server(tmp_path, lambda _: (200, published[-1])) as issuer:
        async with node_with(tmp_path, issuer) as node:
            assert await status_with(node, FIRST) == 200
            published.append(tokens.jwks(NEXT))
            assert await asyncio.gather(*(status_with(node, NEXT) for _ in range(15))) == [200] * 15
            assert len(issuer.seen) == 2
            assert await status_with(node, FIRST) == 401

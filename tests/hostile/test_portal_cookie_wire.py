"""The cookie of a portal through a whole node: bytes over TLS with a client certificate, from pages of all sorts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from answers import ANSWER
from certificates import CLIENT, Pair
from node import MTLS, RunningNode, parse, running_node
from tokens import ORIGIN
from wire import RawUpstream, raw_upstream

PORTAL = '[portal]\ncookie = "__Host-paravent"\n'
OF_A_PAGE = f"Origin: {ORIGIN}\r\nSec-Fetch-Site: same-origin\r\n".encode()


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(ANSWER) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path, upstream.port, listen=MTLS, more=PORTAL) as running:
        yield running


@pytest.fixture
def browser(node: RunningNode) -> Pair:
    """The certificate of a practitioner's card, as the browser shows it."""
    return node.sandbox.authority.issue("browser", use=CLIENT)


def carried(node: RunningNode, browser: Pair, more: bytes, name: bytes = b"__Host-paravent") -> bytes:
    """A good request, its token moved from the header into the cookie."""
    request = node.request(x5t=browser.x5t)
    return request.replace(b"Authorization: Bearer ", b"Cookie: theme=dark; " + name + b"=").replace(
        b"Host: droits.example\r\n", b"Host: droits.example\r\n" + more
    )


async def test_a_page_of_the_portal_is_served(node: RunningNode, browser: Pair, upstream: RawUpstream) -> None:
    """The answer leaves, and neither cookie nor origin reaches the upstream."""
    context = node.sandbox.tls((browser.certificate, browser.key))
    status, headers, _ = parse(await node.send(carried(node, browser, OF_A_PAGE), tls=context))
    assert status == 200
    assert b"set-cookie" not in headers
    assert b"access-control-allow-origin" not in headers
    (asked,) = upstream.requests
    assert b"cookie" not in asked.lower()
    assert b"origin" not in asked.lower()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (b"", "token_cross_site"),
        (b"Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n", "token_cross_site"),
        (b"Origin: https://evil.example\r\n", "token_cross_site"),
        (OF_A_PAGE.replace(b"same-origin", b"none"), "token_cross_site"),
        (OF_A_PAGE + b"Authorization: Bearer a.b.c\r\n", "token_malformed"),
    ],
    ids=["a form without origin", "a stranger's page", "the same without Fetch Metadata", "a link", "two tokens"],
)
async def test_what_a_strangers_page_can_make_a_browser_send(
    node: RunningNode, browser: Pair, upstream: RawUpstream, more: bytes, reason: str
) -> None:
    """Card in the reader, cookie in the browser: 401, the upstream is not asked, and the ledger says why."""
    context = node.sandbox.tls((browser.certificate, browser.key))
    status, _, _ = parse(await node.send(carried(node, browser, more), tls=context))
    assert (status, upstream.requests) == (401, [])
    assert node.records()[-1]["reason"] == reason


async def test_a_stolen_cookie_is_worth_nothing(node: RunningNode, browser: Pair, upstream: RawUpstream) -> None:
    """On a connection without the card's certificate, or with another one."""
    other = node.sandbox.authority.issue("other", use=CLIENT)
    for context in (node.sandbox.tls(), node.sandbox.tls((other.certificate, other.key))):
        status, _, _ = parse(await node.send(carried(node, browser, OF_A_PAGE), tls=context))
        assert status == 401
        assert node.records()[-1]["reason"] == "binding_certificate"
    assert upstream.requests == []


async def test_another_cookie_is_not_looked_at(node: RunningNode, browser: Pair) -> None:
    """Whatever token it holds."""
    context = node.sandbox.tls((browser.certificate, browser.key))
    sent = carried(node, browser, OF_A_PAGE, name=b"__Secure-paravent")
    assert parse(await node.send(sent, tls=context))[0] == 401
    assert node.records()[-1]["reason"] == "token_missing"

"""Handles through a whole node: a page of the portal shows one, and its practitioner asks on with it, without a NIR."""

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest

from node import RunningNode, parse, running_node
from paravent.audit.keys import derive_keys
from paravent.handles import EPOCH_S, make_handle
from paravent.model import Disguise, Secret
from paravent.sandbox.practitioners import practitioner
from reference import PAGE_EXAMPLE
from tokens import RPPS
from wire import RawUpstream, http_answer, raw_upstream

NIR: Final = "292112B993001"
"""Of the person whom the page shows."""
COLLEAGUE: Final = practitioner(7, "21").rpps
PAGE: Final = "/portail/droits"
HANDLE: Final = re.compile(rb"h1\.[A-Za-z0-9_-]{44}")


def key_of(character: str) -> Secret[bytes]:
    """What a key file of one repeated byte gives for disguises."""
    return derive_keys(Secret(bytes.fromhex(character * 32))).disguise


KEY, OTHER_KEY = key_of("5a"), key_of("5b")
"""The node's own, and that of another key file."""


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(http_answer(PAGE_EXAMPLE, content_type=b"text/html; charset=utf-8")) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    async with running_node(tmp_path, upstream.port) as running:
        yield running


async def ask(node: RunningNode, number: str, rpps: str = RPPS) -> tuple[int, dict[bytes, bytes], bytes]:
    """The page, as the portal's form asks for it."""
    form = urlencode({"immatriculation": number, "dateNaissance": "19921101", "rangGemellaire": 1}).encode()
    head, _, _ = node.request(path=PAGE, rpps=rpps).partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-")]
    described = [b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(form)]
    return parse(await node.send(b"\r\n".join([*kept, *described, b"", form])))


def made(key: Secret[bytes] = KEY, rpps: str = RPPS, ago_s: int = 0) -> str:
    return make_handle(Disguise(key, rpps, int(time.time()) - ago_s), NIR)


async def test_a_practitioner_asks_on_with_what_the_page_showed(node: RunningNode, upstream: RawUpstream) -> None:
    """No page holds the number, the second question neither; the upstream is asked by number both times, and one
    person is charged once."""
    status, _, page = await ask(node, NIR)
    assert status == 200
    assert NIR.encode() not in page
    (handle,) = HANDLE.findall(page)
    status, _, again = await ask(node, handle.decode())
    assert status == 200
    assert NIR.encode() not in again
    assert len(HANDLE.findall(again)) == 1
    assert [f"immatriculation={NIR}&".encode() in request for request in upstream.requests] == [True, True]
    assert not any(handle in request for request in upstream.requests)
    persons = [record["persons"] for record in node.records() if record.get("persons")]
    assert len(persons) == 2
    assert persons[0] == persons[1]
    assert handle not in node.ledger()
    assert handle.decode() not in node.logs.getvalue()


async def test_the_page_tells_a_browser_to_run_and_fetch_nothing(node: RunningNode) -> None:
    """But for what a style sheet needs from the same origin; of what is no page nothing at all. test_browser.py shows
    that one obeys."""
    _, headers, _ = await ask(node, NIR)
    policy = dict(part.strip().split(" ", 1) for part in headers[b"content-security-policy"].decode().split(";"))
    assert {name for name, source in policy.items() if source == "'self'"} == {"style-src", "img-src", "font-src"}
    assert {name for name, source in policy.items() if source == "'none'"} == {
        "default-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
    }
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert (await node.ask())[1][b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"


async def test_a_handle_lives_on_into_the_next_epoch(node: RunningNode) -> None:
    """The key changes twice a day, and the pages of this morning still work."""
    status, _, page = await ask(node, made(ago_s=EPOCH_S))
    assert status == 200
    assert len(HANDLE.findall(page)) == 1


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param(made(rpps=COLLEAGUE), id="another practitioner's"),
        pytest.param(made(ago_s=2 * EPOCH_S), id="an expired one"),
        pytest.param(made(ago_s=-2 * EPOCH_S), id="one of tomorrow"),
        pytest.param(made(OTHER_KEY), id="of another key file"),
        pytest.param(made()[:-1] + ("A" if made()[-1] != "A" else "B"), id="one with its last character changed"),
        pytest.param("h1." + "A" * 44, id="one that nobody made"),
    ],
)
async def test_any_other_handle_is_refused(node: RunningNode, upstream: RawUpstream, handle: str) -> None:
    """As somebody whom the API does not know, before the upstream is asked, and without a person charged."""
    told = await ask(node, handle)
    assert told[0] == 404
    assert handle.encode() not in told[2]
    assert upstream.requests == []
    assert [record["reason"] for record in node.records() if "reason" in record] == ["handle_refused"]


async def test_while_one_key_file_replaces_another_the_handles_of_both_are_opened(
    tmp_path: Path, upstream: RawUpstream
) -> None:
    """The other one is named beside it; what leaves is made with the node's own."""
    (tmp_path / "old.key").write_text("5b" * 32)
    async with running_node(tmp_path, upstream.port, audit='second_key_file = "old.key"') as node:
        pages = [await ask(node, each) for each in (made(OTHER_KEY), made(KEY))]
        assert [status for status, _, _ in pages] == [200, 200]
        assert [HANDLE.findall(page) for _, _, page in pages] == [[made(KEY).encode()]] * 2
        assert (await ask(node, made(key_of("5c"))))[0] == 404
        assert (await ask(node, made(OTHER_KEY, rpps=COLLEAGUE)))[0] == 404
        persons = [record["persons"] for record in node.records() if record.get("persons")]
        assert persons[0] == persons[1]


async def test_a_colleague_cannot_use_what_somebody_else_was_shown(node: RunningNode, upstream: RawUpstream) -> None:
    """A link that was passed on opens for nobody but who made it."""
    _, _, page = await ask(node, NIR)
    (handle,) = HANDLE.findall(page)
    status, _, body = await ask(node, handle.decode(), rpps=COLLEAGUE)
    assert status == 404
    assert NIR.encode() not in body
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "short",
    [
        pytest.param(made()[:-1], id="one cut off"),
        pytest.param(made() + "A", id="one with more behind"),
        pytest.param("h2" + made()[2:], id="one of another version"),
        pytest.param(made().replace("h1.", "h1%2E"), id="one escaped twice"),
    ],
)
async def test_what_has_not_the_form_of_a_handle_is_no_number_either(
    node: RunningNode, upstream: RawUpstream, short: str
) -> None:
    """Refused by the schema, like any text."""
    assert (await ask(node, short))[0] == 400
    assert upstream.requests == []


async def test_a_handle_that_does_not_open_looks_like_an_unknown_beneficiary(tmp_path: Path) -> None:
    """Same status, names of headers and body: whether somebody stands behind a forged handle cannot be seen."""
    nobody = http_answer(b"<p>inconnu</p>", status=404, content_type=b"text/html")
    async with raw_upstream(nobody) as upstream, running_node(tmp_path, upstream.port) as node:
        unknown, forged = await ask(node, NIR), await ask(node, made(OTHER_KEY))
    assert [told[0] for told in (unknown, forged)] == [404, 404]
    assert [list(told[1]) for told in (unknown, forged)] == [list(unknown[1])] * 2
    documents = [json.loads(told[2]) for told in (unknown, forged)]
    references = {document.pop("reference") for document in documents}
    assert len(references) == 2
    assert documents[0] == documents[1]

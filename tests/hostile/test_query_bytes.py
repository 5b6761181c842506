"""Queries on the wire, for an operation that has one: the one of its policy, or a constant refusal and no question.

The policy is the reference policy with the search of docs/how-to/open-a-search-or-an-export.md. Several rows hold a
NIR: the sweep at the end of a node looks for it in every log line, metric and record.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

import pytest

import loops
from node import NIR, RunningNode, parse, running_node
from pages import policy_of
from reference import HOW_TO
from wire import RawUpstream, http_answer, raw_upstream

SEARCHSET: Final = (HOW_TO.parents[1] / "tests/golden/reference/couvertures.input.json").read_bytes()
CARD: Final = "subscriber-id=0012357976&payor:identifier=99990033"
GOOD: Final = f"{CARD}&_include=Coverage:beneficiary"
WRITTEN: Final = f"GET /fhir/Coverage?{GOOD} HTTP/1.1\r\n".encode()


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """One loop: how bytes are read does not depend on it."""
    return loops.policy(loops.BOTH[-1])


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with raw_upstream(http_answer(SEARCHSET, content_type=b"application/fhir+json")) as seen:
        yield seen


@pytest.fixture
async def node(tmp_path: Path, upstream: RawUpstream) -> AsyncIterator[RunningNode]:
    policies = policy_of(HOW_TO / "open-a-search-or-an-export.md")
    async with running_node(tmp_path, upstream.port, policies=policies) as running:
        yield running


async def ask(node: RunningNode, query: str) -> tuple[int, bytes]:
    """With a good token and proof."""
    status, _, body = parse(await node.send(node.request(method="GET", path=f"/fhir/Coverage{query}")))
    return status, body


REFUSED: Final = {
    "no query": "",
    "an empty query": "?",
    "a part of it": f"?{CARD}",
    "a parameter twice": f"?{GOOD}&subscriber-id=0012357976",
    "a parameter twice, the other one first": f"?subscriber-id=1&{GOOD}",
    "an empty value": f"?{GOOD.replace('0012357976', '')}",
    "a name alone": f"?{GOOD}&page",
    "an empty pair": f"?&{GOOD}",
    "an ampersand behind": f"?{GOOD}&",
    "semicolons": f"?{GOOD.replace('&', ';')}",
    "a semicolon inside a value": f"?{GOOD};page=2",
    "a plus": f"?{GOOD.replace('0012357976', '00+12357976')}",
    "an escaped blank": f"?{GOOD.replace('0012357976', '00%2012357976')}",
    "an escaped NUL": f"?{GOOD}%00",
    "an escaped line end and a header": f"?{GOOD}%0D%0AX-A:%201",
    "an escape of what needs none": f"?{GOOD.replace('0012357976', '%3012357976')}",
    "an escape in small letters": f"?{GOOD.replace('Coverage:', 'Coverage%3a')}",
    "an escape of an escape": f"?{GOOD.replace('Coverage:', 'Coverage%253A')}",
    "an overlong escape of UTF-8": f"?{GOOD.replace('0012357976', '%C0%B0012357976')}",
    "an escape cut off": f"?{GOOD}%3",
    "an escaped name": f"?{GOOD.replace('subscriber-id', 'subscriber%2Did')}",
    "a name with a colon escaped in small letters": f"?{GOOD.replace('payor:identifier', 'payor%3aidentifier')}",
    "a name in both its spellings": f"?{GOOD}&payor%3Aidentifier=99990033",
    "a name with an escaped modifier": f"?{GOOD.replace('subscriber-id', 'subscriber-id%3Amissing')}",
    "a name in capitals": f"?{GOOD.replace('subscriber-id', 'Subscriber-Id')}",
    "a name with brackets": f"?{GOOD.replace('subscriber-id', 'subscriber-id[]')}",
    "a name with a modifier": f"?{GOOD.replace('subscriber-id', 'subscriber-id:missing')}",
    "an unknown name": f"?{GOOD}&status=active",
    "a chain of FHIR that would ask by number": f"?{GOOD}&beneficiary.identifier={NIR}",
    "a number in place of a name": f"?{NIR}",
    "a number as a name": f"?{GOOD}&{NIR}=1",
    "a second question mark": f"?{GOOD}?page=2",
    "two question marks": f"??{GOOD}",
    "a fragment": f"?{GOOD}#&page=2",
    "two values with a comma": f"?{GOOD.replace('0012357976', '0012357976,0012357977')}",
    "a wildcard": f"?{GOOD.replace('0012357976', '*')}",
    "another include": f"?{GOOD}&_include=Coverage:payor",
    "a value that is too long": f"?{GOOD.replace('0012357976', '1' * 31)}",
    "many pairs": f"?{GOOD}" + "".join(f"&a{n}=1" for n in range(200)),
}
NOBODYS: Final = {
    "more than any question has": f"?{GOOD}&a={'1' * 2048}",
    "a slash before the query": f"/?{GOOD}",
    "a query of the path of another operation": f"/../../v1/compte?nir={NIR}",
}


async def test_any_other_query_is_refused_before_the_upstream(node: RunningNode, upstream: RawUpstream) -> None:
    """One refusal for all, with its own reason, and nothing of the query in it."""
    told = {name: await ask(node, query) for name, query in REFUSED.items()}
    assert {name: status for name, (status, _) in told.items()} == dict.fromkeys(REFUSED, 400)
    bodies = [json.loads(body) for _, body in told.values()]
    for body in bodies:
        del body["reference"]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["type"] == "urn:paravent:problem:malformed_request"
    reasons = {record["reason"] for record in node.records() if "reason" in record}
    assert reasons == {"query_not_in_schema"}
    assert upstream.requests == []


async def test_what_is_no_target_of_ours_is_nobody_s_operation(node: RunningNode, upstream: RawUpstream) -> None:
    """As every path that the policy does not have."""
    told = {name: (await ask(node, query))[0] for name, query in NOBODYS.items()}
    assert told == dict.fromkeys(NOBODYS, 403)
    assert {record["reason"] for record in node.records() if "reason" in record} == {"operation_unknown"}
    assert upstream.requests == []


async def test_raw_bytes_in_a_query_do_not_pass_the_head(node: RunningNode, upstream: RawUpstream) -> None:
    """Blanks, line ends, NUL and bytes beyond ASCII: before any token is looked at."""
    for bad in (b" ", b"\t", b"\0", b"\r", b"\n", b"\xc3\xa9", b"\xff", b"\x7f"):
        good = node.request(method="GET", path=f"/fhir/Coverage?{GOOD}")
        status, _, _ = parse(await node.send(good.replace(b"0012357976", b"00123" + bad + b"57976")))
        assert status == 400, bad
    assert upstream.requests == []


async def test_the_upstream_is_asked_in_one_spelling_whatever_the_caller_s(
    node: RunningNode, upstream: RawUpstream
) -> None:
    """Order and escapes are the caller's and stay behind."""
    other = "?_include=Coverage%3Abeneficiary&payor:identifier=99990033&subscriber-id=0012357976"
    form = "?" + urlencode(parse_qsl(GOOD))
    assert "payor%3Aidentifier" in form
    assert [(await ask(node, query))[0] for query in (f"?{GOOD}", other, form)] == [200, 200, 200]
    assert [request.startswith(WRITTEN) for request in upstream.requests] == [True, True, True]


async def test_a_number_that_the_caller_puts_into_a_query_is_in_no_log(
    node: RunningNode, upstream: RawUpstream
) -> None:
    """Some insurers' member numbers are NIRs: the API is asked with one, and the sweep finds it nowhere."""
    status, body = await ask(node, f"?{GOOD.replace('0012357976', NIR)}")
    assert status == 200
    assert NIR.encode() not in body
    assert NIR.encode() in upstream.requests[0]

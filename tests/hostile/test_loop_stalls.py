"""No request and no answer, at the largest size that is taken, holds the event loop for longer than 20 ms.

What is measured is the processor time of one callback, on the loop's thread: a loaded machine makes it wait longer, but
not work longer. Of three tries the best counts, since what others do to the processor's caches is not ours.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

import loops
from answers import DOCUMENT, PERSON
from key_updates import shaken_hands
from node import CONSULTATION, TLS, RunningNode, parse, running_node
from paravent.masking.json import MAX_VALUES
from paravent.masking.places import MAX_PERSON_OBJECTS
from paravent.masking.walk import MAX_TEXT_CHARACTERS
from paravent_mitmproxy.listener.conversation import ANSWER_BYTES
from sweep import OTHER_NIR
from wire import http_answer, raw_upstream

STALL_S: Final = 0.020
TRIES: Final = 3


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """asyncio's own: its callbacks can be watched."""
    return loops.policy("asyncio")


@dataclass(slots=True)
class Longest:
    """The longest callback so far, in seconds of processor time."""

    seconds: float = 0.0


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Longest]:
    longest = Longest()
    run = asyncio.Handle._run

    def timed(self: asyncio.Handle) -> None:
        before = time.thread_time()
        run(self)
        longest.seconds = max(longest.seconds, time.thread_time() - before)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", timed)
        yield longest


def filled(around: Any, one: bytes, most: int = ANSWER_BYTES) -> bytes:
    """`around` in JSON, with as many of `one` in place of its only ★ as there is room for, and no more than `most`."""
    before, after = orjson.dumps(around).split('"★"'.encode())
    room = ANSWER_BYTES - len(before) - len(after) - 2
    return before + b"[" + b",".join([one] * min(most, room // (len(one) + 1))) + b"]" + after


def text(one: str, characters: int = ANSWER_BYTES) -> bytes:
    """A document whose permitted field is this text, over and over."""
    known = {**DOCUMENT, "beneficiaireDeSoins": {**DOCUMENT["beneficiaireDeSoins"], "nomUsuel": "★"}}
    before, after = orjson.dumps(known).split("★".encode())
    room = (ANSWER_BYTES - len(before) - len(after)) // len(one.encode())
    return before + one.encode() * min(characters // len(one), room) + after


UNKNOWN: Final = {**DOCUMENT, "inconnu": "★"}
RELATIVE: Final = orjson.dumps({**PERSON, "dateNaissance": "19821130", "noNIRCertifie": OTHER_NIR})
CONTRACT: Final = orjson.dumps(DOCUMENT["contratsAMC"][0])
ANSWERS: Final = [
    ("empty lists", filled(UNKNOWN, b"[]")),
    ("empty objects", filled(UNKNOWN, b"{}")),
    ("digits", filled(UNKNOWN, b"1")),
    ("fractions", filled(UNKNOWN, b"1e-9")),
    ("empty texts", filled(UNKNOWN, b'""')),
    ("escapes", filled(UNKNOWN, b'"\\u00e9"')),
    ("small objects", filled(UNKNOWN, b'{"a":{"b":[1]}}')),
    ("a family without end", filled({**DOCUMENT, "famille": "★"}, RELATIVE)),
    ("contracts without end", filled({**DOCUMENT, "contratsAMC": "★"}, CONTRACT)),
    ("a name of letters", text("A")),
    ("a name of digits", text("1")),
    ("a name of digits and dashes", text("1-8 2.1_")),
    ("a name of wide digits", text("１")),
    ("a name of accents", text("é")),
    ("names without end", orjson.dumps({**DOCUMENT, "inconnu": {f"a{n}": n for n in range(70_000)}})),
    ("lists in lists", orjson.dumps(DOCUMENT)[:-1] + b',"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}"),
    # ---- just inside the bounds of what is reduced
    *((f"{MAX_VALUES - 99} of {one.decode()}", filled(UNKNOWN, one, MAX_VALUES - 99)) for one in (b"1", b'""', b"[]")),
    ("texts of sixty bytes", filled(UNKNOWN, b'"' + b"a" * 60 + b'"', MAX_VALUES - 99)),
    ("texts that are numbers of persons", filled(UNKNOWN, b'"2840599990001"', MAX_VALUES - 99)),
    ("a family of a hundred", filled({**DOCUMENT, "famille": "★"}, RELATIVE, 100)),
    ("a family of a thousand", filled({**DOCUMENT, "famille": "★"}, RELATIVE, MAX_PERSON_OBJECTS - 10)),
    ("a thousand contracts", filled({**DOCUMENT, "contratsAMC": "★"}, CONTRACT, MAX_PERSON_OBJECTS - 10)),
    *(
        (f"a name of {MAX_TEXT_CHARACTERS} {one}", text(one, MAX_TEXT_CHARACTERS))
        for one in ("A", "1", "1-8 2.1_", "１", "é", "2840599990001 ", "\u200b1")
    ),
]


@pytest.mark.parametrize("body", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
@pytest.mark.parametrize("chunked", [False, True], ids=["in one piece", "in 16 000 pieces"])
async def test_no_answer_holds_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, chunked: bool
) -> None:
    """A megabyte of whatever costs most."""
    assert len(body) <= ANSWER_BYTES
    wire = in_pieces(body) if chunked else http_answer(body)
    async with raw_upstream(wire) as seen, running_node(tmp_path, seen.port) as node:
        await briefly(node, monkeypatch, [node.request(rpps=f"997004{number:05d}") for number in range(TRIES)])
        assert seen.requests


def in_pieces(body: bytes) -> bytes:
    size = max(1, len(body) // 16_000 + 1)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunks + b"0\r\n\r\n"


async def briefly(node: RunningNode, monkeypatch: pytest.MonkeyPatch, asked: list[bytes]) -> None:
    """One of them, the first most likely, is answered without a callback that takes too long."""
    stalls = []
    for data in asked:
        with watched(monkeypatch) as longest:
            assert parse(await node.send(data))[0] in {200, 400, 401, 403, 404, 413, 431, 502}
        stalls.append(longest.seconds)
        if longest.seconds < STALL_S:
            break
    assert 0 < min(stalls) < STALL_S


def post(lines: bytes, body: bytes = b"") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
    return head % (CONSULTATION.encode(), lines, len(body)) + body


HEADS: Final = [
    ("sixty headers of nothing", post(b"X:\r\n" * 60)),
    ("languages", post(b"Accept-Language: " + b"en;q=0.1," * 1300 + b"\r\n")),
    ("options of a connection", post(b"Connection: " + b"," * 12_000 + b"\r\n")),
    ("a token of dots", post(b"Authorization: DPoP " + b"." * 8_000 + b"\r\n")),
    (
        "a token of letters",
        post(b"Authorization: DPoP " + b"e" * 8_000 + b".e.e\r\nDPoP: " + b"e" * 8_000 + b".e.e\r\n"),
    ),
    ("a target of slashes", b"GET " + b"/" * 8_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a target of segments", b"GET " + b"/a" * 1_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("sixty kilobytes that nobody may send", post(b"Content-Type: application/json\r\n", b"[" * 65_000)),
    ("a head without end", b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000),
    ("line ends", b"\r\n" * 8_000),
]


@pytest.mark.parametrize("data", [row[1] for row in HEADS], ids=[row[0] for row in HEADS])
async def test_no_request_holds_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Whoever sends it."""
    async with raw_upstream(http_answer(b"{}")) as seen, running_node(tmp_path, seen.port) as node:
        await briefly(node, monkeypatch, [data] * TRIES)
        assert seen.requests == []


BODIES: Final = [
    ("lists in lists", b"[" * 4_000 + b"]" * 4_000),
    ("names without end", json.dumps({f"a{n}": n for n in range(700)}).encode()),
    ("one name, again and again", b"{" + b",".join([b'"a":1'] * 1_300) + b"}"),
    ("a number of eight thousand digits", b'{"rangGemellaire":' + b"1" * 8_000 + b"}"),
    ("a NIR of eight thousand digits", b'{"immatriculation":"' + b"1" * 8_000 + b'"}'),
    ("sixty kilobytes", b'{"a":"' + b"a" * 64_000 + b'"}'),
]


@pytest.mark.parametrize("body", [row[1] for row in BODIES], ids=[row[0] for row in BODIES])
async def test_no_question_of_a_good_caller_holds_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """With a good token, so that the body is read."""
    async with raw_upstream(http_answer(b"{}")) as seen, running_node(tmp_path, seen.port) as node:
        asked = [node.request(rpps=f"997004{number:05d}").partition(b"Content-Length")[0] for number in range(TRIES)]
        end = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        await briefly(node, monkeypatch, [data + end for data in asked])
        assert seen.requests == []


async def test_no_change_of_keys_holds_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a megabyte of nothing but KeyUpdate in TLS 1.3, from somebody who has not asked anything yet."""
    async with raw_upstream(b"") as upstream, running_node(tmp_path, upstream.port, listen=TLS) as node:
        best = float("inf")
        for _ in range(TRIES):
            sock, keys = await asyncio.to_thread(shaken_hands, node.port)
            with sock:
                flood = await asyncio.to_thread(keys.updates, 20_000)
                with watched(monkeypatch) as longest:
                    await asyncio.to_thread(sock.sendall, flood)
            best = min(best, longest.seconds)
        assert best <= STALL_S

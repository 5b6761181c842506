"""A head that we take is read by others as we read it: method, target, headers, and where the body ends.

The others are h11, in Python, and nginx, in C; ours is llhttp behind a grammar. Where one of them reads something else,
or nothing, we must not have taken it: smuggling begins where two readers disagree.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import h11
import pytest

from effort import examples
from odd_heads import heads
from outsider_checks import wait_for
from paravent.policy.compile import compile_policy
from paravent.policy.match import RouteTable
from paravent.rules import Policy
from paravent_mitmproxy.listener.head import Head, read_head
from paravent_mitmproxy.listener.limits import Limits
from policies import anything, reference_files

LIMITS: Final = Limits()
SEED: Final = 9112

OWN: Final = frozenset({b"connection", b"keep-alive", b"te", b"content-length", b"host"})
"""What nginx says in its own words to who is behind it."""


type Fields = list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...]


def taken(seed: int, count: int) -> list[tuple[bytes, Head]]:
    """The heads among so many that we take."""
    read = ((data, read_head(data, LIMITS)) for data in heads(seed, count))
    found = [(data, head) for data, head in read if isinstance(head, Head)]
    assert len(found) > count / 200, "they are all refused: this compares nothing"
    return found


def fields(headers: Fields) -> Counter[tuple[bytes, bytes]]:
    return Counter((name.lower(), value) for name, value in headers)


@pytest.mark.hypothesis
def test_h11_reads_what_we_read() -> None:
    """The same request, and after its body, at the same byte, the next one."""
    for data, head in taken(SEED, examples(20_000)):
        body, following = b"x" * head.body_bytes, b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
        other = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
        other.receive_data(data + body + following)
        request = other.next_event()
        assert isinstance(request, h11.Request), data
        assert (request.method, request.target) == (head.method, head.target), data
        assert fields(list(request.headers)) == fields(head.lowered), data
        assert head.lowered == tuple((name.lower(), value.strip(b" \t")) for name, value in head.headers), data
        read = b""
        while isinstance(event := other.next_event(), h11.Data):
            read += event.data
        assert isinstance(event, h11.EndOfMessage), data
        assert (read, other.trailing_data[0]) == (body, following), data


def carried(headers: Fields) -> Counter[tuple[bytes, bytes]]:
    """Those that nginx does not say in its own words."""
    return Counter(field for field in fields(headers).elements() if field[0] not in OWN)


CONF = """
pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}} daemon off; master_process off;
http {{
  access_log off; client_header_buffer_size 32k; large_client_header_buffers 8 32k; keepalive_requests 100000;
  ignore_invalid_headers off; underscores_in_headers on; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen unix:{folder}/in;
    location / {{
      proxy_pass http://unix:{folder}/behind:; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """A running one; head and body of every request that it passes on."""
    passed: list[tuple[bytes, bytes]] = []

    async def behind(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *([0-9]+)\r\n", head, re.IGNORECASE)
        passed.append((head, await reader.readexactly(int(length[1]) if length else 0)))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    (folder / "nginx.conf").write_text(CONF.format(folder=folder))
    server = await asyncio.start_unix_server(behind, folder / "behind")
    process = await asyncio.create_subprocess_exec(
        "nginx", "-p", str(folder), "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"
    )
    try:
        await asyncio.to_thread(wait_for, (folder / "in").exists)
        yield passed
    finally:
        process.terminate()
        await process.wait()
        server.close()


async def ask(folder: Path, data: bytes) -> list[bytes]:
    """The statuses that nginx answers this with."""
    reader, writer = await asyncio.open_unix_connection(folder / "in")
    writer.write(data)
    async with asyncio.timeout(20):
        answers = await reader.read()
    writer.close()
    return re.findall(rb"(?:^|\n)HTTP/1\.1 ([0-9]{3})", answers)


@pytest.mark.real
@pytest.mark.hypothesis
async def test_nginx_reads_what_we_read(tmp_path: Path) -> None:
    """The same request and the next one behind its body; what it refuses, no policy of ours has an operation for."""
    policy = compile_policy(reference_files(), anything)
    assert isinstance(policy, Policy)
    routes = RouteTable(policy.operations.values())
    refused = 0
    async with nginx(tmp_path) as passed:
        both = taken(SEED + 1, examples(20_000))
        for data, head in both:
            passed.clear()
            following = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            statuses = await ask(tmp_path, data + b"x" * head.body_bytes + following)
            if statuses[0] != b"204":
                assert (len(statuses), passed, routes.match(head.method, head.target)) == (1, [], None), data
                refused += 1
                continue
            lines = passed[0][0][:-4].split(b"\r\n")
            assert lines[0].startswith(b"%b %b HTTP/1." % (head.method, head.target)), data
            told = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
            assert carried(told) == carried(head.lowered), data
            assert passed[0][1] == b"x" * head.body_bytes, data
            if not head.close:
                assert (len(passed), passed[1][0][:10]) == (2, b"GET /next "), data
    assert refused < len(both) / 4

"""Heads of requests between the ordinary and the hostile, drawn from a seed: for readers to disagree about.

Each is put together from parts of which some are odd; then, in half of them, a byte or two is changed.
"""

import random
from collections.abc import Iterator
from typing import Final

METHODS: Final = (
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"PATCH",
    b"OPTIONS",
    b"PURGE",
    b"SEARCH",
    b"get",
    b"GET ",
    b"G\xe9T",
)
TARGETS: Final = (
    b"/", b"/v1/compte", b"/v1/droits/consultation", b"//v1/compte", b"/v1//compte", b"/v1/./compte", b"/v1/../x",
    b"/..", b"/v1/%63ompte", b"/v1/%2e%2e/x", b"/%00", b"/%zz", b"/a?b=c&b=d", b"/a?b#c", b"/a#b", b"/a;b=c", b"/a\\b",
    b"/a|b", b"/\"a\"", b"/<a>", b"/{a}", b"/a?", b"/?", b"/?//x", b"/a%", b"/~a", b"/:80", b"/@a", b"/" + b"a" * 3000,
    b"*", b"a", b"http://a/", b"/a b", b"/a\xff", b"/a\tb",
)  # fmt: skip
VERSIONS: Final = (b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ")
LINES: Final = (
    b"X-A: 1", b"X-A:1", b"X-A:", b"X-A: \t 1 \t", b"x-a: A, b;c=\"d,e\"", b"X-A: 1", b"X-B: " + b"b" * 3000,
    b"Accept: */*", b"Cookie: a=b; c=d", b"Connection: close", b"Connection: keep-alive", b"Connection: X-A",
    b"Content-Length: 0", b"Content-Length: 5", b"content-length:5", b"Content-Length: 5 ", b"Content-Length: 05",
    b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 5;a", b"Content-Length: 0x5", b"Content-Length:",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:",
    b"Transfer_Encoding: chunked", b"Content_Length: 3", b"Trailer: X", b"TE: trailers", b"Keep-Alive: timeout=1",
    b"Expect: 100-continue", b"Upgrade: h2c", b"Host: b", b" X-A: 1", b"\tX-A: 1", b"X-A : 1", b"X A: 1", b": 1",
    b"X-A", b"X.A: 1", b"X'A: 1", b"X-A: 1\rX-B: 2", b"X-A: 1\nX-B: 2", b"X-A: \x00", b"X-A: \xe9", b"X-A: \x7f",
    b"X-A: \x0b1", b"Authorization: Bearer a.b.c", b"Forwarded: for=1.2.3.4", b"Via: 1.1 a",
    b"If-None-Match: \"a\"", b"123: 4", b"-: 5",
)  # fmt: skip
HOSTS: Final = (b"Host: a",) * 12 + (
    b"Host: a:80",
    b"host:a",
    b"Host: [::1]",
    b"Host:",
    b"Host: a b",
    b"Host: a,b",
    b"Host: a.",
)
ENDS: Final = (b"\r\n",) * 30 + (b"\n", b"\r", b"\r\n ")


def heads(seed: int, count: int) -> Iterator[bytes]:
    """So many of them, each with its empty line."""
    rng = random.Random(seed)
    for _ in range(count):
        lines = [b" ".join((rng.choice(METHODS), rng.choice(TARGETS), rng.choice(VERSIONS))), rng.choice(HOSTS)]
        lines += rng.choices(LINES, k=rng.choice((0, 1, 1, 2, 3)))
        data = bytearray(b"".join(line + rng.choice(ENDS) for line in lines))
        for _ in range(rng.choice((0, 0, 1, 2))):
            place = rng.randrange(len(data))
            data[place : place + rng.randrange(2)] = bytes([rng.choice((rng.randrange(256), *b"\r\n\t :,"))])
        yield bytes(data) + b"\r\n"

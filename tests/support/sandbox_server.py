"""The sandbox's servers as tests start them: real processes, on a port of their own choosing.

with serving("api") as base:                            # "http://127.0.0.1:41641"
    status, headers, body = call(base, "GET", "/v1/compte")
"""

import http.client
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

COMMAND = (sys.executable, "-m", "paravent.cli.sandbox")


@contextmanager
def serving(verb: str, *options: str) -> Iterator[str]:
    """`paravent sandbox <verb>` with these options; its base URL. Stopped with SIGTERM, which must end it cleanly."""
    process = subprocess.Popen((*COMMAND, verb, "--port", "0", *options), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert " ready on " in line, f"no ready line: {line!r}"
        yield line.split()[-1]
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()


def call(
    base: str, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """One request over a new connection: status, headers in lower case, body."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
    try:
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()

"""What a caller can see of an answer, checked; and waiting for what an operator can see."""

import re
import socket
import time
from collections.abc import Callable

from outsider import Answer, Site

CHALLENGE = re.compile(r'(DPoP|Bearer)( [a-z_]+="[!#-\[\]-~ ]+"(, [a-z_]+="[!#-\[\]-~ ]+")*)?')
"""RFC 9110 section 11.6.1, without escapes in its quoted strings: nothing of a caller's can be in there."""


def refused(answer: Answer, status: int, problem: str) -> Answer:
    """A problem document, complete and telling nothing else."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "reference"} <= document.keys()
    assert (document["type"], document["status"]) == (f"urn:paravent:problem:{problem}", status)
    assert document["title"]
    assert re.fullmatch("[0-9a-f]{32}", document["reference"])
    assert answer.headers["cache-control"] == "no-store"
    if status == 401:
        assert CHALLENGE.fullmatch(answer.headers["www-authenticate"])
    else:
        assert "www-authenticate" not in answer.headers
    return answer


def stopped_at_the_door(
    site_: Site, ask: Callable[[], Answer], status: int = 401, problem: str = "token_refused"
) -> Answer:
    """Refused, and the upstream knows nothing of it."""
    before = len(site_.asked)
    answer = refused(ask(), status, problem)
    assert len(site_.asked) == before
    return answer


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def listening(made: Site) -> bool:
    try:
        socket.create_connection(("127.0.0.1", made.port), 1).close()
        socket.create_connection(("127.0.0.1", made.management), 1).close()
    except OSError:
        return False
    return True

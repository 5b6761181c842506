"""What a browser is told with every answer, whatever the answer is."""

from collections.abc import Mapping

import pytest

from paravent.reasons import Problem
from paravent_mitmproxy import reply

BROWSER = {
    b"Cache-Control": b"no-store",
    b"X-Content-Type-Options": b"nosniff",
    b"Referrer-Policy": b"no-referrer",
}
DATA = b"default-src 'none'; frame-ancestors 'none'"


def directives(policy: bytes) -> Mapping[bytes, bytes]:
    return dict([directive.strip().split(b" ", 1) for directive in policy.split(b";")])  # type: ignore[misc]


@pytest.mark.parametrize("kind", Problem)
def test_a_refusal_is_kept_shown_in_a_frame_and_told_nowhere(kind: Problem) -> None:
    """Each problem, also the one that stands where a hook has failed."""
    for response in (reply.problem(kind, "0" * 32, "fr"), reply.poison(kind)):
        headers = dict(response.data.headers.fields)
        assert {name: headers.get(name) for name in BROWSER} == BROWSER
        assert headers[b"Content-Security-Policy"] == DATA


def test_what_a_page_may_that_data_may_not() -> None:
    """Style sheets, images and fonts of its own origin. Neither runs anything, asks elsewhere or can be framed."""
    page, data = (directives(dict(each)[b"Content-Security-Policy"]) for each in (reply.PAGE, reply.DATA))
    own = {b"style-src", b"img-src", b"font-src"}
    assert {page[name] for name in own} == {b"'self'"}
    assert page.keys() - own == {b"default-src", b"base-uri", b"form-action", b"frame-ancestors"}
    assert {page[name] for name in page.keys() - own} == set(data.values()) == {b"'none'"}

"""Messages that are made when somebody looks: addons see what they always saw, the guard reads what they left."""

from mitmproxy import http
from mitmproxy.test import tflow
from msgspec.structs import replace

from paravent.model import Answer, Connection, UpstreamRequest
from paravent_mitmproxy.facts import answer_of, facts_of
from paravent_mitmproxy.messages import Answered, LiveFlow, Place, Request, Sent

PLACE = Place("upstream.example", 443, b"https")
SENT = Sent(b"POST", b"/v1/a", ((b"Host", b"droits.example"), (b"X-A", b" 1 ")))
ANSWER = Answer(200, ((b"content-type", b"application/json"),), b"{}")


def flow_of(request: http.Request) -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.request = request
    return flow


def test_nobody_looked_and_nothing_was_made() -> None:
    request = Request(PLACE, SENT)
    request.complete(b"body")
    facts = facts_of(flow_of(request), 0, Connection("192.0.2.1", secure=True))
    assert (facts.method, facts.target, facts.body) == (b"POST", b"/v1/a", b"body")
    assert facts.headers == ((b"host", b"droits.example"), (b"x-a", b"1"))
    assert request.unseen is not None
    answered = Answered(ANSWER)
    assert answer_of(answered) is ANSWER
    assert answered.unseen is ANSWER


def test_an_addon_sees_a_request_of_mitmproxy() -> None:
    request = Request(PLACE, SENT)
    assert request.content == b""
    request.complete(b"body")
    assert (request.method, request.path, request.content) == ("POST", "/v1/a", b"body")
    assert (request.host, request.port, request.scheme, request.http_version) == (
        "upstream.example", 443, "https", "HTTP/1.1"
    )  # fmt: skip
    assert request.headers["x-a"] == " 1 "


def test_what_an_addon_edits_is_what_the_guard_judges() -> None:
    request = Request(PLACE, replace(SENT, lowered=((b"host", b"droits.example"), (b"x-a", b"1"))))
    request.path = "/v1/b"
    request.headers["x-c"] = "2"
    request.complete(b"body")
    facts = facts_of(flow_of(request), 0, Connection("192.0.2.1", secure=True))
    assert (facts.target, facts.body) == (b"/v1/b", b"body")
    assert facts.values(b"x-c") == (b"2",)
    answered = Answered(ANSWER)
    answered.content = b"[]"
    assert answer_of(answered).body == b"[]"


def test_after_the_verdict_the_flow_shows_what_goes_upstream() -> None:
    """Also to an addon that had looked before."""
    for looked in (False, True):
        request = Request(PLACE, SENT)
        if looked:
            assert request.headers["host"] == "droits.example"
        request.show(UpstreamRequest(b"GET", b"/ours", ((b"accept", b"application/json"),), b""))
        assert (request.method, request.path, list(request.headers.keys())) == ("GET", "/ours", ["accept"])


def test_copies_are_plain_messages() -> None:
    assert type(Request(PLACE, SENT).copy()) is http.Request
    assert type(Answered(ANSWER).copy()) is http.Response


def test_a_flow_of_ours_is_a_flow_of_mitmproxy() -> None:
    """The same members with the same values, and a name that stays."""
    theirs = tflow.tflow()
    ours = LiveFlow(theirs.client_conn, theirs.server_conn)
    plain = http.HTTPFlow(theirs.client_conn, theirs.server_conn, live=True)
    assert ours.id == ours.id != LiveFlow(theirs.client_conn, theirs.server_conn).id
    ours.timestamp_created, plain.id = plain.timestamp_created, ours.id
    assert vars(ours) == vars(plain)
    ours.request = plain.request = theirs.request
    assert ours.get_state() == plain.get_state()


def test_a_copy_of_a_flow_is_a_flow_of_mitmproxy() -> None:
    theirs = tflow.tflow()
    ours = LiveFlow(theirs.client_conn, theirs.server_conn)
    ours.request = theirs.request
    assert type(ours.copy()) is http.HTTPFlow
    ours.set_state(ours.get_state())
    assert ours.id

"""A request target is matched as it was sent, byte for byte, or it is nobody's."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.policy.match import MAX_TARGET_BYTES, RouteTable
from policies import compiled

ROUTES = RouteTable(compiled().operations.values())
CARD = b"/v1/cartes/99990001/0012345678"


def test_a_literal_path_is_matched() -> None:
    """Method and path of an operation find it."""
    matched = ROUTES.match(b"POST", b"/v1/droits")
    assert matched is not None
    assert (matched.operation.name, matched.parameters) == ("droits.consultation", {})


def test_parameters_are_taken_from_the_path() -> None:
    """Each parameter is the text of its segment."""
    matched = ROUTES.match(b"GET", CARD)
    assert matched is not None
    assert (matched.operation.name, matched.parameters) == (
        "cartes.lecture",
        {"amc": "99990001", "adherent": "0012345678"},
    )


def test_a_literal_segment_does_not_hide_a_parameter() -> None:
    """Where a literal and a parameter share a position, each path finds its own operation."""
    other = {
        "operations/x.yaml": "x:\n  match: {method: GET, path: '/v1/cartes/12345678/{b}/fin'}\n"
        "  require: {level: eleve, max_auth_age: 1h}\n  parameters: {b: code}\n  response: {format: json}\n"
        "y:\n  match: {method: GET, path: '/v1/cartes/{a}/{b}/debut'}\n"
        "  require: {level: eleve, max_auth_age: 1h}\n  parameters: {a: code, b: code}\n  response: {format: json}\n"
    }
    routes = RouteTable(compiled(other).operations.values())
    found = [routes.match(b"GET", b"/v1/cartes/12345678/b/" + end) for end in (b"fin", b"debut", b"autre")]
    assert [matched and matched.operation.name for matched in found] == ["x", "y", None]


def test_a_choice_of_dots_is_no_segment() -> None:
    """Whatever a policy offers: to whoever resolves it, it is another path."""
    other = {
        "operations/x.yaml": "x:\n  match: {method: GET, path: '/v1/vues/{vue}'}\n"
        "  require: {level: eleve, max_auth_age: 1h}\n  parameters: {vue: {type: choice, one_of: [a, '.', '..']}}\n"
        "  response: {format: json}\n"
    }
    routes = RouteTable(compiled(other).operations.values())
    found = [routes.match(b"GET", b"/v1/vues/" + view) for view in (b"a", b".", b"..")]
    assert [matched is not None for matched in found] == [True, False, False]


def test_nothing_of_a_match_prints() -> None:
    """A member number and a query are the caller's."""
    matched = ROUTES.match(b"GET", CARD)
    assert matched is not None
    assert "0012345678" not in repr(replace(matched, query=b"subscriber-id=0012345678"))


HOSTILE = [
    pytest.param(b"POST", b"http://evil.example/v1/droits", id="D1: absolute form"),
    pytest.param(b"POST", b"evil.example:443", id="D1: authority form"),
    pytest.param(b"OPTIONS", b"*", id="asterisk form"),
    pytest.param(b"post", b"/v1/droits", id="D2: a method in lower case"),
    pytest.param(b"PO\0ST", b"/v1/droits", id="D2: a NUL in the method"),
    pytest.param(b"GET", b"/v1/droits", id="the path of another method"),
    pytest.param(b"HEAD", CARD, id="HEAD is not GET"),
    pytest.param(b"", b"/v1/droits", id="no method"),
    pytest.param(b"POST", b"//v1/droits", id="D12: two slashes in front"),
    pytest.param(b"POST", b"/v1//droits", id="D12: two slashes inside"),
    pytest.param(b"POST", b"/v1/droits/", id="D12: a slash behind"),
    pytest.param(b"POST", b"/v1/x/../droits", id="D12: a dot segment"),
    pytest.param(b"POST", b"/v1/./droits", id="D12: a single dot"),
    pytest.param(b"POST", b"/v1/x/..%2fdroits", id="D12: an encoded slash"),
    pytest.param(b"POST", b"/v1/%2e%2e/v1/droits", id="D12: encoded dots"),
    pytest.param(b"POST", b"/v1/dr%6fits", id="D12: an encoded letter"),
    pytest.param(b"POST", b"/v1/droits;x=1", id="D12: a path parameter"),
    pytest.param(b"POST", b"/v1/droits%00", id="D12: an encoded NUL"),
    pytest.param(b"POST", b"/v1/droits\x00", id="D12: a NUL"),
    pytest.param(b"POST", b"/v1/droits\n", id="D12: a line end"),
    pytest.param(b"POST", b"/v1/droits ", id="D12: a blank"),
    pytest.param(b"POST", "/v1/droïts".encode(), id="D12: bytes above 0x7f"),
    pytest.param(b"POST", b"\\v1\\droits", id="D12: backslashes"),
    pytest.param(b"POST", b"/v1/droits#x", id="D12: a fragment"),
    pytest.param(b"POST", b"/v1/droits?", id="D13: an empty query"),
    pytest.param(b"POST", b"/v1/droits?a=1#&nir=2", id="D13: a query that readers cut differently"),
    pytest.param(b"POST", b"//evil/v1/droits", id="D14: a host in the path"),
    pytest.param(b"POST", b"/V1/droits", id="a literal in capitals"),
    pytest.param(b"POST", b"/v1", id="a part of a path"),
    pytest.param(b"POST", b"/v1/droits/x", id="a path with more behind"),
    pytest.param(b"POST", b"v1/droits", id="no slash in front"),
    pytest.param(b"POST", b"/", id="the root"),
    pytest.param(b"POST", b"", id="nothing"),
    pytest.param(b"GET", b"/v1/cartes/9999/0012345678", id="an AMC number that is none"),
    pytest.param(b"GET", b"/v1/cartes/99990001/00~12", id="a member number that is none"),
    pytest.param(b"GET", b"/v1/cartes/99990001/..", id="a dot segment as a parameter"),
    pytest.param(b"GET", b"/v1/cartes/{amc}/{adherent}", id="the template itself"),
    pytest.param(b"GET", b"/v1/cartes/99990001/" + b"1" * MAX_TARGET_BYTES, id="longer than any question"),
]


@pytest.mark.parametrize(("method", "target"), HOSTILE)
def test_hostile_targets_match_nothing(method: bytes, target: bytes) -> None:
    """Whatever two programs could read in two ways is refused, not repaired."""
    assert ROUTES.match(method, target) is None


UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
NEAR = st.sampled_from([b"/v1/droits", CARD, b"/v1/cartes/", b"%2f", b"..", b"//", b"?", b"0", b"/"])


@settings(max_examples=examples(200), deadline=None)
@example(b"POST", b"/v1/droits")
@given(st.sampled_from([b"GET", b"POST"]), st.lists(NEAR | st.binary(max_size=3), max_size=5).map(b"".join))
def test_no_accepted_target_has_a_byte_outside_the_alphabet(method: bytes, target: bytes) -> None:
    """A matched target is made of unreserved characters and single slashes only."""
    if ROUTES.match(method, target) is not None:
        assert set(target) <= UNRESERVED
        assert b"//" not in target
        assert not {b".", b".."} & set(target.split(b"/"))


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(min_size=1, max_size=2), st.integers(0, len(CARD)))
def test_one_foreign_byte_anywhere_spoils_a_good_target(extra: bytes, position: int) -> None:
    """Inserting bytes into a good target gives another good target of the same alphabet, or none."""
    target = CARD[:position] + extra + CARD[position:]
    if not set(extra) <= UNRESERVED:
        assert ROUTES.match(b"GET", target) is None


@settings(max_examples=examples(100), deadline=None)
@given(st.from_regex(r"[0-9]{8,10}", fullmatch=True), st.from_regex(r"[A-Za-z0-9]{1,30}", fullmatch=True))
def test_every_value_of_its_type_is_matched(amc: str, adherent: str) -> None:
    """No honest card number is refused by its form."""
    if amc.isascii():
        matched = ROUTES.match(b"GET", f"/v1/cartes/{amc}/{adherent}".encode())
        assert matched is not None
        assert matched.parameters == {"amc": amc, "adherent": adherent}

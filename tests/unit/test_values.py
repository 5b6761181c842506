"""A `Value` is what a frozen dataclass was: it cannot be changed, equal fields are equal values, and what is hidden is
nowhere shown. That of its subclasses which hold secrets hide them is shown where they are made."""

import pytest
from msgspec.structs import replace

from paravent.effects import Budget, BudgetKind, Scope
from paravent.masking.places import Found
from paravent.masking.scope import Scoped
from paravent.model import Answer, Asked, Connection, Disguise, Facts, Practitioner, Secret, Subject, UpstreamRequest
from paravent.values import Value
from paravent_mitmproxy.listener.head import Head
from paravent_mitmproxy.messages import Sent


class Card(Value, frozen=True):
    """A number that is nobody's to read."""

    HIDDEN = frozenset({"number"})

    number: str
    kind: str = "member"


def test_it_is_shown_without_what_is_hidden() -> None:
    assert repr(Card("0012345678")) == "Card(kind='member')"
    assert "0012345678" not in str([Card("0012345678")])
    assert Card("0012345678").__rich_repr__() == [("kind", "member")]


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Card("0012345678").number = "1"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Card("0012345678").other = 1  # type: ignore[attr-defined]


def test_it_is_its_fields() -> None:
    assert Card("1") == Card("1", "member")
    assert hash(Card("1")) == hash(Card("1"))
    assert Card("1") != Card("2")
    assert replace(Card("1"), number="2") == Card("2")


SECRET = "284059999000159"
BYTES = SECRET.encode()


@pytest.mark.parametrize(
    "value",
    [
        Facts(0, "0" * 32, b"POST", BYTES, ((b"authorization", BYTES),), BYTES, Connection("192.0.2.1", True)),
        Asked(SECRET, SECRET, 1, {"/a": SECRET}),
        Subject(BYTES),
        UpstreamRequest(b"POST", BYTES, ((b"a", BYTES),), BYTES),
        Answer(200, ((b"a", BYTES),), BYTES),
        Sent(b"GET", BYTES, ((b"a", BYTES),), ((b"a", BYTES),)),
        Head(b"GET", BYTES, ((b"a", BYTES),), ((b"a", BYTES),), 0, False, BYTES),
        Scoped((), frozenset(), nirs=frozenset({SECRET})),
        Found({"nir": SECRET}, 1, {"nir": SECRET}, ({"nir": SECRET},), {"nir": SECRET}, alone=False, shown=True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_one_request_is_about_is_not_shown(value: Value) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value.__rich_repr__())


@pytest.mark.parametrize(
    "value",
    [
        Practitioner("10003461033", "21", None, "software", "portal"),
        Disguise(Secret(b""), "10003461033", 0),
        Budget(Scope.PRACTITIONER, "rpps:10003461033", BudgetKind.PERSONS, ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_asks_is_not_shown(value: Value) -> None:
    """The ledger names practitioners, and a log may not."""
    assert "10003461033" not in repr(value)


def test_every_hidden_field_is_a_field() -> None:
    """A field that was renamed would be shown again."""
    stray = {kind: kind.HIDDEN - set(kind.__struct_fields__) for kind in _kinds(Value)}
    assert not {kind: names for kind, names in stray.items() if names}


def _kinds(kind: type[Value]) -> list[type[Value]]:
    return [kind, *(below for each in kind.__subclasses__() for below in _kinds(each))]

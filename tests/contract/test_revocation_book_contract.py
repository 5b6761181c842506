"""What every shared list of revocations promises, whatever it is made of (`paravent.ports.RevocationBook`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paravent.effects import Revocation, StoreDown
from paravent.ports import RevocationBook
from paravent.stores.redis_revocations import RedisRevocations
from paravent.stores.sqlite import SqliteLedger
from paravent.stores.sqlite_revocations import SqliteRevocations
from redis_server import RedisServer, running_redis

NOW_S = 1_767_225_600


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.real)])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RevocationBook, RevocationBook]:
    """The same list, as two nodes see it."""
    if request.param == "redis":
        running: RedisServer = request.getfixturevalue("redis")
        running.client().flushall()
        return RedisRevocations(running.server), RedisRevocations(running.server)
    SqliteLedger.open(tmp_path / "state.db").close()
    return SqliteRevocations(tmp_path / "state.db"), SqliteRevocations(tmp_path / "state.db")


type Books = tuple[RevocationBook, RevocationBook]


def test_a_new_list_is_empty(books: Books) -> None:
    """Of a store that nobody has written a revocation to."""
    assert books[0].read() == ()


def test_what_one_node_writes_the_other_reads(books: Books) -> None:
    """At once, with everything that was said of it."""
    entry = Revocation("client:portail", NOW_S + 60, NOW_S - 5, "ticket 4711")
    assert books[0].write(entry, NOW_S) is None
    (read,) = books[1].read()
    assert read == entry
    assert read.because == "ticket 4711"


def test_what_has_not_changed_is_not_made_anew(books: Books) -> None:
    """Every node reads the list twice a second, with the logouts of four hours in it."""
    book, other = books
    book.write(Revocation("client:portail", because="ticket 4711"), NOW_S)
    read = book.read()
    assert book.read() is read
    other.write(Revocation("client:portail", because="ticket 4712"), NOW_S)
    assert [each.because for each in book.read()] == ["ticket 4712"]  # type: ignore[union-attr]
    other.lift("client:portail")
    assert book.read() == ()


def test_one_of_two_that_goes_further_counts(books: Books) -> None:
    """The later end, the later moment; none at all is the latest. A logout shortens nothing that somebody decreed."""
    book, _ = books
    for until_s, before_s, expected in (
        (NOW_S + 60, NOW_S, (NOW_S + 60, NOW_S)),
        (NOW_S + 30, NOW_S + 9, (NOW_S + 60, NOW_S + 9)),
        (None, NOW_S + 1, (None, NOW_S + 9)),
        (NOW_S + 90, None, (None, None)),
    ):
        book.write(Revocation("client:portail", until_s, before_s), NOW_S)
        assert book.read() == (Revocation("client:portail", *expected),)


def test_what_is_lifted_is_gone(books: Books) -> None:
    """On every node; and whoever lifts is told whether there was anything."""
    books[0].write(Revocation("client:portail"), NOW_S)
    assert books[1].lift("client:portail") is True
    assert books[0].read() == ()
    assert books[1].lift("client:portail") is False


def test_what_is_over_is_swept_by_the_next(books: Books) -> None:
    """The list does not grow with every logout there ever was."""
    book, _ = books
    book.write(Revocation("client:a", NOW_S), NOW_S - 10)
    book.write(Revocation("client:b", NOW_S + 1), NOW_S - 10)
    book.write(Revocation("client:c"), NOW_S)
    assert book.read() == (Revocation("client:b", NOW_S + 1), Revocation("client:c"))


def test_a_store_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    """A value, not an exception; and no file is made where none was."""
    book = SqliteRevocations(tmp_path / "nothing.db")
    assert book.read() is StoreDown.UNAVAILABLE
    assert book.write(Revocation("client:a"), NOW_S) is StoreDown.UNAVAILABLE
    assert book.lift("client:a") is StoreDown.UNAVAILABLE
    assert not (tmp_path / "nothing.db").exists()

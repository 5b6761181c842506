"""What every shared book of measures promises, whatever it is made of (`paravent.ports.MeasureBook`)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from paravent.effects import Measure, MeasureKind, StoreDown
from paravent.ports import MeasureBook
from paravent.stores.redis_measures import KEY, RedisMeasures
from paravent.stores.sqlite import SqliteLedger
from paravent.stores.sqlite_measures import SqliteMeasures
from redis_server import RedisServer, running_redis

NOW_S = 1_767_225_600
GRANT = Measure("0" * 15 + "1", MeasureKind.GRANT, "ab" * 16, 40, NOW_S, NOW_S + 60, "J. Essai", "ticket 4711")
OTHER = replace(GRANT, id="0" * 15 + "2", persons=7, until_s=NOW_S + 3600)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.real)])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[MeasureBook, MeasureBook]:
    """The same book, as two nodes see it."""
    if request.param == "redis":
        running: RedisServer = request.getfixturevalue("redis")
        running.client().flushall()
        return RedisMeasures(running.server), RedisMeasures(running.server)
    SqliteLedger.open(tmp_path / "state.db").close()
    return SqliteMeasures(tmp_path / "state.db"), SqliteMeasures(tmp_path / "state.db")


type Books = tuple[MeasureBook, MeasureBook]


def test_what_one_node_writes_the_other_reads(books: Books) -> None:
    """At once, whole, in the order of ids; a new book is empty."""
    assert books[0].read() == ()
    assert books[0].write(OTHER, NOW_S) is None
    assert books[1].write(GRANT, NOW_S) is None
    assert books[0].read() == (GRANT, OTHER)


def test_the_same_id_is_the_same_measure(books: Books) -> None:
    """Written again, it takes the place of what stood there."""
    books[0].write(GRANT, NOW_S)
    books[0].write(replace(GRANT, persons=3), NOW_S)
    assert books[1].read() == (replace(GRANT, persons=3),)


def test_what_is_lifted_is_gone(books: Books) -> None:
    """On every node; and whoever lifts is told whether there was anything."""
    books[0].write(GRANT, NOW_S)
    books[0].write(OTHER, NOW_S)
    assert books[1].lift(GRANT.id) is True
    assert books[0].read() == (OTHER,)
    assert books[1].lift(GRANT.id) is False


def test_of_one_kind_about_one_practitioner_there_is_one(books: Books) -> None:
    """Where it is asked for: another kind, another practitioner, or one that is over is no obstacle."""
    assert books[0].write_new(GRANT, NOW_S) is True
    assert books[1].write_new(OTHER, NOW_S) is False
    other_kind = replace(OTHER, kind=MeasureKind.SUSPENSION)
    assert books[1].write_new(other_kind, NOW_S) is True
    assert books[1].write_new(replace(OTHER, id="0" * 15 + "3", practitioner="cd" * 16), NOW_S) is True
    assert books[0].write_new(replace(OTHER, id="0" * 15 + "4"), GRANT.until_s) is True
    read = books[0].read()
    assert not isinstance(read, StoreDown)
    assert [each.id[-1] for each in read] == ["2", "3", "4"]


def test_of_many_who_write_at_once_one_is_told_that_it_did(books: Books) -> None:
    """From threads of two nodes, held back until all of them are there."""
    together = threading.Barrier(8)

    def write(number: int) -> bool | StoreDown:
        together.wait()
        return books[number % 2].write_new(replace(GRANT, id=f"{number:016x}"), NOW_S)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(write, range(8)))
    assert sorted(map(str, told)) == ["False"] * 7 + ["True"]
    assert len(tuple(books[0].read())) == 1  # type: ignore[arg-type]


def test_what_is_over_is_swept_by_the_next(books: Books) -> None:
    """At its last second it stands; then the next one that is written takes it out."""
    books[0].write(GRANT, NOW_S)
    books[0].write(OTHER, GRANT.until_s - 1)
    assert books[0].read() == (GRANT, OTHER)
    books[0].write(OTHER, GRANT.until_s)
    assert books[0].read() == (OTHER,)


@pytest.mark.real
def test_the_redis_key_outlives_the_last_measure_and_ends(redis: RedisServer) -> None:
    """A shorter one that is written later takes no time from a longer one."""
    client = redis.client()
    client.flushall()
    book = RedisMeasures(redis.server)
    book.write(OTHER, NOW_S)
    book.write(GRANT, NOW_S)
    assert 86_400 + 3_590 < client.ttl(KEY) <= 86_400 + 3_600


def test_a_store_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    """A value, not an exception; and no file is made where none was."""
    book = SqliteMeasures(tmp_path / "nothing.db")
    assert book.read() is StoreDown.UNAVAILABLE
    assert book.write(GRANT, NOW_S) is StoreDown.UNAVAILABLE
    assert book.write_new(GRANT, NOW_S) is StoreDown.UNAVAILABLE
    assert book.lift(GRANT.id) is StoreDown.UNAVAILABLE
    assert not (tmp_path / "nothing.db").exists()

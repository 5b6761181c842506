"""What is particular to the SQLite ledger: deadlines, the file, its cost and its size."""

import asyncio
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec import msgpack

from clock import FrozenClock
from ledgers import PATIENT_MS, Desk, budget, own_persons, person
from paravent.effects import BudgetKind, Charge, Charged, ProofSeen, Scope, Settle, StoreDown
from paravent.rules import Window
from paravent.stores import sqlite_writer
from paravent.stores.sqlite import LATER_S, SqliteLedger
from paravent.stores.sqlite_books import SWEEP_EVERY, Books
from paravent.stores.sqlite_log import KEPT
from paravent.stores.sqlite_schema import StateFileError, open_state_file
from paravent.stores.sqlite_state import SPARE_ENTRIES, UNWRITTEN_ENTRIES
from state_file import whole
from until import until

HOUR = 3_600
FULL_HOUSE = (
    own_persons((60_000, 600), (600_000, 86_400), (4_000_000, 30 * 86_400)),
    budget(Scope.PRACTITIONER, BudgetKind.REQUESTS, (10**6, 10)),
    budget(Scope.PRACTITIONER, BudgetKind.MISSES, (10**6, HOUR)),
    budget(Scope.ESTABLISHMENT, BudgetKind.PERSONS, (10**6, 86_400)),
    budget(Scope.CLIENT, BudgetKind.PERSONS, (10**6, 86_400)),
    budget(Scope.FLEET, BudgetKind.PERSONS, (10**6, 86_400)),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    opened = SqliteLedger.open(path, deadline_ms=PATIENT_MS)
    yield opened
    opened.close()


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as another program would read it."""
    opened = open_state_file(path)
    yield opened
    opened.close()


# ---- deadlines


async def test_a_locked_file_is_an_outage_within_the_deadline(
    path: Path, clock: FrozenClock, connection: sqlite3.Connection
) -> None:
    """While another process sits on the lock every question is answered StoreDown, in time, and the loop runs on."""
    ledger = SqliteLedger.open(path, deadline_ms=100)
    connection.execute("BEGIN IMMEDIATE")
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    started, ticks = time.monotonic(), 0
    asking = asyncio.gather(desk.look_up(1), ledger.proof_seen(ProofSeen(b"p" * 32, clock.now_ms()), clock.now_ms()))
    while not asking.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert asking.result() == [StoreDown.UNAVAILABLE, StoreDown.UNAVAILABLE]
    assert time.monotonic() - started < 2
    assert ticks > 2
    connection.execute("ROLLBACK")
    ledger.close()


async def test_a_charge_that_timed_out_keeps_nothing(
    path: Path, clock: FrozenClock, connection: sqlite3.Connection
) -> None:
    """When the lock is free again, nobody is charged for what was answered StoreDown, and the next question passes."""
    ledger = SqliteLedger.open(path, deadline_ms=50)
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    connection.execute("BEGIN IMMEDIATE")
    assert await desk.look_up(1) is StoreDown.UNAVAILABLE
    connection.execute("ROLLBACK")
    ledger.close()
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS)
    assert await Desk(ledger, clock, own_persons((1, HOUR))).passes(2)
    ledger.close()


async def test_a_question_that_shares_its_round_with_a_settlement_has_its_deadline(
    path: Path, clock: FrozenClock
) -> None:
    """The settlement's time has come in the very round that the question was asked in, and the disk hangs."""
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS)
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    charge, _ = await desk.charge(1)
    with hanging(ledger, deadline_ms=50):
        await desk.settle(charge)
        asking = asyncio.ensure_future(desk.look_up(2))
        time.sleep(2 * LATER_S)  # the loop is held up: both come in its next round
        async with asyncio.timeout(5):
            assert await asking is StoreDown.UNAVAILABLE
    ledger.close()


async def test_who_cannot_be_given_a_deadline_is_told_at_once(
    ledger: SqliteLedger, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop's timer fails: an outage, nobody is charged, and the next question is answered."""
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)

    def failing(*_: object, **__: object) -> NoReturn:
        raise MemoryError

    async with asyncio.timeout(5):
        asking = asyncio.ensure_future(desk.look_up(1))
        with monkeypatch.context() as broken:
            broken.setattr(loop, "call_later", failing)
            assert await asking is StoreDown.UNAVAILABLE
        assert await desk.passes(2)


@contextmanager
def hanging(ledger: SqliteLedger, deadline_ms: int) -> Iterator[None]:
    """The ledger's disk does not answer, while this lasts."""
    connection, answers = ledger._writer._connection, threading.Event()
    assert connection is not None
    usual_s, ledger._deadline_s = ledger._deadline_s, deadline_ms / 1000
    connection.set_progress_handler(lambda: 0 if answers.wait(30) else 1, 1)
    try:
        yield
    finally:
        answers.set()
        ledger._deadline_s = usual_s


@pytest.mark.parametrize("deadline_ms", [0, 1])
async def test_a_charge_that_ran_after_its_caller_was_told_of_an_outage_is_undone(
    path: Path, clock: FrozenClock, deadline_ms: int
) -> None:
    """At a deadline about as long as a charge takes, who is charged in the end is exactly who was told so."""
    ledger = SqliteLedger.open(path, deadline_ms=deadline_ms)
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    replies = [(await desk.charge(n))[1] for n in range(150)]
    ledger.close()
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS)
    assert await Desk(ledger, clock, *desk.budgets).used(HOUR) == sum(isinstance(reply, Charged) for reply in replies)
    ledger.close()


async def test_a_settlement_that_adds_somebody_is_waited_for(
    path: Path, clock: FrozenClock, connection: sqlite3.Connection
) -> None:
    """Whoever was not reserved must be counted before their answer may leave; else it is withheld."""
    ledger = SqliteLedger.open(path, deadline_ms=200)
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    charge, reply = await desk.charge(1)
    assert isinstance(reply, Charged)
    connection.execute("BEGIN IMMEDIATE")
    assert await desk.settle(charge, (1, 2)) is StoreDown.UNAVAILABLE
    connection.execute("ROLLBACK")
    ledger.close()


async def test_a_settlement_that_adds_nobody_is_not_waited_for_and_lost_leaves_its_persons_charged(
    path: Path, clock: FrozenClock, connection: sqlite3.Connection
) -> None:
    """Answered at once, whatever the file does; what could not be given back stays spent until its window ends."""
    ledger = SqliteLedger.open(path, deadline_ms=200)
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    charge, reply = await desk.charge(1)
    assert isinstance(reply, Charged)
    connection.execute("BEGIN IMMEDIATE")
    assert isinstance(await desk.settle(charge), Charged)
    for _ in range(2):  # the first one shares its time with the settlement, the second one is behind both
        assert await desk.look_up(1) is StoreDown.UNAVAILABLE
    connection.execute("ROLLBACK")
    ledger.close()
    file = whole(path)
    assert len(file.persons) == len(file.charges) == 1


async def test_a_settlement_that_nobody_waits_for_is_written_soon(
    path: Path, ledger: SqliteLedger, clock: FrozenClock
) -> None:
    """Also when no other question comes."""
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    charge, _ = await desk.charge(1)
    await desk.settle(charge)
    await until(lambda: not whole(path).charges)
    assert whole(path).persons == {}


async def test_an_answered_settlement_counts_whatever_another_process_clock_does(
    path: Path, ledger: SqliteLedger, clock: FrozenClock
) -> None:
    """Another process, an hour ahead, takes the only place in between: who was disclosed is counted all the same."""
    budgets = own_persons((1, 600))
    charge, _ = await Desk(ledger, clock, budgets).charge(1)
    ahead = SqliteLedger.open(path)
    later = Charge("ahead", charge.now_ms + HOUR * 1000, charge.budgets, (person(2),))
    assert isinstance(await ahead.charge(later), Charged)
    ahead.close()
    settled = await ledger.settle(Settle(charge, charge.now_ms, charge.persons, missed=False))
    assert isinstance(settled, Charged)
    ledger.close()
    assert len(whole(path).persons) == 2


async def test_closing_writes_what_nobody_waited_for(path: Path, ledger: SqliteLedger, clock: FrozenClock) -> None:
    """A restart gives back what was to be given back."""
    desk = Desk(ledger, clock, own_persons((99, HOUR)))
    for n in range(30):
        charge, _ = await desk.charge(n)
        await desk.settle(charge)
    ledger.close()
    assert (whole(path).persons, whole(path).charges) == ({}, set())


async def test_a_settlement_is_behind_its_charge_and_before_the_next(ledger: SqliteLedger, clock: FrozenClock) -> None:
    """The one place of a window, used and given back a hundred times in a row: no question finds it taken."""
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    for n in range(100):
        charge, reply = await desk.charge(n)
        assert isinstance(reply, Charged)
        await desk.settle(charge)


async def test_a_charge_whose_caller_left_is_given_back(ledger: SqliteLedger, clock: FrozenClock) -> None:
    """Cancelled before, while or after it ran: nobody was told, so nobody stays charged; its request is kept or not."""
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)), budget(Scope.PRACTITIONER, BudgetKind.MISSES, (10**6, HOUR)))
    for n in range(40):
        asking = asyncio.create_task(desk.charge(n))
        await asyncio.sleep(0.0002 * (n % 10))
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            charge, _ = asking.result()
            await desk.settle(charge)
    assert await desk.used(HOUR) == 0
    assert await desk.used(HOUR, BudgetKind.MISSES) == 0


async def test_a_bug_in_one_question_is_not_the_others_problem(ledger: SqliteLedger, clock: FrozenClock) -> None:
    """Questions share a commit; one that raises is rolled back alone."""
    desk = Desk(ledger, clock, own_persons((99, HOUR)))
    charge, _ = await desk.charge(0)
    replies = await asyncio.gather(
        *(desk.charge(n) for n in range(1, 20)),
        ledger.charge(charge),
        *(desk.charge(n) for n in range(20, 40)),
        return_exceptions=True,
    )
    assert [reply for reply in replies if isinstance(reply, BaseException)] == [replies[19]]
    assert isinstance(replies[19], ValueError)
    assert await desk.used(HOUR) == 40


async def test_a_closed_ledger_is_down(ledger: SqliteLedger, clock: FrozenClock) -> None:
    """Nothing is allowed by a store that is gone; closing twice is harmless."""
    ledger.close()
    ledger.close()
    assert await Desk(ledger, clock, own_persons((9, HOUR))).look_up(1) is StoreDown.UNAVAILABLE
    assert ledger.queue_depth >= 0


async def test_a_file_that_broke_is_an_outage_and_mends(path: Path, ledger: SqliteLedger, clock: FrozenClock) -> None:
    """An error of the file is answered StoreDown; when the file is whole again, so is the ledger."""
    desk = Desk(ledger, clock, own_persons((9, HOUR)))
    assert await desk.passes(1)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE persons RENAME TO elsewhere")
    assert await desk.look_up(2) is StoreDown.UNAVAILABLE
    assert not ledger.healthy
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE elsewhere RENAME TO persons")
    assert await desk.passes(2)
    assert ledger.healthy
    assert await desk.used(HOUR) == 2


async def test_a_file_that_was_taken_away_is_an_outage_and_not_a_full_budget(
    path: Path, ledger: SqliteLedger, clock: FrozenClock
) -> None:
    """No new file takes its place; put back, it knows who was charged."""
    desk = Desk(ledger, clock, own_persons((1, HOUR)))
    assert await desk.passes(1)
    kept = path.parent / "kept"
    kept.mkdir()
    for file in path.parent.glob("state.db*"):
        file.rename(kept / file.name)
    assert await desk.look_up(1) is StoreDown.UNAVAILABLE
    assert not ledger.healthy
    assert not path.exists()
    for file in kept.iterdir():
        file.rename(path.parent / file.name)
    assert [await desk.passes(n) for n in (1, 2)] == [True, False]
    assert ledger.healthy


# ---- the file


def test_the_file_is_for_its_owner_only(path: Path, connection: sqlite3.Connection) -> None:
    """Who consulted how much is personal data."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("state.db*")}
    assert modes == {0o600}


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    """Neither read nor written."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StateFileError, match="another program"):
        SqliteLedger.open(path)


def test_a_file_of_another_schema_is_refused(path: Path) -> None:
    """A newer version's file is not guessed at."""
    opened = open_state_file(path)
    opened.execute("PRAGMA user_version = 99")
    opened.close()
    with pytest.raises(StateFileError, match="schema 99"):
        SqliteLedger.open(path)


def test_a_file_that_another_program_holds_is_told_as_that(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words for an operator: SQLite's own class is the same for a full disk."""
    monkeypatch.setattr("paravent.stores.sqlite_schema.OPEN_TIMEOUT_S", 0)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateFileError, match="another program holds it"):
            open_state_file(path)


def test_a_file_that_is_no_database_is_refused_without_its_path(path: Path) -> None:
    """The message names the trouble, not the machine."""
    path.write_text("not a database, by far not one" * 100)
    with pytest.raises(StateFileError, match="no SQLite file"):
        SqliteLedger.open(path)
    with pytest.raises(StateFileError, match="No such file"):
        SqliteLedger.open(path.parent / "absent" / "state.db")


async def test_no_number_of_a_person_stands_in_the_file(path: Path, ledger: SqliteLedger, clock: FrozenClock) -> None:
    """Only what the effects carry is stored: keyed hashes and payers."""
    await Desk(ledger, clock, *FULL_HOUSE).look_up(1)
    ledger.close()
    with sqlite3.connect(path) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = [cell for table in tables for row in file.execute(f"SELECT * FROM {table}") for cell in row]
    texts = {cell for cell in cells if isinstance(cell, str)}
    assert texts == {payer.payer for payer in FULL_HOUSE}
    images = [msgpack.decode(cell) for cell in cells if isinstance(cell, bytes) and cell != person(1).key]
    assert images
    assert set(words(images)) <= {kind.value for kind in BudgetKind}


def words(value: object) -> Iterator[str]:
    """Every text and every byte string inside."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from words(each)
    elif isinstance(value, str | bytes):
        yield str(value)


async def test_the_log_holds_nobody_once_the_file_is_closed(
    path: Path, ledger: SqliteLedger, clock: FrozenClock
) -> None:
    """What the tables have, the log need not have: sweeping the tables is then enough."""
    desk = Desk(ledger, clock, *FULL_HOUSE)
    for n in range(500):
        await desk.look_up(n)
    ledger.close()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT COUNT(*), MAX(LENGTH(entry)) < 40 FROM log").fetchone() == (1, True)
        assert file.execute("SELECT COUNT(*) FROM persons").fetchone() == (1000,)


async def test_the_log_stays_short(path: Path, ledger: SqliteLedger, clock: FrozenClock) -> None:
    """However busy the worker is, so that a restart has little to read."""
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    for n in range(3 * UNWRITTEN_ENTRIES):
        await desk.look_up(n)
    with sqlite3.connect(path) as file:
        (entries,) = file.execute("SELECT COUNT(*) FROM log").fetchone()
    assert entries <= UNWRITTEN_ENTRIES + KEPT


# ---- cost and size


def transact(connection: sqlite3.Connection, books: Books, number: int) -> None:
    """One that somebody waits for: a charge, written with its settlement."""
    charge = Charge(str(number), 1_000_000 + number, FULL_HOUSE, (person(number),))
    settle = Settle(charge, charge.now_ms, charge.persons, missed=False)
    connection.execute("BEGIN IMMEDIATE")
    books.begin([charge, settle])
    books.charge(charge)
    books.settle(settle)
    books.finish()
    connection.execute("COMMIT")


def tidy(connection: sqlite3.Connection, books: Books) -> None:
    connection.execute("BEGIN IMMEDIATE")
    books.begin(())
    books.tidy()
    connection.execute("COMMIT")


def rows_in_tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT COUNT(*) FROM persons").fetchone()[0])


def test_who_waits_does_not_wait_for_the_tables(connection: sqlite3.Connection) -> None:
    """A transaction that somebody waits for writes the log alone; the tables are written by the next one that nobody
    waits for, and by any other only when that one does not come."""
    books = Books(connection, 86_400)
    for number in range(UNWRITTEN_ENTRIES):
        transact(connection, books, number)
        while books.is_untidy:
            tidy(connection, books)
    before = rows_in_tables(connection)
    for number in range(UNWRITTEN_ENTRIES, UNWRITTEN_ENTRIES + SPARE_ENTRIES // 2):
        transact(connection, books, number)
    assert rows_in_tables(connection) == before
    assert books.is_untidy
    tidy(connection, books)
    assert before < (tidied := rows_in_tables(connection))
    for number in range(2 * UNWRITTEN_ENTRIES, 2 * UNWRITTEN_ENTRIES + 2 * SPARE_ENTRIES):
        transact(connection, books, number)
    assert rows_in_tables(connection) > tidied


def test_beside_another_worker_nobody_is_made_to_wait_for_one_more_lock(
    path: Path, connection: sqlite3.Connection
) -> None:
    """Two that take turns write the tables in the transactions that they make anyway, and sweep there."""
    with closing(open_state_file(path)) as other:
        both = [(connection, Books(connection, 86_400)), (other, Books(other, 86_400))]
        for number in range(2 * UNWRITTEN_ENTRIES):
            transact(*both[number % 2], number)
            assert number == 0 or not both[number % 2][1].is_untidy
        assert rows_in_tables(connection) > UNWRITTEN_ENTRIES // 2


async def test_a_file_that_cannot_be_tidied_up_is_charged_all_the_same(
    path: Path, ledger: SqliteLedger, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody waits for fails without a word; who waits is answered, until what is put off must be done."""
    tried = threading.Event()

    def fails(_: Books) -> NoReturn:
        tried.set()
        raise MemoryError

    monkeypatch.setattr(Books, "tidy", fails)
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    for n in range(2 * SWEEP_EVERY):
        assert await desk.passes(n)
    assert tried.is_set()
    assert ledger.healthy


class ShortOfMemory(Books):
    """The first that is made cannot be made."""

    left = 1

    def __init__(self, connection: sqlite3.Connection, retention_s: int) -> None:
        if ShortOfMemory.left:
            ShortOfMemory.left -= 1
            raise MemoryError
        super().__init__(connection, retention_s)


@pytest.mark.parametrize("then", [Books, ShortOfMemory], ids=["", "and memory is short"])
async def test_a_disk_that_is_full_as_the_tables_are_written_loses_nobody(
    path: Path, ledger: SqliteLedger, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, then: type[Books]
) -> None:
    """SQLite undoes the transaction by itself then; what this worker believed because of it goes too."""
    monkeypatch.setattr(ShortOfMemory, "left", 1)
    monkeypatch.setattr(sqlite_writer, "Books", then)
    monkeypatch.setattr(sqlite_writer, "REST_S", 0.01)
    rest, was_full = Books.rest, threading.Event()

    def full(books: Books) -> bool:
        done = rest(books)
        if not was_full.is_set():
            execute = books._connection.execute
            execute("PRAGMA max_page_count = 1")
            try:
                execute("INSERT INTO log VALUES (0, zeroblob(100000))")
            finally:
                execute("PRAGMA max_page_count = 1000000")
                assert not books._connection.in_transaction
                was_full.set()
        return done

    monkeypatch.setattr(Books, "rest", full)
    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    assert all([await desk.passes(n) for n in range(20)])
    await until(was_full.is_set)
    assert all([await desk.passes(n) for n in range(20, 40)])
    ledger.close()
    assert len(whole(path).persons) == 40


async def test_no_memory_for_the_tables_is_no_end_of_the_ledger(
    ledger: SqliteLedger, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put off while nobody asks fails and is tried again; the thread that charges lives on."""
    monkeypatch.setattr(sqlite_writer, "REST_S", 0.01)
    tried = threading.Event()

    def fails(_: Books) -> NoReturn:
        tried.set()
        raise MemoryError

    desk = Desk(ledger, clock, own_persons((10**6, HOUR)))
    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(Books, "rest", fails)
        assert await desk.passes(1)
        await until(tried.is_set)
    assert await desk.passes(2)
    assert ledger.healthy


def steps_of(connection: sqlite3.Connection, books: Books, charge: Charge) -> int:
    """Instructions of SQLite's virtual machine for one charge and its settlement."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1)
    connection.execute("BEGIN IMMEDIATE")
    settle = Settle(charge, charge.now_ms, charge.persons, missed=False)
    books.begin([charge, settle])
    books.charge(charge)
    books.settle(settle)
    books.finish()
    connection.execute("COMMIT")
    connection.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("leaving", [0, 1], ids=["while nobody leaves", "while somebody leaves"])
def test_a_charge_costs_the_same_in_a_large_set(tmp_path: Path, clock: FrozenClock, leaving: int) -> None:
    """10 000 persons in the window cost at most 1.5 times what 10 do, in instructions: no clock is involved."""
    costs = {}
    for size in (10, 10_000):
        connection = open_state_file(tmp_path / f"{size}.db")
        books = Books(connection, 30 * 86_400)
        connection.executemany(
            "INSERT INTO persons VALUES (?, ?, ?, ?, 0, NULL)",
            [
                (b.payer, person(n).key, clock.now_ms() + 50 * n, clock.now_ms() + 50 * n)
                for n in range(size)
                for b in (FULL_HOUSE[0], FULL_HOUSE[3])
            ],
        )
        warm = Charge("warm", clock.now_ms() + 599_999, FULL_HOUSE, (person(10**6),))
        steps_of(connection, books, warm)
        costs[size] = steps_of(connection, books, Charge("charge", warm.now_ms + leaving, FULL_HOUSE, (person(10**7),)))
        connection.close()
    assert costs[10_000] <= 1.5 * costs[10]


async def test_answered_requests_leave_nothing_where_misses_are_counted(
    path: Path, ledger: SqliteLedger, clock: FrozenClock
) -> None:
    """A miss is reserved and taken back sixty times, in sixty minutes: the account is as small as after the first."""
    desk = Desk(ledger, clock, own_persons((9, HOUR)), budget(Scope.PRACTITIONER, BudgetKind.MISSES, (9, HOUR)))
    buckets = []
    for _ in range(60):
        assert await desk.passes(1)
        (account,) = whole(path).accounts.values()
        buckets.append(len(account.counters["misses"][HOUR].by_number))
        clock.step(s=60)
    assert max(buckets) <= 1  # the last settlement may still be on its way


async def test_what_no_window_sees_is_swept(path: Path, clock: FrozenClock) -> None:
    """After the longest window, persons, accounts, abandoned charges and proofs leave the file, bit by bit."""
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS, retention_s=60)
    desk = Desk(ledger, clock, own_persons((10**6, 60)), budget(Scope.FLEET, BudgetKind.REQUESTS, (10**6, 10)))
    for n in range(50):
        await desk.charge(n)
        await ledger.proof_seen(ProofSeen(n.to_bytes(32, "big"), clock.now_ms() + 1_000), clock.now_ms())
    ledger.close()
    assert len(whole(path).persons) == len(whole(path).charges) == len(whole(path).proofs) == 50
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS, retention_s=60)
    clock.step(s=61)
    for n in range(2 * SWEEP_EVERY):
        await ledger.proof_seen(ProofSeen(b"n%31d" % n, clock.now_ms() + 1_000), clock.now_ms())
    ledger.close()
    file = whole(path)
    assert (file.persons, file.accounts, file.charges) == ({}, {}, set())
    assert len(file.proofs) == 2 * SWEEP_EVERY


async def test_a_longer_window_keeps_persons_longer(path: Path, clock: FrozenClock) -> None:
    """A window longer than the retention raises it, for every process and every restart."""
    desk_budget = own_persons((1, 600))
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS, retention_s=60)
    assert await Desk(ledger, clock, desk_budget).passes(1)
    ledger.close()
    ledger = SqliteLedger.open(path, deadline_ms=PATIENT_MS, retention_s=60)
    clock.step(s=599)
    for n in range(2 * SWEEP_EVERY):
        await ledger.proof_seen(ProofSeen(b"n%31d" % n, clock.now_ms() + 1_000), clock.now_ms())
    assert not await Desk(ledger, clock, desk_budget).passes(2)
    ledger.close()


async def test_windows_are_what_the_policy_says_for_each_charge(ledger: SqliteLedger, clock: FrozenClock) -> None:
    """Two revisions side by side, in two workers that reload at different moments, count the same persons."""
    old, new = (Desk(ledger, clock, own_persons(*windows)) for windows in (((9, 60),), ((9, 60), (9, 120))))
    for n in range(4):
        assert await (old, new)[n % 2].passes(n)
        clock.step(s=25)
    reply = await new.look_up(4)
    assert isinstance(reply, Charged)
    assert [(use.window, use.used) for use in reply.usage] == [(Window(9, 60), 3), (Window(9, 120), 5)]

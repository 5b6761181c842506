"""What the bots count, and how it is told."""

import json

import orjson
import pytest

from paravent.simulate.answers import Question
from paravent.simulate.attack import BARREN_S, Haul, Row, Target, summed
from paravent.simulate.client import Reply
from paravent.simulate.day import DayFigures
from paravent.simulate.report import WIDTH, Figures, as_json, as_table

ANNE = Question("2500175990001", "19500101", 1)
PAUL = Question("1500175990002", "19500102", 1)
TARGET = Target("api", "password", lambda: pytest.fail("not to be called"), ())


def found(*questions: Question) -> Reply:
    people = [
        {"nomUsuel": "X", "noNIRCertifie": each.nir, "dateNaissance": each.birth_date, "rangGemellaire": 1}
        for each in questions
    ]
    return Reply(200, None, orjson.dumps({"beneficiaireDeSoins": people[0], "famille": people[1:]}))


def haul(*taken: tuple[Question, Reply, float]) -> Haul:
    made = Haul()
    for question, reply, now_s in taken:
        made.take(question, reply, now_s)
    return made


def test_a_number_that_any_bot_had_sent_is_not_gained() -> None:
    """Two bots together: what one reads and the other already knew is nothing new."""
    one = haul((ANNE, found(ANNE, PAUL), 0.1))
    assert summed(TARGET, [one], 1.0).nirs_gained == 1
    other = haul((PAUL, found(PAUL), 0.2))
    assert summed(TARGET, [one, other], 1.0).nirs_gained == 0


def test_a_person_whom_two_bots_read_is_exposed_once() -> None:
    """Distinct persons over all accounts."""
    row = summed(TARGET, [haul((ANNE, found(ANNE, PAUL), 0.1)), haul((PAUL, found(PAUL), 0.2))], 1.0)
    assert (row.requests, row.persons_exposed, row.fields_per_person) == (2, 2, 4.0)


def test_an_account_is_dry_after_its_last_new_person() -> None:
    """A second look at the same person is no yield."""
    taken = haul((ANNE, found(ANNE), 1.0), (ANNE, found(ANNE), 2.0), (PAUL, Reply(429, 590, b""), 3.0))
    assert summed(TARGET, [taken], 5.0).seconds_until_dry == 1.0


def test_a_run_that_was_stopped_before_it_was_dry_counts_whole() -> None:
    """Nobody knows how long it would have gone on."""
    assert summed(TARGET, [haul((ANNE, found(ANNE), 1.0))], 5.0).seconds_until_dry == 5.0


def test_an_account_that_yields_to_the_end_is_not_dry() -> None:
    """One refusal just before the run was stopped is no proof."""
    taken = haul((ANNE, found(ANNE), 1.0), (PAUL, Reply(429, 590, b""), 4.9))
    row = summed(TARGET, [taken], 5.0)
    assert (row.dry, row.seconds_until_dry) == (False, 5.0)


def test_an_account_that_never_yielded_is_dry_from_the_start() -> None:
    """However short the run was."""
    row = summed(TARGET, [haul((ANNE, Reply(401, None, b""), 0.1), (ANNE, Reply(401, None, b""), 0.5))], 0.6)
    assert (row.dry, row.seconds_until_dry, row.persons_exposed) == (True, 0.0, 0)


@pytest.mark.parametrize(
    ("status", "retry_after_s", "barren"),
    [
        pytest.param(401, None, True, id="a weak token stays weak"),
        pytest.param(403, None, True, id="an operation that is closed stays closed"),
        pytest.param(429, 590, True, id="ten minutes outlast the replay"),
        pytest.param(429, 10, False, id="ten seconds are waited for"),
        pytest.param(503, None, False, id="an outage may pass"),
        pytest.param(404, None, False, id="the next number may exist"),
        pytest.param(200, None, False, id="an answer is a yield"),
    ],
)
def test_when_an_account_is_turned_away_for_good(status: int, retry_after_s: int | None, barren: bool) -> None:
    """Only an unbroken run of such refusals ends a row."""
    body = b"{}" if status == 200 else b""
    assert (haul((ANNE, Reply(status, retry_after_s, body), 1.0)).barren_since_s is not None) is barren


def test_the_run_of_refusals_starts_with_the_first_and_ends_with_an_answer() -> None:
    """What is measured is how long nothing was to be had."""
    taken = haul((ANNE, Reply(401, None, b""), 1.0), (ANNE, Reply(401, None, b""), 1.0 + BARREN_S))
    assert taken.barren_since_s == 1.0
    taken.take(ANNE, found(ANNE), 4.0)
    assert taken.barren_since_s is None


def test_a_target_that_never_answered_proves_nothing() -> None:
    """A server that is down exposes nobody; that must not be printed as success."""
    with pytest.raises(RuntimeError, match="1 of the attacker's connections"):
        summed(TARGET, [haul((ANNE, found(ANNE), 1.0)), Haul(failures=7)], 5.0)


# ---- the report


def row(path: str, stolen: str, persons: int, dry: bool) -> Row:
    return Row(
        path=path,
        stolen=stolen,
        accounts=19,
        requests=123_456,
        persons_exposed=persons,
        nirs_gained=persons // 2,
        fields_per_person=41.234 if persons else 0.0,
        seconds_until_dry=20.125 if dry and persons else 0.0 if dry else 5.0,
        seconds=22.5 if dry else 5.0,
        dry=dry,
        retry_after_s=578 if dry and persons else None,
    )


FIGURES = Figures(
    DayFigures(200, requests=235, refused=1, corrected=5, hindered={ANNE.person}, fields_raw=312, fields_reduced=23),
    day_seconds=2.4,
    rows=(
        row("api", "password", 24_310, dry=False),
        row("paravent", "password", 0, dry=True),
        row("api", "session", 24_000, dry=False),
        row("paravent", "session", 1_140, dry=True),
    ),
    seconds=41.666,
)


def test_json_has_the_shape_of_the_contract_and_nothing_else() -> None:
    """Machines read it: every member, its type, and the order of the rows."""
    document = json.loads(json.dumps(as_json(FIGURES)))
    assert list(document) == ["honest", "attack", "seconds"]
    assert document["honest"] == {"patients": 200, "requests": 235, "hindered": 1, "refused": 1}
    assert document["seconds"] == 41.67
    assert [(each["path"], each["stolen"]) for each in document["attack"]] == [
        ("api", "password"),
        ("paravent", "password"),
        ("api", "session"),
        ("paravent", "session"),
    ]
    assert document["attack"][3] == {
        "name": "amelipro-2022",
        "path": "paravent",
        "stolen": "session",
        "accounts": 19,
        "requests": 123_456,
        "persons_exposed": 1_140,
        "nirs_gained": 570,
        "fields_per_person": 41.23,
        "seconds_until_dry": 20.12,
    }
    assert {type(each["seconds_until_dry"]) for each in document["attack"]} == {float}
    assert {type(each["fields_per_person"]) for each in document["attack"]} == {float}


def test_the_table_fits_a_terminal() -> None:
    """A hundred columns at most, and no blanks at the ends of lines."""
    lines = as_table(FIGURES).splitlines()
    assert max(map(len, lines)) <= 100
    assert WIDTH <= 100
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        "19 stolen passwords (no second factor)",
        "never (stopped at 5 s)",
        "before the first answer",
        "after 20.1 s",
        "9 min 38 s",
        "312 fields",
        "10 hours replayed in 2.4 s",
        "24,310",
    ],
)
def test_the_table_says(words: str) -> None:
    """What a reader must not have to guess: what was compressed, what was cut short, what is told to come back."""
    assert words in " ".join(as_table(FIGURES).split())


def test_the_columns_line_up() -> None:
    """Figures of one column end at the same place."""
    lines = [line for line in as_table(FIGURES).splitlines() if line.startswith("  requests sent")]
    assert {len(line) for line in lines} == {WIDTH}

"""Pseudonyms, handles and periods: what depends on who asks, and on the day of the care."""

import json
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_views import CONSULTATION, view
from paravent.handles import EPOCH_S, make_handle, open_handle
from paravent.masking import REGISTRY, Reduced
from paravent.masking.operators import DROP, Identifies, Parameter
from paravent.model import Asked, Disguise, Secret
from paravent.nir import contains_identifier
from paravent.paris import day_in_paris
from paravent.reasons import Reason

NOW_S: Final = 1_795_000_000
KEY: Final = Secret(b"d" * 32)
ONE, OTHER = Disguise(KEY, "99900000002", NOW_S), Disguise(KEY, "99900000010", NOW_S)
NIRS: Final = st.from_regex(r"[12][0-9]{2}(0[1-9]|1[0-2])(9[0-5]|2A|2B)99[0-9](00[1-9])", fullmatch=True)
TEXTS: Final = st.text(min_size=1, max_size=40)


def pseudonym(text: str, disguise: Disguise | None = ONE) -> object:
    return REGISTRY["pseudonym"].bind(None, None)(text, Asked(disguise=disguise))


@given(TEXTS, TEXTS)
@settings(max_examples=examples(100), deadline=None)
def test_a_pseudonym_is_one_for_one_value_and_one_practitioner(one: str, other: str) -> None:
    """Equal values have equal names, different ones different names; another practitioner gets others."""
    assert (pseudonym(one) == pseudonym(other)) is (one == other)
    assert pseudonym(one) != pseudonym(one, OTHER)
    name = pseudonym(one)
    assert isinstance(name, str)
    assert len(name) == 16
    assert not contains_identifier(name)


@pytest.mark.parametrize("written", ["279036999101271", "2 79 03 69 991 012 71", 2790369991012, "2790369991012"])
def test_a_number_of_a_person_has_one_pseudonym_however_it_is_written(written: str | int) -> None:
    """One operation says it with its key, another in groups: software that tells persons apart must not see two."""
    release = REGISTRY["pseudonym"].bind(None, Identifies.NIR)
    assert release(written, Asked(disguise=ONE)) == pseudonym("2790369991012")
    assert release("SANS", Asked(disguise=ONE)) == pseudonym("SANS")
    assert pseudonym("279036999101271") != pseudonym("2790369991012")


@given(NIRS)
@settings(max_examples=examples(100), deadline=None)
def test_a_handle_opens_for_its_practitioner_alone(nir: str) -> None:
    """And shows nothing of the number, whose characters it does not hold."""
    handle = make_handle(ONE, nir)
    assert open_handle(ONE, handle) == nir
    assert open_handle(OTHER, handle) is None
    assert open_handle(ONE, handle + "A") is None
    assert open_handle(Disguise(Secret(b"e" * 32), ONE.rpps, NOW_S), handle) is None
    assert not contains_identifier(handle)
    assert len(handle) == len(make_handle(ONE, "1990199990001"))


@given(NIRS, st.integers(0, 46), st.integers(1, 63))
@settings(max_examples=examples(150), deadline=None)
def test_a_handle_with_one_character_changed_opens_for_nobody(nir: str, at: int, by: int) -> None:
    """Version, epoch, tag and ciphertext are all authenticated."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    handle = make_handle(ONE, nir)
    changed = alphabet[(alphabet.find(handle[at]) + by) % 64]
    forged = handle[:at] + changed + handle[at + 1 :]
    assert forged == handle or open_handle(ONE, forged) is None


@pytest.mark.parametrize(
    ("later_s", "opens"),
    [
        pytest.param(0, True, id="at once"),
        pytest.param(EPOCH_S, True, id="half a day later"),
        pytest.param(2 * EPOCH_S - 2, True, id="at the end of the next half day"),
        pytest.param(2 * EPOCH_S - 1, False, id="a second after that"),
        pytest.param(365 * 86400, False, id="a year later"),
        pytest.param(-1, True, id="a second earlier, in the same half day"),
        pytest.param(-11, True, id="on a node whose clock is ten seconds behind the half day"),
        pytest.param(-12, False, id="more seconds before it"),
        pytest.param(-EPOCH_S, False, id="half a day earlier"),
    ],
)
def test_a_handle_lives_through_its_epoch_and_the_next(later_s: int, opens: bool) -> None:
    """Twelve to twenty-four hours, and not before it was made by more than the clocks of two nodes differ."""
    made = Disguise(KEY, ONE.rpps, NOW_S - NOW_S % EPOCH_S + 1)
    then = Disguise(KEY, ONE.rpps, made.now_s + later_s)
    assert (open_handle(then, make_handle(made, "2840575990003")) is not None) is opens


@given(NIRS)
@settings(max_examples=examples(50), deadline=None)
def test_while_one_key_file_replaces_another_the_handles_of_both_open(nir: str) -> None:
    """On nodes that have the new one, and on those that have the old one still; a third one opens nowhere."""
    old, new, third = Secret(b"o" * 32), Secret(b"n" * 32), Secret(b"t" * 32)
    before, after = (Disguise(key, ONE.rpps, NOW_S, second) for key, second in ((old, new), (new, old)))
    handles = [make_handle(before, nir), make_handle(after, nir)]
    assert handles == [make_handle(Disguise(key, ONE.rpps, NOW_S), nir) for key in (old, new)]
    assert [open_handle(node, handle) for node in (before, after) for handle in handles] == [nir] * 4
    assert open_handle(after, make_handle(Disguise(third, ONE.rpps, NOW_S), nir)) is None
    assert open_handle(Disguise(new, OTHER.rpps, NOW_S, old), handles[0]) is None
    assert open_handle(Disguise(new, ONE.rpps, NOW_S), handles[0]) is None


def test_a_number_keeps_its_handle_and_a_value_its_pseudonym() -> None:
    """A node of the next version opens what one of this version made, and tells a value by the same name."""
    assert make_handle(ONE, "2840575990003") == "h1.AACiTnu6oMZt6ipXt4yGRrvgt_U-w7JTV6-FyHw98dQb"
    assert pseudonym("0012345678") == "LYRFHS3HN6UFIQBJ"


def test_without_a_key_nothing_leaves_in_disguise() -> None:
    """A deployment that derived none drops the field."""
    reduced = view({"/a": "pseudonym"}).apply(b'{"a": "x"}', Asked())
    assert isinstance(reduced, Reduced)
    assert reduced.body == b"{}"


def test_who_sent_a_handle_is_not_told_the_number() -> None:
    """Not by echo, not as a member number, not in a text: the caller does not know it."""
    by_handle = Asked("2840575990003", "19840517", 1, by_handle=True, disguise=ONE)
    person = {"noNIRCertifie": "2840575990003", "dateNaissance": "19840517", "rangGemellaire": 1, "nom": "X"}
    lines: dict[str, str | dict[str, Parameter]] = {
        "/beneficiaireDeSoins/noNIRCertifie": "echo",
        "/beneficiaireDeSoins/nom": "keep",
        "/contratsAMC[]/numero": {"keep": "member-number"},
    }
    document = {"beneficiaireDeSoins": person, "contratsAMC": [{"numero": "2840575990003"}]}
    compiled = view(lines, CONSULTATION)
    reduced = compiled.apply(json.dumps(document).encode(), by_handle)
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"beneficiaireDeSoins": {"nom": "X"}, "contratsAMC": [{}]}
    person["nom"] = "né 284-05-75-990-003"
    assert compiled.apply(json.dumps(document).encode(), by_handle) is Reason.ANSWER_IDENTIFIER_LEFT


# ---- periods

PERIODS: Final = view(
    {"/droits[]/debut": {"filter-period": "fin"}, "/droits[]/code": "keep", "/c[]/p/debut": {"filter-period": "fin"}}
)


@pytest.mark.parametrize(
    ("start", "end", "covers"),
    [
        pytest.param("2026-01-01", "2026-12-31", True, id="inside"),
        pytest.param("2026-11-22", "2026-11-22", True, id="first and last day"),
        pytest.param("2026-11-23", None, False, id="not yet"),
        pytest.param("2025-01-01", "2026-11-21", False, id="no longer"),
        pytest.param("2025-01-01", None, True, id="without an end"),
        pytest.param("2025-01-01", "", True, id="with an empty end"),
        pytest.param("20250101", "20261231", True, id="in compact dates"),
        pytest.param("2026-01-01T00:00:00+01:00", "2026-12-31T23:59:59", True, id="in moments"),
        pytest.param("2026-01-01T00:00Z", "2026-12-31T23:59:59.123456+0100", True, id="in moments of any precision"),
        pytest.param("2026-01-01+01:00", "2026-12-31Z", True, id="in dates with a zone"),
        pytest.param("02/01/2026", "22/11/2026", True, id="in French, until the day itself"),
        pytest.param("02/01/2026", "21/11/2026", False, id="in French, until the day before"),
        pytest.param("01/12/2026", None, False, id="in French, not yet: the month is the second number"),
        pytest.param("02/01/2026 DUPONT", None, False, id="with words behind a French date"),
        pytest.param("2026-01-01T2840575990003", None, False, id="with a number for a time"),
        pytest.param("2026-01-01T00:00 DUPONT", None, False, id="with words behind a time"),
        pytest.param(None, None, False, id="without a beginning"),
        pytest.param("janvier", None, False, id="with words for a beginning"),
        pytest.param("2025-01-01", "décembre", False, id="with words for an end"),
        pytest.param(20250101, None, False, id="with a number"),
    ],
)
def test_only_a_period_that_covers_the_care_date_leaves(start: object, end: object, covers: bool) -> None:
    """The element goes whole, with what other lines would have let leave of it."""
    period = {"debut": start, "fin": end}
    document = {"droits": [period | {"code": "X"}], "c": [{"p": period}]}
    reduced = PERIODS.apply(json.dumps(document).encode(), Asked(care_date="20261122"))
    assert isinstance(reduced, Reduced)
    kept = {"droits": [{"debut": start, "code": "X"}], "c": [{"p": {"debut": start}}]}
    assert json.loads(reduced.body) == (kept if covers else {"droits": [], "c": []})


def test_without_a_day_no_period_leaves() -> None:
    """A caller that did not work out the day gets none by accident."""
    reduced = PERIODS.apply(b'{"droits": [{"debut": "2026-01-01"}]}', Asked())
    assert isinstance(reduced, Reduced)
    assert reduced.body == b'{"droits":[]}'


DATES: Final = st.dates().map(lambda day: f"{day:%Y-%m-%d}".rjust(10, "0"))


@given(st.lists(st.tuples(DATES, st.none() | DATES), max_size=6), DATES)
@settings(max_examples=examples(100), deadline=None)
def test_what_leaves_of_periods_is_what_covers_the_day(periods: list[tuple[str, str | None]], day: str) -> None:
    """ISO dates compare as texts: the oracle is one line."""
    document = {"droits": [{"debut": start, "fin": end, "code": str(n)} for n, (start, end) in enumerate(periods)]}
    reduced = PERIODS.apply(json.dumps(document).encode(), Asked(care_date=day.replace("-", "")))
    assert isinstance(reduced, Reduced)
    left = [each["code"] for each in json.loads(reduced.body)["droits"]]
    assert left == [str(n) for n, (start, end) in enumerate(periods) if start <= day and (end is None or day <= end)]


@pytest.mark.parametrize(
    ("now_s", "day"),
    [
        (1_774_742_399, "20260329"),  # 2026-03-28T23:59:59Z: winter, one hour ahead
        (1_774_742_400 + 82_800, "20260330"),  # 2026-03-29T23:00Z: summer since 01:00Z, two hours ahead
        (1_792_882_800 - 1, "20261025"),  # 2026-10-24T22:59:59Z: summer
        (1_792_965_600 + 3_599, "20261025"),  # 2026-10-25T22:59:59Z: winter again
        (1_792_969_200, "20261026"),  # 2026-10-25T23:00Z
    ],
)
def test_the_day_is_that_of_france(now_s: int, day: str) -> None:
    """Around midnight, and around both changes of the clock."""
    assert day_in_paris(now_s) == day


def test_the_day_is_that_of_the_time_zone_database() -> None:
    """Ten years, every seven hours."""
    zoneinfo = pytest.importorskip("zoneinfo")
    from datetime import datetime

    paris = zoneinfo.ZoneInfo("Europe/Paris")
    for now_s in range(1_700_000_000, 2_015_000_000, 7 * 3600):
        assert day_in_paris(now_s) == f"{datetime.fromtimestamp(now_s, paris):%Y%m%d}"


def test_only_the_nir_has_handles() -> None:
    """At the three parts of an identity."""
    told = {part: REGISTRY["handle"].problem(None, part) for part in Identifies}
    assert [part for part, problem in told.items() if problem is None] == [Identifies.NIR]
    assert REGISTRY["handle"].problem("x", Identifies.NIR) == "handle takes no parameter"


def test_what_has_no_number_or_no_key_has_no_handle() -> None:
    """It is dropped, and nothing leaves in its place."""
    make = REGISTRY["handle"].bind(None, Identifies.NIR)
    assert make("2840575990003", Asked()) is DROP
    assert make("inconnu", Asked(disguise=ONE)) is DROP
    assert isinstance(make("2840575990003", Asked(disguise=ONE)), str)

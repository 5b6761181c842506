"""Every operator on every kind of value, and what its parameter may be."""

import ast
from pathlib import Path
from typing import Final

import pytest
from jiter import LosslessFloat

from masking_views import view
from paravent import nir
from paravent.masking import Reduced
from paravent.masking.json import Scalar
from paravent.masking.operators import DROP, REGISTRY, Drop, Identifies, Parameter, echo
from paravent.model import Asked, Disguise, Secret

CODES: Final = (("0100", "1"), ("0000", "0"), ("7", "7 mapped"))
ASKED: Final = Asked(
    nir="2840575990003",
    birth_date="19840517",
    birth_rank=1,
    fields={"/nom": "FONTAINE-TEST", "{numeroAMC}": "99990001", "/montant": "4200", "/urgent": "true", "/taux": "1.10"},
    disguise=Disguise(Secret(b"d" * 32), "99900000002", 1_795_000_000),
)


def run(operator: str, value: Scalar, parameter: Parameter = None, at: Identifies | None = None) -> Scalar | Drop:
    assert REGISTRY[operator].problem(parameter, at) is None
    return REGISTRY[operator].bind(parameter, at)(value, ASKED)


@pytest.mark.parametrize(
    ("operator", "parameter", "value", "leaves"),
    [
        pytest.param("keep", None, "0100", "0100", id="keep: a text is itself"),
        pytest.param("keep", None, False, False, id="keep: false is a value"),
        pytest.param("keep", "member-number", "0012345678", "0012345678", id="keep a number: as it is"),
        pytest.param("keep", "member-number", "AB 12.34/5-6_7", "AB 12.34/5-6_7", id="keep a number: with separators"),
        pytest.param("keep", "member-number", 12345678, 12345678, id="keep a number: not as a text"),
        pytest.param("keep", "member-number", "Mme ESSAI, née en 1984", DROP, id="keep a number: not a sentence"),
        pytest.param("keep", "member-number", "A" * 31, DROP, id="keep a number: of thirty characters at most"),
        pytest.param("keep", "member-number", "１２３４", DROP, id="keep a number: in ASCII"),
        pytest.param("keep", "member-number", "", DROP, id="keep a number: not an empty text"),
        pytest.param("keep", "member-number", True, DROP, id="keep a number: true is none"),
        pytest.param(
            "keep", "member-number", LosslessFloat(b"2.8405759900030e12"), DROP, id="keep a number: a whole one"
        ),
        pytest.param("redact", None, "0612345678", "***", id="redact: a constant"),
        pytest.param("redact", None, 12, "***", id="redact: the same constant, whatever the type"),
        pytest.param("exists", None, "08", True, id="exists: a value is there"),
        pytest.param("exists", None, False, True, id="exists: false is a value too"),
        pytest.param("exists", None, "", None, id="exists: an empty text is none"),
        pytest.param("year", None, "19840517", "1984", id="year: of a compact date"),
        pytest.param("year", None, "19421901", "1942", id="year: month 19 of incomplete civil status"),
        pytest.param("year", None, "2026-01-31", "2026", id="year: of an ISO date"),
        pytest.param("year", None, "2026-11-22T09:30:00+01:00", "2026", id="year: of a moment"),
        pytest.param("year", None, "1984", "1984", id="year: of a year"),
        pytest.param("year", None, "17/05/1984", "1984", id="year: of a date as French pages write it"),
        pytest.param("year", None, "17/05/84", DROP, id="year: none of two digits"),
        pytest.param("year", None, "17/05/1984 09:30", DROP, id="year: nor of a moment in French"),
        pytest.param("year", None, "2840575990003", DROP, id="year: a NIR is no date"),
        pytest.param("year", None, "né en 1984", DROP, id="year: a sentence is no date"),
        pytest.param("year", None, 19840517, DROP, id="year: a number is no date"),
        pytest.param("initial", None, "CLAIRE", "C.", id="initial: of a name"),
        pytest.param("initial", None, " Élodie", "É.", id="initial: with its accent"),
        pytest.param("initial", None, "e\u0301lodie", "é.", id="initial: with a combining accent"),
        pytest.param("initial", None, "E\u0323\u0302" + "\u0315\u0300" * 9, "Ệ.", id="initial: with both its marks"),
        pytest.param("initial", None, "C.", "C.", id="initial: of an initial"),
        pytest.param("initial", None, "2840575990003", DROP, id="initial: a digit is no initial"),
        pytest.param("initial", None, "", DROP, id="initial: of nothing"),
        pytest.param("initial", None, 3, DROP, id="initial: of a number"),
        pytest.param("mask", 4, "0012345678", "******5678", id="mask: the last four"),
        pytest.param("mask", 4, "CTR-2026-0012345678-01", "******8-01", id="mask: the same width for a longer one"),
        pytest.param("mask", 1, "123", "******3", id="mask: one of three"),
        pytest.param(
            "mask", 4, "12345678", "**********", id="mask: nothing of what is twice as long as the part shown"
        ),
        pytest.param("mask", 4, "", "**********", id="mask: an empty text looks like any other"),
        pytest.param("mask", 4, "******5678", "******5678", id="mask: twice is once"),
        pytest.param(
            "mask", 4, "2840575990003", "**********", id="mask: nothing of a NIR that stands where none should"
        ),
        pytest.param("mask", 4, "A" * 48, "******AAAA", id="mask: as long as a number in groups is"),
        pytest.param("mask", 4, "A" * 49, "**********", id="mask: nothing of a sentence"),
        pytest.param("mask", 4, 12345678901, DROP, id="mask: a number has no last characters"),
        pytest.param("code-map", CODES, "0100", "1", id="code-map: a coarser code"),
        pytest.param("code-map", CODES, "0400", DROP, id="code-map: a code that is not listed"),
        pytest.param("code-map", CODES, 7, "7 mapped", id="code-map: a number is the code it spells"),
        pytest.param("code-map", CODES, True, DROP, id="code-map: true is no code"),
        pytest.param("filter-period", "dateFin", "2026-01-01", "2026-01-01", id="filter-period: a beginning"),
        pytest.param("filter-period", "dateFin", "01/02/2026", "01/02/2026", id="filter-period: one in French"),
        pytest.param("filter-period", "dateFin", "janvier", DROP, id="filter-period: what is no date"),
        pytest.param(
            "free-text", None, "NIR 2840575990003 26, vu", "NIR [masqué], vu", id="free-text: a mark for a NIR"
        ),
        pytest.param("free-text", None, "né(e) à Lyon", "né(e) à Lyon", id="free-text: any other text is itself"),
        pytest.param("free-text", None, "", "", id="free-text: an empty text too"),
        pytest.param("free-text", None, "%32840575990003", DROP, id="free-text: a NIR behind an escape"),
        pytest.param("free-text", None, 2840575990003, DROP, id="free-text: a number is no text"),
        pytest.param("free-text", None, True, DROP, id="free-text: true is no text"),
        pytest.param("pseudonym", None, "", DROP, id="pseudonym: nothing has no name"),
        pytest.param("pseudonym", None, True, DROP, id="pseudonym: true is nobody's number"),
        pytest.param("echo", "/nom", "FONTAINE-TEST", "FONTAINE-TEST", id="echo: the text that was sent"),
        pytest.param("echo", "/nom", "fontaine-test", DROP, id="echo: not another case of it"),
        pytest.param("echo", "/nom", "FONTAINE-TEST ", DROP, id="echo: not with a blank"),
        pytest.param("echo", "{numeroAMC}", "99990001", "99990001", id="echo: a path parameter"),
        pytest.param("echo", "/montant", 4200, 4200, id="echo: a number that was sent"),
        pytest.param("echo", "/urgent", True, True, id="echo: a truth that was sent"),
        pytest.param("echo", "/prenom", "CLAIRE", DROP, id="echo: nothing that was not sent"),
        pytest.param("echo", "/nom", "é", DROP, id="echo: a text outside ASCII"),
    ],
)
def test_what_leaves(operator: str, parameter: Parameter, value: Scalar, leaves: Scalar | Drop) -> None:
    assert run(operator, value, parameter) == leaves


@pytest.mark.parametrize(
    ("at", "value", "leaves"),
    [
        pytest.param(Identifies.NIR, "2840575990003", "2840575990003", id="thirteen characters that were sent"),
        pytest.param(Identifies.NIR, "284057599000326", "284057599000326", id="with their right key, which they imply"),
        pytest.param(Identifies.NIR, "284057599000399", DROP, id="with a wrong key: two digits nobody sent"),
        pytest.param(Identifies.NIR, "2 84 05 75 990 003", "2840575990003", id="spaced: in normal dress"),
        pytest.param(Identifies.NIR, 2840575990003, 2840575990003, id="as a number"),
        pytest.param(Identifies.NIR, "2840575990004", DROP, id="somebody else's"),
        pytest.param(Identifies.NIR, True, DROP, id="a truth is no number"),
        pytest.param(Identifies.NIR, "", DROP, id="an empty text"),
        pytest.param(Identifies.BIRTH_DATE, "19840517", "19840517", id="the birth date that was sent"),
        pytest.param(Identifies.BIRTH_DATE, "1984-05-17", "1984-05-17", id="the same day, written otherwise"),
        pytest.param(Identifies.BIRTH_DATE, "19840518", DROP, id="another day"),
        pytest.param(Identifies.BIRTH_RANK, 1, 1, id="the birth rank that was sent"),
        pytest.param(Identifies.BIRTH_RANK, "1", "1", id="the birth rank as a text"),
        pytest.param(Identifies.BIRTH_RANK, 2, DROP, id="another rank"),
        pytest.param(Identifies.BIRTH_RANK, True, DROP, id="true is not 1"),
    ],
)
def test_a_bare_echo_compares_with_the_person_asked_about(at: Identifies, value: Scalar, leaves: Scalar | Drop) -> None:
    left = run("echo", value, at=at)
    assert left == leaves
    assert type(left) is type(leaves)


@pytest.mark.parametrize("at", Identifies)
def test_an_echo_tells_nothing_to_who_sent_nothing(at: Identifies) -> None:
    """No NIR, date or rank in the request: none in the answer, not even an empty one."""
    release = REGISTRY["echo"].bind(None, at)
    assert {release(value, Asked()) for value in ("2840575990003", "19840517", "1", "", "None", 1)} == {DROP}


@pytest.mark.parametrize(
    ("at", "theirs", "others"),
    [
        (Identifies.NIR, ["2840575990003", "1840575990004"], ["1990799990999"]),
        (Identifies.BIRTH_DATE, ["19840517", "19420101"], ["19990799"]),
        (Identifies.BIRTH_RANK, [1, "2"], [3]),
    ],
)
def test_of_several_who_were_asked_about_each_is_told_what_was_sent(
    at: Identifies, theirs: list[Scalar], others: list[Scalar]
) -> None:
    """Whose it is has been judged before: whoever was not asked about does not get here."""
    asked = Asked(several=(("2840575990003", "19840517", 1), ("1840575990004", "19420101", 2)))
    echo = REGISTRY["echo"].bind(None, at)
    assert [echo(value, asked) for value in theirs] == theirs
    assert {echo(value, asked) for value in others} == {DROP}


def test_an_echo_of_null_does_not_leave() -> None:
    """Nobody sent it, and it would tell that there is none from that there is another."""
    reduced = view({"/a": {"echo": "/x"}, "/b": "keep"}).apply(b'{"a": null, "b": null}', Asked(fields={"/x": "null"}))
    assert isinstance(reduced, Reduced)
    assert reduced.body == b'{"b":null}'


def test_an_echo_of_a_fraction_compares_its_digits() -> None:
    """1.10 was sent, 1.10 leaves; 1.1 is another text."""
    assert isinstance(run("echo", LosslessFloat(b"1.10"), "/taux"), LosslessFloat)
    assert run("echo", LosslessFloat(b"1.1"), "/taux") is DROP


def test_an_echo_compares_in_constant_time_and_in_no_other_way() -> None:
    """No `==`, no `in`, no prefix: how much of a guess is right cannot be timed."""
    tree = ast.parse(Path(echo.__file__).read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in RELEASING]
    assert {node.name for node in functions} == RELEASING
    inside = [node for function in functions for node in ast.walk(function)]
    asked = {op.__class__ for node in inside if isinstance(node, ast.Compare) for op in node.ops}
    assert asked <= {ast.Is, ast.IsNot}
    called = {node.func.attr for node in inside if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    assert called == {"get"}
    for compares in (nir.same_text, nir.says_nir):
        assert {"compare_digest", "same_text"} & set(compares.__code__.co_names)


RELEASING: Final = {"_nir", "_birth_date", "_birth_rank", "release"}


@pytest.mark.parametrize(
    ("operator", "parameter"),
    [
        pytest.param("mask", None, id="mask says how much it shows"),
        pytest.param("mask", 0, id="mask shows something, else it is redact"),
        pytest.param("mask", 5, id="mask shows four at most"),
        pytest.param("mask", -1, id="a negative count would show all but one"),
        pytest.param("mask", True, id="true is not one"),
        pytest.param("mask", "4", id="a text is no count"),
        pytest.param("keep", True, id="keep takes no truth"),
        pytest.param("keep", "nir", id="keep takes the kinds of number it knows"),
        pytest.param("redact", "x", id="redact has one constant"),
        pytest.param("year", 2, id="year takes nothing"),
        pytest.param("initial", 1, id="initial takes nothing"),
        pytest.param("exists", False, id="exists takes nothing"),
        pytest.param("pseudonym", 12, id="pseudonym takes nothing"),
        pytest.param("code-map", None, id="code-map takes codes"),
        pytest.param("code-map", (), id="code-map takes some"),
        pytest.param("code-map", "A=B", id="code-map takes no text"),
        pytest.param("code-map", tuple((str(n), "x") for n in range(201)), id="code-map takes two hundred at most"),
        pytest.param("code-map", (("a" * 65, "1"),), id="code-map takes short ones"),
        pytest.param("code-map", (("1", "2"), ("3", "a" * 65)), id="and gives short ones"),
        pytest.param("filter-period", None, id="filter-period names the end"),
        pytest.param("filter-period", "date/fin", id="filter-period names a member, no path"),
        pytest.param("free-text", "nir", id="free-text takes nothing"),
        pytest.param("handle", None, id="handle stands at a NIR"),
        pytest.param("echo", None, id="a bare echo outside an identity has nothing to compare with"),
        pytest.param("echo", "nom", id="a request value is named /nom"),
        pytest.param("echo", "{}", id="a path parameter has a name"),
        pytest.param("echo", 1, id="a request value has a name, no number"),
    ],
)
def test_a_wrong_parameter_is_told_in_a_sentence(operator: str, parameter: Parameter) -> None:
    problem = REGISTRY[operator].problem(parameter, None)
    assert problem is not None
    assert operator in problem


def test_a_code_that_looks_like_a_person_is_told() -> None:
    """On either side, whatever stands beside it; and as many codes as there may be are none too many."""
    for codes in ((("2840575990003", "1"), ("2", "3")), (("2", "3"), ("1", "2840575990003"))):
        assert REGISTRY["code-map"].problem(codes, None) == "a code does not look like a NIR"
    assert REGISTRY["code-map"].problem(tuple((f"{n:064}", "x") for n in range(200)), None) is None


def test_every_operator_is_documented_and_registered_under_its_name() -> None:
    """The reference is generated from one sentence each."""
    for name, operator in REGISTRY.items():
        assert operator.name == name
        assert operator.summary.endswith(".")
        assert "\n" not in operator.summary


def test_only_operators_that_show_nothing_of_it_stand_at_a_nir() -> None:
    """The list is closed by hand: a new operator is refused there until somebody thought about it."""
    assert {name for name, operator in REGISTRY.items() if operator.for_nir} == {
        "echo",
        "redact",
        "exists",
        "pseudonym",
        "handle",
    }

"""An operator that would change nothing, or let nothing leave, is a policy error: for every operator but `keep`.

`keep` is exempt by its meaning. The table below is held against the registry: a new operator has no row until somebody
thought about where it would be idle.
"""

from typing import Final, NamedTuple

import pytest

from masking_views import FIELDS, path
from paravent.masking import REGISTRY, check_rule
from paravent.masking.json import Scalar
from paravent.masking.operators import Identifies, Parameter
from paravent.model import Asked, Disguise, Secret
from paravent.rules import FieldRule, ResponseShape

SHAPE: Final = ResponseShape((path("/f[]"),), FIELDS)
ASKED: Final = Asked(
    "2840575990003", "19840517", 1, {"/a": "A"}, disguise=Disguise(Secret(b"d" * 32), "99900000002", 1_795_000_000)
)


class Idle(NamedTuple):
    """One operator: a line that is sound, a value that it changes, and lines on which it would be idle."""

    at: str
    parameter: Parameter
    value: Scalar
    idle: tuple[tuple[str, Parameter, str], ...]
    """Place, parameter, and what is told of it."""


RANK, DATE, NIR = "/f[]/rangGemellaire", "/f[]/dateNaissance", "/f[]/noNIRCertifie"
TABLE: Final = {
    "echo": Idle("/p[]/a", "/a", "B", (("/p[]/a", None, "bare echo stands only where a person is identified"),)),
    "redact": Idle("/p[]/a", None, "A", ()),
    "mask": Idle("/p[]/a", 4, "0012345678", ((RANK, 1, "nothing of it would be shown"), ("/p[]/a", 0, "1 to 4"))),
    "year": Idle("/p[]/a", None, "19840517", ((RANK, None, "nothing would leave"),)),
    "initial": Idle(
        "/p[]/a", None, "CLAIRE", ((RANK, None, "nothing would leave"), (DATE, None, "nothing would leave"))
    ),
    "exists": Idle("/p[]/a", None, "A", ()),
    "free-text": Idle("/p[]/a", None, "NIR 2840575990003", ((DATE, None, "as it is"), (RANK, None, "as it is"))),
    "pseudonym": Idle("/p[]/a", None, "A", ()),
    "handle": Idle(NIR, None, "2840575990003", (("/p[]/a", None, "turned back"), (DATE, None, "turned back"))),
    "code-map": Idle(
        "/p[]/a",
        (("A", "B"), ("C", "C")),
        "A",
        (
            ("/p[]/a", (("A", "A"),), "changes nothing"),
            ("/p[]/a", (("A", "A"), ("B", "B")), "changes nothing"),
            (DATE, (("A", "B"),), "no code"),
        ),
    ),
    "filter-period": Idle(
        "/p[]/a",
        "fin",
        "inconnue",
        (
            ("/p/a", "fin", "there is none on the way"),
            ("/p[]/a", "a", "does not end with its own beginning"),
            (DATE, "fin", "no period"),
        ),
    ),
}


def test_every_operator_but_keep_has_a_row() -> None:
    """Also one that is added tomorrow."""
    assert set(TABLE) == set(REGISTRY) - {"keep"}


@pytest.mark.parametrize("name", TABLE)
def test_where_a_line_is_sound_the_operator_changes_something(name: str) -> None:
    """A value that does not leave as it came."""
    row = TABLE[name]
    assert check_rule(FieldRule(path(row.at), name, row.parameter), SHAPE) is None
    part = Identifies.NIR if row.at == NIR else None
    assert REGISTRY[name].bind(row.parameter, part)(row.value, ASKED) != row.value


@pytest.mark.parametrize("name", TABLE)
def test_what_a_condition_tells_no_operator_hides(name: str) -> None:
    """Every element of the list has that value, whatever is done to it here."""
    row = TABLE[name]
    problem = check_rule(FieldRule(path("/p[a=B]/a"), name, row.parameter), SHAPE)
    assert problem is not None
    assert f"a is B in every element here, so {name} hides nothing" in problem
    if name != "handle":
        assert check_rule(FieldRule(path("/p[b=B]/a"), name, row.parameter), SHAPE) is None


@pytest.mark.parametrize(
    ("name", "at", "parameter", "told"),
    [(name, *idle) for name, row in TABLE.items() for idle in row.idle],
    ids=lambda each: str(each).replace("/", " ").strip(),
)
def test_a_line_on_which_it_would_be_idle_is_told_why(name: str, at: str, parameter: Parameter, told: str) -> None:
    """Changing nothing, or letting nothing leave, ever: the line was meant otherwise."""
    problem = check_rule(FieldRule(path(at), name, parameter), SHAPE)
    assert problem is not None
    assert told in problem


def test_keep_is_exempt_but_not_with_a_kind_of_number() -> None:
    """Of who somebody is, a kind of number says nothing that `keep` alone does not."""
    assert check_rule(FieldRule(path("/p[a=B]/a"), "keep"), SHAPE) is None
    assert check_rule(FieldRule(path(DATE), "keep"), SHAPE) is None
    problem = check_rule(FieldRule(path(DATE), "keep", "member-number"), SHAPE)
    assert problem is not None
    assert "keep alone says so" in problem


@pytest.mark.parametrize("name", ["redact", "exists", "pseudonym"])
@pytest.mark.parametrize("value", ["A", "19840517", "1", 2, "2840575990003", "***a", "é"])
def test_what_has_no_idle_place_changes_every_value(name: str, value: Scalar) -> None:
    """These three never let anything leave as it came, so that there is no line on which they would be idle."""
    assert REGISTRY[name].bind(None, None)(value, ASKED) not in {value, None}

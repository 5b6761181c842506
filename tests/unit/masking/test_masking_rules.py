"""What a policy's author is told about a view before it is ever used."""

import pytest

from masking_views import CONSULTATION, FIELDS, NO_PERSONS, path, rule, shape, spec
from paravent.masking import check_rule, check_shape, check_view
from paravent.masking.operators import Parameter
from paravent.rules import FieldRule, ResponseShape


@pytest.mark.parametrize(
    ("text", "operator", "parameter"),
    [
        ("/infosGlobales/codeRegime", "keep", None),
        ("/beneficiaireDeSoins/noNIRCertifie", "echo", None),
        ("/beneficiaireDeSoins/noNIRCertifie", "exists", None),
        ("/famille[]/dateNaissance", "echo", None),
        ("/famille[]/dateNaissance", "year", None),
        ("/contratsAMC[]/beneficiaires[]/rangGemellaire", "echo", None),
        ("/contratsAMC[]/garanties[domaine=PHAR]/tauxPourcent", "keep", None),
        ("/contratsAMC[]/numeroAdherent", "mask", 4),
        ("/beneficiaireDeSoins/insMatricule", "echo", "/immatriculation"),
        ("/famille[qualite=enfant]/prenom", "keep", None),
    ],
)
def test_a_sound_line_has_no_problem(text: str, operator: str, parameter: Parameter) -> None:
    """Every kind of line that a view of the reference API needs."""
    assert check_rule(rule(text, operator, parameter), CONSULTATION) is None


@pytest.mark.parametrize(
    ("text", "operator", "parameter", "says"),
    [
        pytest.param("/a", "kepe", None, "did you mean 'keep'", id="a slip of the keyboard gets a hint"),
        pytest.param("/a", "Keep", None, "did you mean 'keep'", id="so does a capital"),
        pytest.param("/a", "encrypt", None, "'encrypt'; known: keep, echo,", id="an operator that does not exist"),
        pytest.param("/a", "mask", 0, "1 to 4", id="a parameter out of range"),
        pytest.param("/a", "echo", None, "bare echo", id="a bare echo outside an identity"),
        pytest.param("/noNIRCertifie", "echo", None, "bare echo", id="a bare echo outside a person"),
        pytest.param("/famille[]/prenom", "echo", None, "bare echo", id="a bare echo of what identifies nobody"),
        pytest.param("/famille[]/noNIRCertifie", "keep", None, "would show a NIR", id="the NIR is not kept"),
        pytest.param("/famille[]/noNIRCertifie", "mask", 4, "would show a NIR", id="the NIR is not partly shown"),
        pytest.param("/x/noNIRCertifie", "keep", None, "would show a NIR", id="wherever it stands"),
        pytest.param("/beneficiaireDeSoins", "keep", None, "holds persons", id="a whole person"),
        pytest.param("/famille[]", "keep", None, "holds persons", id="a whole family"),
        pytest.param("/famille", "keep", None, "holds persons", id="a whole family without brackets"),
        pytest.param("/contratsAMC[]", "keep", None, "holds persons", id="what encloses persons"),
        pytest.param("/famille/prenom", "keep", None, "write the path the same way", id="persons without their list"),
        pytest.param("/contratsAMC/numero", "keep", None, "same way", id="one contract where persons are in several"),
        pytest.param("/contratsAMC", "keep", None, "holds persons", id="contracts as a value"),
        pytest.param("/beneficiaireDeSoins[]/prenom", "keep", None, "same way", id="a list where one person stands"),
        pytest.param("/g[domaine=PHAR]", "keep", None, "a condition selects objects", id="a condition on a value"),
        pytest.param("/famille[]/insMatricule", "keep", None, "would show a NIR", id="the NIR under another name"),
        pytest.param("/famille[]/cleNIR", "mask", 1, "would show a NIR", id="the key, which divides the guesses by 97"),
        pytest.param(
            "/famille[]/insMatricule", "echo", None, "bare echo", id="the NIR under another name, echoed bare"
        ),
        pytest.param(
            "/famille[noNIRCertifie=2840575990003]/prenom", "keep", None, "who somebody is", id="a condition on a NIR"
        ),
        pytest.param(
            "/contratsAMC[]/beneficiaires[dateNaissance=19840517]/prenom",
            "keep",
            None,
            "who somebody is",
            id="a condition on a birth date",
        ),
        pytest.param("/a", "keep", "nir", "member-number", id="keep knows no such kind of number"),
        pytest.param("/a" * 33, "keep", None, "32 steps", id="a path deeper than any API"),
    ],
)
def test_an_unsound_line_is_told_why(text: str, operator: str, parameter: Parameter, says: str) -> None:
    problem = check_rule(rule(text, operator, parameter), CONSULTATION)
    assert problem is not None
    assert says in problem


def test_a_path_has_a_step() -> None:
    """The whole document is not a field."""
    assert check_rule(FieldRule((), "keep"), NO_PERSONS) is not None


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param(["/a", "/a"], "twice", id="one field, two lines"),
        pytest.param(["/a", "/a/b"], "disagree", id="a value and an object"),
        pytest.param(["/a/b", "/a"], "disagree", id="an object and a value"),
        pytest.param(["/a/b", "/a[]/c"], "disagree", id="an object and a list"),
        pytest.param(["/a[]", "/a[]/b"], "disagree", id="a list of values and a list of objects"),
        pytest.param(["/a[]/b", "/a[d=X]/b"], "twice", id="a condition that selects what is listed for all"),
        pytest.param(["/a[d=X]/b", "/a[]/b/c"], "disagree", id="a value and an object, once under a condition"),
        pytest.param(["/a[d=X]/b", "/a[e=Y]/c"], "one member only", id="conditions on two members"),
    ],
)
def test_lines_that_clash_are_told(lines: list[str], says: str) -> None:
    problems = check_view(spec(*(rule(line, "keep") for line in lines)), NO_PERSONS)
    assert [text for _, text in problems if says in text]


def test_lines_under_different_conditions_do_not_clash() -> None:
    """PHAR and MED may show the same member, each through its own operator."""
    assert check_view(spec(rule("/g[d=PHAR]/taux", "keep"), rule("/g[d=MED]/taux", "redact")), NO_PERSONS) == ()


def test_all_problems_are_told_at_once() -> None:
    """An author repairs a view in one go."""
    assert len(check_view(spec(rule("/a", "x"), rule("/b", "y"), rule("/c", "keep")), NO_PERSONS)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(ResponseShape((path("/p"),), None), id="persons that nothing identifies"),
        pytest.param(ResponseShape((), FIELDS), id="an identity without persons"),
        pytest.param(ResponseShape(scope="all"), id="a scope that does not exist"),
        pytest.param(ResponseShape(max_persons=0), id="room for nobody"),
        pytest.param(ResponseShape(((),), FIELDS), id="a person that is the whole document"),
    ],
)
def test_an_unsound_shape_is_told(wrong: ResponseShape) -> None:
    assert check_shape(wrong) is not None
    assert len(check_view(spec(rule("/a", "keep")), wrong)) == 1


SEARCH: ResponseShape = shape("/resultats[]", "/contrats[]/beneficiaires[]", scope="listed", max_persons=5)


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        pytest.param("/total", "keep", id="how many there are"),
        pytest.param("/page/total", "keep", id="how many, further down"),
        pytest.param("/pageSuivante", "keep", id="where the others are"),
        pytest.param("/pageSuivante", "exists", id="that there are others"),
        pytest.param("/liens[]/url", "keep", id="links"),
        pytest.param("/contrat/total", "keep", id="beside the list that names persons"),
    ],
)
def test_what_a_search_says_beside_its_persons_cannot_be_named(text: str, operator: str) -> None:
    """It counts those who do not leave, or leads to them; by whichever operator."""
    told = check_rule(rule(text, operator), SEARCH)
    assert told is not None
    assert "nobody's of whom the search lists" in told


@pytest.mark.parametrize("text", ["/resultats[]/prenom", "/contrats[]/numero", "/contrats[]/beneficiaires[]/prenom"])
def test_what_is_theirs_can(text: str) -> None:
    """A person's fields, and those of what lists persons, who are counted for it."""
    assert check_rule(rule(text, "keep"), SEARCH) is None

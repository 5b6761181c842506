"""Who an answer is about: families, twins, children under a parent's NIR, strangers, and searches."""

import json
from typing import Final

import pytest

from masking_views import NOBODY, shape, view
from paravent.masking import PersonIdentity, Reduced
from paravent.model import Asked
from paravent.reasons import Reason

MOTHER, FATHER, CHILD, STRANGER = "2790369991012", "177082B993045", "1120469991033", "2650199990021"
type Person = dict[str, object]


def person(name: str, nir: object, date: object, rank: object) -> Person:
    return {"prenom": name, "noNIRCertifie": nir, "dateNaissance": date, "rangGemellaire": rank}


INES: Final = person("INES", MOTHER, "19790314", 1)
PAUL: Final = person("PAUL", FATHER, "19770820", 1)
NOE: Final = person("NOE", CHILD, "20120405", 1)
MAE: Final = person("MAE", MOTHER, "20190713", 1)
ZOE: Final = person("ZOE", MOTHER, "20190713", 2)
HALF: Final = 0.5


def contract(number: str, *persons: Person) -> dict[str, object]:
    return {"numero": number, "beneficiaires": list(persons)}


VIEW: Final = view(
    {
        "/beneficiaire/prenom": "keep",
        "/famille[]/prenom": "keep",
        "/contrats[]/numero": "keep",
        "/contrats[]/titulaire/prenom": "keep",
    },
    shape("/beneficiaire", "/famille[]", "/contrats[]/beneficiaires[]", "/contrats[]/titulaire"),
)


def ask(nir: str | None, date: str | None, rank: int | None, answer: dict[str, object]) -> object:
    """The reduced document, or the reason."""
    reduced = VIEW.apply(json.dumps(answer).encode(), Asked(nir, date, rank))
    return json.loads(reduced.body) if isinstance(reduced, Reduced) else reduced


FAMILY: Final = [INES, PAUL, NOE, MAE, ZOE]


@pytest.mark.parametrize(
    ("nir", "date", "rank", "name"),
    [
        pytest.param(MOTHER, "19790314", 1, "INES", id="an insured by their own NIR"),
        pytest.param(FATHER, "19770820", 1, "PAUL", id="a Corsican by his own NIR"),
        pytest.param(CHILD, "20120405", 1, "NOE", id="a child by its own NIR"),
        pytest.param(MOTHER, "20120405", 1, "NOE", id="a child with its own NIR, under the mother's"),
        pytest.param(FATHER, "20120405", 1, "NOE", id="the same child, under the father's"),
        pytest.param(MOTHER, "20190713", 1, "MAE", id="the first twin"),
        pytest.param(MOTHER, "20190713", 2, "ZOE", id="the second twin"),
        pytest.param(None, "20120405", 1, "NOE", id="a question by civil status, without NIR"),
    ],
)
def test_of_a_family_only_the_person_asked_about_leaves(nir: str, date: str, rank: int, name: str) -> None:
    assert ask(nir, date, rank, {"famille": FAMILY}) == {"famille": [{"prenom": name}]}


@pytest.mark.parametrize(
    ("nir", "date", "rank"),
    [
        pytest.param(MOTHER, "19790315", 1, id="another birth date"),
        pytest.param(MOTHER, "20190713", 3, id="a third twin that is not there"),
        pytest.param(None, None, None, id="nobody asked about"),
        pytest.param(MOTHER, None, None, id="a NIR alone names nobody"),
    ],
)
def test_of_a_family_without_the_person_asked_about_nothing_leaves(nir: str, date: str, rank: int) -> None:
    assert ask(nir, date, rank, {"famille": FAMILY}) is Reason.ANSWER_OTHER_PERSON


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param({"beneficiaire": ZOE}, {"beneficiaire": {"prenom": "ZOE"}}, id="the person asked about leaves"),
        pytest.param({"beneficiaire": MAE}, Reason.ANSWER_OTHER_PERSON, id="the twin does not"),
        pytest.param({"beneficiaire": INES, "famille": FAMILY}, Reason.ANSWER_OTHER_PERSON, id="nor does the mother"),
        pytest.param(
            {"beneficiaire": ZOE, "famille": [person("EVE", STRANGER, "20190713", 2)]},
            {"beneficiaire": {"prenom": "ZOE"}, "famille": []},
            id="somebody else born that day is dropped when the NIR tells them apart",
        ),
        pytest.param(
            {"famille": [person("ADA", STRANGER, "20190713", 2), person("EVE", CHILD, "20190713", 2)]},
            Reason.ANSWER_OTHER_PERSON,
            id="two strangers who both fit cannot be told apart",
        ),
        pytest.param(
            {
                "famille": [
                    person("ADA", STRANGER, "20190713", 2),
                    person("EVE", CHILD, "20190713", 2),
                    person("LOU", None, "20190713", 2),
                ]
            },
            Reason.ANSWER_OTHER_PERSON,
            id="nor can who has no number beside two who have one",
        ),
        pytest.param(
            {"beneficiaire": person("EVE", STRANGER, "20190713", 2), "famille": [ZOE]},
            Reason.ANSWER_OTHER_PERSON,
            id="an answer about somebody else born that day is withheld",
        ),
        pytest.param(
            {"contrats": [{"numero": "1", "titulaire": INES}, {"numero": "2", "titulaire": ZOE}]},
            {"contrats": [{"numero": "1"}, {"numero": "2", "titulaire": {"prenom": "ZOE"}}]},
            id="a contract stays without its holder when that is somebody else",
        ),
        pytest.param(
            {"famille": [ZOE, person("LOU", MOTHER, "20190713", 2)]},
            Reason.ANSWER_OTHER_PERSON,
            id="two children under one NIR with one rank cannot be told apart",
        ),
        pytest.param(
            {"famille": [ZOE, ZOE]},
            {"famille": [{"prenom": "ZOE"}, {"prenom": "ZOE"}]},
            id="the same entry twice is the same person",
        ),
        pytest.param(
            {"famille": [person("ZOE", None, "20190713", 2)]},
            {"famille": [{"prenom": "ZOE"}]},
            id="a child without a certified NIR is found by birth date and rank",
        ),
        pytest.param(
            {"famille": [person("ZOE", None, "20190713", 2), person("LOU", None, "20190713", 2)]},
            Reason.ANSWER_OTHER_PERSON,
            id="two children without NIR cannot be told apart",
        ),
        pytest.param(
            {"beneficiaire": ZOE, "famille": [person("LOU", None, "20190713", 2)]},
            {"beneficiaire": {"prenom": "ZOE"}, "famille": []},
            id="who may be somebody else is dropped beside who certainly is the one",
        ),
        pytest.param(
            {"famille": [person("ZOE", int(MOTHER), 20190713, "2")]},
            {"famille": [{"prenom": "ZOE"}]},
            id="an identity written in numbers is understood",
        ),
        pytest.param(
            {"famille": [person("ZOE", "2 79 03 69 991 012 71", "2019-07-13", 2)]},
            {"famille": [{"prenom": "ZOE"}]},
            id="an identity written with spaces, key and dashes is understood",
        ),
        pytest.param(
            {"famille": [{"prenom": "X"}, person("Y", MOTHER, None, 2), person("Z", MOTHER, "20190713", True), ZOE]},
            {"famille": [{"prenom": "ZOE"}]},
            id="who cannot be identified is dropped from a list",
        ),
        pytest.param({"beneficiaire": {"prenom": "X"}}, Reason.ANSWER_SHAPE, id="and withheld where there is no list"),
        pytest.param({"beneficiaire": [ZOE]}, Reason.ANSWER_SHAPE, id="a list where one person stands is another API"),
        pytest.param({"beneficiaire": "ZOE"}, Reason.ANSWER_SHAPE, id="so is a text"),
        pytest.param({"beneficiaire": None}, {"beneficiaire": None}, id="no person at all is no stranger"),
        pytest.param({"famille": ZOE}, {}, id="one person where a list stands is dropped"),
        pytest.param({"famille": [None, "ZOE", [ZOE], 3, ZOE]}, {"famille": [{"prenom": "ZOE"}]}, id="only objects"),
        pytest.param({"famille": []}, {"famille": []}, id="an empty family keeps its shape"),
        pytest.param({}, {}, id="an answer without persons"),
        pytest.param(
            {"beneficiaire": person("ZOE", "2190769991011", "20190713", 2), "contrats": [contract("1", ZOE)]},
            {"beneficiaire": {"prenom": "ZOE"}, "contrats": [{"numero": "1"}]},
            id="a child whom the scheme names by its own NIR and the insurer by the mother's",
        ),
        pytest.param(
            {"beneficiaire": person("ZOE", None, "20190713", 2), "contrats": [contract("1", ZOE)]},
            {"beneficiaire": {"prenom": "ZOE"}, "contrats": [{"numero": "1"}]},
            id="a newborn whom only the insurer names by a NIR",
        ),
        pytest.param(
            {"beneficiaire": ZOE, "contrats": [contract("1", ZOE, {**ZOE, "depuis": "2026-01-01"})]},
            {"beneficiaire": {"prenom": "ZOE"}, "contrats": [{"numero": "1"}]},
            id="an insurer who lists one person for two periods, in a list that does not leave",
        ),
        pytest.param(
            {"famille": [{**ZOE, "taux": HALF}, {**ZOE, "taux": HALF}]},
            {"famille": [{"prenom": "ZOE"}, {"prenom": "ZOE"}]},
            id="the same entry twice, with a fraction in it",
        ),
    ],
)
def test_asked_about_the_second_twin(answer: dict[str, object], outcome: object) -> None:
    assert ask(MOTHER, "20190713", 2, answer) == outcome


EACH: Final = view(
    {
        "/regimes[]/code": "keep",
        "/regimes[]/droits[]/code": "keep",
        "/regimes[]/droits[]/identite/prenom": "keep",
        "/contrats[]/numero": "keep",
    },
    shape("/regimes[]/droits[]/identite", "/contrats[]/titulaire"),
)
REGIME: Final = {"code": "01", "droits": [{"code": "NOE", "identite": NOE}, {"code": "INES", "identite": INES}]}
NOBODYS: Final[list[dict[str, object]]] = [
    {"code": "X"}, {"code": "Y", "identite": {"prenom": "Y"}}, {"code": "Z", "identite": [NOE]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "leaves"),
    [
        pytest.param(
            {"regimes": [REGIME]},
            {"regimes": [{"code": "01", "droits": [{"code": "NOE", "identite": {"prenom": "NOE"}}]}]},
            id="what stands beside another's identity",
        ),
        pytest.param(
            {"regimes": [REGIME, {"code": "02", "droits": [{"code": "PAUL", "identite": PAUL}]}]},
            {"regimes": [{"code": "01", "droits": [{"code": "NOE", "identite": {"prenom": "NOE"}}]}]},
            id="a list of others alone, with them",
        ),
        pytest.param(
            {"regimes": [{"code": "01", "droits": [{"code": "NOE", "identite": NOE}, *NOBODYS]}]},
            {"regimes": [{"code": "01", "droits": [{"code": "NOE", "identite": {"prenom": "NOE"}}]}]},
            id="what stands beside nobody's",
        ),
        pytest.param(
            {
                "regimes": [{"droits": [{"code": "NOE", "identite": NOE}]}],
                "contrats": [{"numero": "1", "titulaire": INES}],
            },
            {"regimes": [{"droits": [{"code": "NOE", "identite": {"prenom": "NOE"}}]}], "contrats": [{"numero": "1"}]},
            id="not contracts, none of which says that it is theirs",
        ),
        pytest.param(
            {"contrats": [{"numero": "1", "titulaire": NOE}, {"numero": "2", "titulaire": INES}, {"numero": "3"}]},
            {"contrats": [{"numero": "1"}]},
            id="contracts of others beside one of theirs",
        ),
    ],
)
def test_each_element_is_about_the_one_person_in_it(answer: dict[str, object], leaves: dict[str, object]) -> None:
    """Where nobody stands by themselves, and one of the elements is about who was asked about, the others are not."""
    reduced = EACH.apply(json.dumps(answer).encode(), Asked(CHILD, "20120405", 1))
    assert isinstance(reduced, Reduced)
    assert {name: value for name, value in json.loads(reduced.body).items() if value} == leaves


@pytest.mark.parametrize(
    ("contracts", "left"),
    [
        pytest.param([{"numero": "1", "beneficiaires": [INES, ZOE]}], ["1"], id="a contract that names the person"),
        pytest.param([{"numero": "1", "beneficiaires": [INES, PAUL]}], [], id="a contract of others only"),
        pytest.param([{"numero": "1", "beneficiaires": []}], ["1"], id="a contract that names nobody"),
        pytest.param([{"numero": "1"}], ["1"], id="a contract without a list of persons"),
        pytest.param([{"numero": "1", "beneficiaires": [{}]}], ["1"], id="a contract of somebody unidentified"),
        pytest.param(
            [{"numero": "1", "beneficiaires": [person("ZOE", None, "20190713", 2)]}], ["1"], id="named without NIR"
        ),
        pytest.param([{"numero": "1", "beneficiaires": INES}], [], id="a contract of another, who stands in no list"),
        pytest.param([{"numero": "1", "beneficiaires": ZOE}], ["1"], id="her own, where she stands in no list"),
        pytest.param([{"numero": "1", "titulaire": INES}], ["1"], id="the holder's being somebody else takes nothing"),
        pytest.param([{"numero": "1", "titulaire": "INES"}], ["1"], id="a holder who is no person takes nothing"),
        pytest.param(
            [{"numero": "1", "beneficiaires": [PAUL]}, {"numero": "2", "beneficiaires": [ZOE]}],
            ["2"],
            id="of two, hers",
        ),
    ],
)
def test_a_contract_of_others_goes_with_them(contracts: list[dict[str, object]], left: list[str]) -> None:
    """Asked about ZOE, whose contracts are those that name her, or name nobody we could identify."""
    answer = ask(MOTHER, "20190713", 2, {"beneficiaire": ZOE, "contrats": contracts})
    assert answer == {"beneficiaire": {"prenom": "ZOE"}, "contrats": [{"numero": number} for number in left]}


def test_an_insurer_of_others_goes_with_their_contracts() -> None:
    """Whatever lists stand around it: an insurer whose contracts name others alone is an insurer of others."""
    compiled = view(
        {"/assureurs[]/nom": "keep", "/assureurs[]/contrats[]/numero": "keep"},
        shape("/beneficiaire", "/assureurs[]/contrats[]/beneficiaires[]"),
    )
    insurers = [
        {"nom": "A", "contrats": [contract("1", INES), contract("2", PAUL)]},
        {"nom": "B", "contrats": [contract("3", INES), contract("4", ZOE)]},
        {"nom": "C", "contrats": [contract("5")]},
        {"nom": "D", "contrats": []},
    ]
    body = json.dumps({"beneficiaire": ZOE, "assureurs": insurers}).encode()
    reduced = compiled.apply(body, Asked(MOTHER, "20190713", 2))
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {
        "assureurs": [
            {"nom": "B", "contrats": [{"numero": "4"}]},
            {"nom": "C", "contrats": [{"numero": "5"}]},
            {"nom": "D", "contrats": []},
        ]
    }


SPOUSE: Final = person("LUC", "179036999102087", "19790314", 1)
"""Born on the same day as INES."""


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(
            {
                "beneficiaire": INES,
                "contrats": [contract("1", SPOUSE), contract("2", INES), contract("3", INES, SPOUSE)],
            },
            {"beneficiaire": {"prenom": "INES"}, "contrats": [{"numero": "2"}, {"numero": "3"}]},
            id="a contract of the spouse alone goes with the spouse",
        ),
        pytest.param(
            {"beneficiaire": INES, "famille": [SPOUSE], "contrats": [{"numero": "1", "titulaire": SPOUSE}]},
            {"beneficiaire": {"prenom": "INES"}, "famille": [], "contrats": [{"numero": "1"}]},
            id="the spouse leaves from no place",
        ),
        pytest.param(
            {"beneficiaire": SPOUSE, "contrats": [contract("1", INES, SPOUSE)]},
            Reason.ANSWER_OTHER_PERSON,
            id="an answer about the spouse is withheld where only a contract names who was asked about",
        ),
        pytest.param(
            {"beneficiaire": {**INES, "noNIRCertifie": None}, "famille": [SPOUSE]},
            Reason.ANSWER_OTHER_PERSON,
            id="who has no NIR beside somebody who has one cannot be told apart",
        ),
        pytest.param(
            {"beneficiaire": INES, "contrats": [contract("1", {**SPOUSE, "rangGemellaire": None})]},
            {"beneficiaire": {"prenom": "INES"}, "contrats": []},
            id="a contract of somebody without a rank, whose NIR is another's",
        ),
        pytest.param(
            {"beneficiaire": INES, "contrats": [contract("1", {**INES, "rangGemellaire": None})]},
            {"beneficiaire": {"prenom": "INES"}, "contrats": [{"numero": "1"}]},
            id="a contract of somebody without a rank, whose NIR is the one asked with",
        ),
    ],
)
def test_of_two_spouses_born_on_one_day_only_the_one_asked_about_leaves(
    answer: dict[str, object], outcome: object
) -> None:
    """Birth date and rank agree for both: the NIR decides, for contracts too."""
    assert ask(MOTHER, "19790314", 1, answer) == outcome


@pytest.mark.parametrize(
    "family",
    [
        pytest.param([person("ZOE", None, "20190713", 2)], id="somebody without a number may be another's"),
        pytest.param([ZOE, person("EVE", STRANGER, "20190713", 2)], id="two numbers are two people"),
    ],
)
def test_by_civil_status_alone_who_cannot_be_told_apart_stays_behind(family: list[Person]) -> None:
    """No number was sent that would say which of them is meant."""
    assert ask(None, "20190713", 2, {"famille": family}) is Reason.ANSWER_OTHER_PERSON


def test_a_person_who_lists_others_stays() -> None:
    """A mother whose children stand below her is not dropped with them."""
    compiled = view(
        {"/famille[]/prenom": "keep", "/famille[]/enfants[]/prenom": "keep"},
        shape("/famille[]", "/famille[]/enfants[]"),
    )
    answer = {"famille": [{**INES, "enfants": [NOE]}, {**PAUL, "enfants": [NOE]}]}
    reduced = compiled.apply(json.dumps(answer).encode(), Asked(MOTHER, "19790314", 1))
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"famille": [{"prenom": "INES", "enfants": []}]}


def test_the_person_disclosed_is_the_person_charged() -> None:
    """A child looked up under a parent's NIR counts once, under the name it was asked with."""
    reduced = VIEW.apply(json.dumps({"beneficiaire": NOE}).encode(), Asked(MOTHER, "20120405", 1))
    assert isinstance(reduced, Reduced)
    assert reduced.persons == (PersonIdentity(MOTHER, "20120405", 1),)


def test_nothing_of_a_person_prints() -> None:
    """Neither an identity nor a reduced answer shows a NIR, a date or a name when it is printed."""
    reduced = VIEW.apply(json.dumps({"beneficiaire": NOE}).encode(), Asked(MOTHER, "20120405", 1))
    assert not [secret for secret in (MOTHER, CHILD, "20120405", "NOE") if secret in repr(reduced)]


BLOCK: Final = {"/bloc/total": "keep", "/bloc/personnes[]/prenom": "keep"}


@pytest.mark.parametrize("block", [None, "x", [{"personnes": [PAUL]}], {"total": 1}, {"total": 1, "personnes": []}])
def test_where_no_person_stands_nobody_is_looked_for(block: object) -> None:
    """An object that holds a list of persons is no list: without any it is nobody's, and what it says stays."""
    reduced = view(BLOCK, shape("/bloc/personnes[]")).apply(
        json.dumps({"bloc": block}).encode(), Asked(MOTHER, "19790314", 1)
    )
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body).get("bloc") == (block if block is None or isinstance(block, dict) else None)
    assert reduced.persons == ()


SEARCH: Final = view({"/resultats[]/prenom": "keep"}, shape("/resultats[]", "/autres[]", scope="listed", max_persons=3))


def search(answer: dict[str, object], asked: Asked = NOBODY) -> object:
    """Names that leave and how many persons they count for, or the reason."""
    reduced = SEARCH.apply(json.dumps(answer).encode(), asked)
    if isinstance(reduced, Reason):
        return reduced
    return [each["prenom"] for each in json.loads(reduced.body)["resultats"]], len(reduced.persons)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param({"resultats": [INES, PAUL]}, (["INES", "PAUL"], 2), id="everybody found leaves and counts"),
        pytest.param({"resultats": [INES, PAUL, NOE]}, (["INES", "PAUL", "NOE"], 3), id="as many as the policy allows"),
        pytest.param({"resultats": [INES, PAUL, NOE, ZOE]}, Reason.TOO_MANY_PERSONS, id="one more and nothing leaves"),
        pytest.param({"resultats": [MAE, ZOE]}, (["MAE", "ZOE"], 2), id="twins are two persons"),
        pytest.param({"resultats": [INES, INES, INES, INES]}, (["INES"] * 4, 1), id="one person four times is one"),
        pytest.param({"resultats": [INES, {"prenom": "X"}]}, (["INES"], 1), id="who cannot be counted does not leave"),
        pytest.param(
            {"resultats": [INES, person("X", None, "19790314", 1)]}, (["INES"], 1), id="nor does who has no NIR"
        ),
        pytest.param({"resultats": [INES], "autres": [PAUL, NOE, MAE]}, (["INES"], 1), id="who does not leave is free"),
    ],
)
def test_a_search_counts_everybody_it_shows(answer: dict[str, object], outcome: object) -> None:
    assert search(answer) == outcome


CARDS: Final = view(
    {"/contrats[]/numero": "keep"},
    shape(
        "/contrats[]/beneficiaires[]", "/contrats[]/titulaire", "/contrats[]/foyer/membres[]", "/contrats[]/foyer/chef",
        scope="listed", max_persons=3,
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("contracts", "outcome"),
    [
        pytest.param([contract("1", INES, PAUL)], (["1"], 2), id="everybody on it is counted, though not shown"),
        pytest.param([contract("1", INES), contract("2", INES)], (["1", "2"], 1), id="one person on two is one"),
        pytest.param([contract("1", INES), contract("2")], (["1"], 1), id="one that lists nobody goes"),
        pytest.param([contract("1", INES), {"numero": "2"}], (["1"], 1), id="so does one that does not say"),
        pytest.param(
            [contract("1", INES), contract("2", person("X", None, "19790314", 1))],
            (["1"], 1),
            id="and one of somebody who cannot be counted",
        ),
        pytest.param(
            [contract("1"), {"numero": "2", "titulaire": PAUL}], (["2"], 1), id="its holder is on it, wherever named"
        ),
        pytest.param(
            [contract("1", INES) | {"titulaire": person("X", None, "19790314", 1)}, contract("2", INES)],
            (["2"], 1),
            id="but one whose holder cannot be counted is theirs, whoever else is on it",
        ),
        pytest.param([{"numero": "1", "foyer": {"chef": PAUL}}], (["1"], 1), id="who stands deeper in it is counted"),
        pytest.param([{"numero": "1", "foyer": {"membres": [PAUL, NOE]}}], (["1"], 2), id="so is who is listed there"),
        pytest.param([contract("1", INES, PAUL, NOE, ZOE)], Reason.TOO_MANY_PERSONS, id="more than the policy allows"),
    ],
)
def test_a_contract_leaves_with_who_is_counted_for_it(contracts: list[dict[str, object]], outcome: object) -> None:
    """What says something of persons is charged for them, or does not leave."""
    reduced = CARDS.apply(json.dumps({"contrats": contracts}).encode(), NOBODY)
    if isinstance(reduced, Reason):
        assert reduced is outcome
        return
    assert ([each["numero"] for each in json.loads(reduced.body)["contrats"]], len(reduced.persons)) == outcome


DUMMY: Final = "2999999999999"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(
            {"resultats": [person(name, DUMMY, "19790314", 1) for name in "ABCDEFGH"]},
            (["A"], 1),
            id="eight people under one stand-in number count as one, and one leaves",
        ),
        pytest.param(
            {"resultats": [person("A", DUMMY, "19790314", 1)], "autres": [person("B", DUMMY, "19790314", 1)]},
            (["A"], 1),
            id="in another list too",
        ),
        pytest.param(
            {"resultats": [{**INES, "carte": {"n": 1}}, {**INES, "carte": {"n": 2}, "depuis": "2026"}]},
            (["INES", "INES"], 1),
            id="one person with two cards is still one, and both leave",
        ),
        pytest.param(
            {"resultats": [*(person(name, DUMMY, "19790314", 1) for name in (None, "A", None, "B"))]},
            ([None, "A", None], 1),
            id="nor behind an entry that says less than either",
        ),
        pytest.param(
            {"resultats": [{**INES, "taux": HALF}, {**INES, "taux": HALF}]},
            (["INES", "INES"], 1),
            id="a fraction is no contradiction",
        ),
    ],
)
def test_nobody_hides_behind_anothers_identity(answer: dict[str, object], outcome: object) -> None:
    """Persons are counted by NIR, birth date and rank: two who say different things under one of these are two."""
    assert search(answer) == outcome


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"resultats": [{} for _ in range(1001)]}, id="a thousand and one who are nobody"),
        pytest.param({"resultats": [INES] * 1001}, id="a thousand and one times the same"),
    ],
)
def test_an_answer_with_a_thousand_persons_is_none(answer: dict[str, object]) -> None:
    """Comparing them would keep everybody else waiting."""
    assert search(answer) is Reason.ANSWER_SHAPE


def test_a_thousand_contracts_have_holders_enough() -> None:
    """As many as stand alone, each in an element of its own."""
    contracts = [{"numero": "1", "titulaire": INES}] * 1000
    assert ask(MOTHER, "19790314", 1, {"contrats": contracts}) != Reason.ANSWER_SHAPE
    assert ask(MOTHER, "19790314", 1, {"contrats": [*contracts, contracts[0]]}) is Reason.ANSWER_SHAPE


def test_a_search_by_birth_date_shows_nobody_born_on_another_day() -> None:
    """An upstream that overlooks the date would tell everybody's, one guess after another about the same people."""
    asked = Asked(birth_date="19790314")
    assert search({"resultats": [INES, PAUL, NOE, MAE, ZOE]}, asked) == (["INES"], 1)
    assert search({"resultats": [PAUL, NOE]}, asked) == ([], 0)


ROUND: Final = view(
    {
        "/reponses[]/beneficiaire/prenom": "keep",
        "/reponses[]/beneficiaire/noNIRCertifie": "echo",
        "/reponses[]/c": "keep",
    },
    shape("/reponses[]/beneficiaire", "/reponses[]/famille[]", scope="listed", max_persons=3),
)


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        pytest.param([(INES, [PAUL]), (ZOE, [MAE])], ["INES", "ZOE"], id="those asked about, without their families"),
        pytest.param([(INES, [ZOE]), (MAE, [ZOE])], ["INES"], id="an answer about a twin, in whose family is who was"),
        pytest.param([(ZOE, [INES]), (INES, [])], ["ZOE", "INES"], id="in whatever order the upstream has"),
        pytest.param([(PAUL, [INES, ZOE])], [], id="nobody, where nobody is answered about"),
        pytest.param([(person("X", STRANGER, "20190713", 2), [])], [], id="nobody with another number"),
    ],
)
def test_of_several_asked_about_only_they_leave(answers: list[tuple[Person, list[Person]]], left: list[str]) -> None:
    """By NIR, birth date and rank of each; each number comes back, for the caller sent it."""
    several = ((MOTHER, "19790314", 1), (MOTHER, "20190713", 2))
    body = {"reponses": [{"beneficiaire": one, "famille": family, "c": 1} for one, family in answers]}
    reduced = ROUND.apply(json.dumps(body).encode(), Asked(several=several))
    assert isinstance(reduced, Reduced)
    shown = json.loads(reduced.body)["reponses"]
    assert shown == [{"beneficiaire": {"prenom": name, "noNIRCertifie": MOTHER}, "c": 1} for name in left]
    assert MOTHER not in repr(Asked(several=several))


SON, DAUGHTER = "1190769991071", "2190769991072"
LEA: Final = person("LEA", DAUGHTER, "20190713", 2)
"""A twin with a number of her own."""


EVA: Final = person("EVA", None, "20190713", 2)
"""A newborn who has none yet."""


@pytest.mark.parametrize(
    ("asked", "answers", "left"),
    [
        pytest.param([(MOTHER, 2)], [(LEA, [])], ["LEA"], id="under her mother's number"),
        pytest.param([(DAUGHTER, 2)], [(LEA, [])], ["LEA"], id="under her own"),
        pytest.param(
            [(MOTHER, 1), (MOTHER, 2)],
            [(person("LEO", SON, "20190713", 1), [LEA]), (LEA, [])],
            ["LEO", "LEA"],
            id="and her twin under the same number: they are told apart by rank",
        ),
        pytest.param([(MOTHER, 1)], [(LEA, [])], [], id="not for her twin"),
        pytest.param([(MOTHER, 2)], [(ZOE, []), (LEA, [])], ["ZOE"], id="not where another stands under what was sent"),
        pytest.param([(MOTHER, 2)], [(LEA, []), (ZOE, [])], ["ZOE"], id="whichever of the two comes first"),
        pytest.param(
            [(MOTHER, 2)],
            [(LEA, []), (person("EVA", "2190769991079", "20190713", 2), [])],
            [],
            id="not where two were born that day: nobody then",
        ),
        pytest.param(
            [(MOTHER, 2)],
            [(LEA, []), (EVA, [])],
            [],
            id="though one of them has no number yet",
        ),
        pytest.param([(MOTHER, 2)], [(EVA, [])], ["EVA"], id="a newborn who has no number yet"),
        pytest.param([(MOTHER, 2)], [({**EVA, "noNIRCertifie": ""}, [EVA])], ["EVA"], id="wherever else she stands"),
        pytest.param(
            [(MOTHER, 1), (MOTHER, 2)],
            [({**EVA, "rangGemellaire": 1}, [EVA]), (EVA, [])],
            ["EVA", "EVA"],
            id="and her twin, told apart by rank",
        ),
        pytest.param([(MOTHER, 2)], [(EVA, []), (EVA, [])], [], id="not where two were born that day without a number"),
        pytest.param([(MOTHER, 2)], [(EVA, [LEA])], [], id="nor where one in the family has a number"),
        pytest.param([(MOTHER, 2)], [(PAUL, [EVA])], [], id="nor where she stands in a family alone"),
        pytest.param([(MOTHER, 2)], [({**EVA, "noNIRCertifie": "?"}, [])], [], id="nor under what is no number"),
        pytest.param([(MOTHER, 2)], [({**EVA, "rangGemellaire": None}, [])], [], id="nor without a rank"),
        pytest.param([(MOTHER, 2)], [(ZOE, []), (EVA, [])], ["ZOE"], id="nor where another stands under what was sent"),
        pytest.param([(MOTHER, 2), (FATHER, 2)], [(EVA, [])], [], id="nor where two were asked for a newborn"),
        pytest.param([("2190769991079", 2)], [(EVA, [])], [], id="nor under a number that could be her own"),
        pytest.param([(MOTHER, 2), (FATHER, 2)], [(LEA, [])], [], id="not where two were asked for so: whose is she"),
        pytest.param(
            [(MOTHER, 2), ("2190769991079", 2)], [(LEA, [])], [], id="one of them under a number of that birth"
        ),
        pytest.param([("2190769991079", 2)], [(LEA, [])], [], id="not under a number that could be somebody's own"),
        pytest.param([("7190769991079", 2)], [(LEA, [])], [], id="nor under one that holds no date"),
        pytest.param([(MOTHER, 2)], [(PAUL, [LEA])], [], id="not of a family: nobody answered about her"),
        pytest.param([(MOTHER, 2)], [(LEA, [LEA])], ["LEA"], id="but with a family of which she is, too"),
        pytest.param(
            [(MOTHER, 2)],
            [(LEA, [person("EVA", None, "20190713", 2)])],
            ["LEA"],
            id="and in which another has no number yet",
        ),
        pytest.param(
            [(MOTHER, 2)],
            [(person("EVA", STRANGER, "20190713", 2), [])],
            [],
            id="not one whose number says another birth",
        ),
    ],
)
def test_a_child_with_a_number_of_their_own_or_none_is_found_under_a_parents(
    asked: list[tuple[str, int]], answers: list[tuple[Person, list[Person]]], left: list[str]
) -> None:
    """As in a question about one person, and charged by the name that was asked with. Their own number stays behind."""
    several = tuple((nir, "20190713", rank) for nir, rank in asked)
    body = {"reponses": [{"beneficiaire": one, "famille": family, "c": 1} for one, family in answers]}
    reduced = ROUND.apply(json.dumps(body).encode(), Asked(several=several))
    assert isinstance(reduced, Reduced)
    assert [each["beneficiaire"]["prenom"] for each in json.loads(reduced.body)["reponses"]] == left
    assert {(one.nir, one.birth_date, one.birth_rank) for one in reduced.persons} <= set(several)
    assert len(reduced.persons) == len(left)
    assert DAUGHTER.encode() not in reduced.body or (DAUGHTER, 2) in asked


def test_a_child_in_a_list_is_nobody_who_was_answered_about() -> None:
    """Of an element that holds a family and nothing else, anybody could be meant."""
    body = {"reponses": [{"famille": [LEA], "c": 1}]}
    reduced = ROUND.apply(json.dumps(body).encode(), Asked(several=((MOTHER, "20190713", 2),)))
    assert isinstance(reduced, Reduced)
    assert (json.loads(reduced.body), reduced.persons) == ({"reponses": []}, ())


def test_who_was_asked_about_under_their_own_number_is_nobody_elses_child() -> None:
    """An API that overlooks a wrong birth date would else answer about them under a name that is not theirs."""
    several = ((DAUGHTER, "20180101", 1), (MOTHER, "20190713", 2))
    body = {"reponses": [{"beneficiaire": LEA, "famille": [], "c": 1}]}
    reduced = ROUND.apply(json.dumps(body).encode(), Asked(several=several))
    assert isinstance(reduced, Reduced)
    assert json.loads(reduced.body) == {"reponses": []}
    assert reduced.persons == ()

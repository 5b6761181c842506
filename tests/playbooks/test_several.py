"""A question about several persons: who is reserved, who stays charged, and when it is a miss."""

from typing import Any, Final

import pytest

from conversation import run
from paravent.decide import settle
from paravent.effects import Charged, Settle
from paravent.model import Release, Withhold
from paravent.nir import subject_of_person
from paravent.reasons import Reason
from reference import allowed, answer, batch, rulebook
from tokens import NOW_MS

PAGE: Final = "open-a-search-or-an-export.md"
ONE, TWO, THREE = (("2840599990001", "19840517", 1), ("2840599990001", "20120405", 1), ("1770899990045", "19770820", 1))
STRANGER: Final = ("1910199990110", "19910120", 1)
CHILD, OTHER_CHILD = ("1120499990091", "20120405", 1), ("2120499990092", "20120405", 1)
type Person = tuple[str, str, int]


def answered(*persons: Person) -> dict[str, Any]:
    members = ("noNIRCertifie", "dateNaissance", "rangGemellaire")
    return {"reponses": [{"beneficiaireDeSoins": dict(zip(members, one, strict=True))} for one in persons]}


@pytest.mark.parametrize(
    ("document", "status", "kind", "paid", "missed"),
    [
        pytest.param(answered(ONE, TWO, THREE), 200, Release, 3, False, id="all of them found"),
        pytest.param(
            answered(ONE), 200, Release, 3, True, id="one of three found: the others are paid for, and a miss"
        ),
        pytest.param(answered(ONE, TWO, STRANGER), 200, Release, 3, True, id="somebody else is nobody of them"),
        pytest.param(
            answered(ONE, CHILD, THREE),
            200,
            Release,
            3,
            False,
            id="a child whom the API knows by a number of their own",
        ),
        pytest.param(
            answered(ONE, CHILD, OTHER_CHILD),
            200,
            Release,
            3,
            True,
            id="two who could be that child: neither, and a miss",
        ),
        pytest.param(answered(STRANGER), 200, Reason.BENEFICIARY_UNKNOWN, 3, True, id="nobody of them"),
        pytest.param({}, 404, Reason.BENEFICIARY_UNKNOWN, 3, True, id="not known to the API"),
        pytest.param(answered(ONE), 503, Reason.ANSWER_STATUS, 0, False, id="the API is not there: nobody is told of"),
        pytest.param(answered(ONE), 500, Reason.ANSWER_STATUS, 3, False, id="the API failed, perhaps at one of them"),
        pytest.param([], 200, Reason.ANSWER_SHAPE, 3, False, id="an answer that cannot be read"),
    ],
)
def test_who_is_asked_about_is_paid_for(document: object, status: int, kind: object, paid: int, missed: bool) -> None:
    """Reserved before the API is asked, and kept whether found or not: guesses in company cost what guesses cost."""
    plan = allowed(batch(*map(list, (ONE, TWO, THREE))), "10", PAGE)
    key = rulebook(PAGE).subject_key
    subjects = tuple(subject_of_person(key, *one) for one in (ONE, TWO, THREE))
    assert plan.charge.persons == subjects
    assert plan.about.subject is None
    conversation = run(settle(plan, answer(document, status), NOW_MS), {Settle: Charged(())})
    assert conversation.asked == (Settle(plan.charge, NOW_MS, subjects[:paid], missed),)
    outcome = conversation.result
    if isinstance(outcome, Withhold):
        assert outcome.reason is kind
    else:
        assert kind is Release
        assert set(outcome.persons) <= set(subjects)

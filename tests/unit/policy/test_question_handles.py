"""A handle in place of the NIR: opened on the way in, for who got it, where the policy says so."""

import json
from pathlib import Path
from typing import Final

import pytest

from paravent.handles import make_handle
from paravent.model import Disguise, Secret
from paravent.policy.compile import compile_policy
from paravent.policy.question import Question, read_question
from paravent.reasons import Reason
from paravent.rules import Policy
from policies import anything, compiled, problems, reference_files

NOW_S: Final = 1_795_000_000
MINE: Final = Disguise(Secret(b"d" * 32), "99900000002", NOW_S)
THEIRS: Final = Disguise(Secret(b"d" * 32), "99900000010", NOW_S)
WITH: Final = {
    "operations/droits.yaml": ("    immatriculation: nir\n", "    immatriculation: {type: nir, handle: true}\n")
}
RIGHTS: Final = compiled(WITH).operations["droits.consultation"]
PLAIN: Final = compiled().operations["droits.consultation"]
HANDLE: Final = make_handle(MINE, "2840575990003")
FHIR_QUESTION: Final = (
    Path(__file__).parents[3] / "proxy/paravent/sandbox/examples/eligibilite.request.json"
).read_bytes()


def ask(number: str, disguise: Disguise | None = MINE, operation: object = RIGHTS) -> Question | Reason:
    body = {"immatriculation": number, "dateNaissance": "19840517", "rangGemellaire": 1}
    return read_question(operation, {}, json.dumps(body).encode(), (b"application/json",), disguise)  # type: ignore[arg-type]


def test_a_handle_is_the_nir_for_the_upstream_and_not_for_the_caller() -> None:
    """The subject is the person; what may be echoed is the handle."""
    question = ask(HANDLE)
    assert isinstance(question, Question)
    assert json.loads(question.body)["immatriculation"] == "2840575990003"
    assert (question.asked.nir, question.asked.sent_nir) == ("2840575990003", None)
    assert question.asked.fields["/immatriculation"] == HANDLE


@pytest.mark.parametrize("last", [8, 9])
def test_a_handle_in_fhir_keeps_the_system_that_came_with_it(last: int) -> None:
    """A newborn whose number stands in for a NIR is looked for by its own system, as if the number had been sent."""
    reference = reference_files()
    place = "operations/fhir.yaml"
    reference[place] = reference[place].replace(b"identifier: nir\n", b"identifier: {type: nir, handle: true}\n")
    policy = compile_policy(reference, anything)
    assert isinstance(policy, Policy)
    system = f"urn:oid:1.2.250.1.213.1.4.{last}"
    body = json.loads(FHIR_QUESTION)
    body["contained"][0]["identifier"] = [{"system": system, "value": HANDLE}]
    operation = policy.operations["fhir.eligibilite"]
    question = read_question(operation, {}, json.dumps(body).encode(), (b"application/fhir+json",), MINE, "20261122")
    assert isinstance(question, Question)
    (sent,) = json.loads(question.body)["contained"][0]["identifier"]
    assert sent == {"system": system, "value": "2840575990003"}


def test_a_nir_is_accepted_as_before() -> None:
    """And may be echoed to who sent it."""
    question = ask("284057599000326")
    assert isinstance(question, Question)
    assert question.asked.sent_nir == "2840575990003"


@pytest.mark.parametrize(
    ("number", "disguise", "operation", "reason"),
    [
        pytest.param(HANDLE, THEIRS, RIGHTS, Reason.HANDLE_REFUSED, id="another practitioner's"),
        pytest.param(HANDLE, None, RIGHTS, Reason.HANDLE_REFUSED, id="without a key to open it"),
        pytest.param("h1." + "A" * 44, MINE, RIGHTS, Reason.HANDLE_REFUSED, id="one that nobody made"),
        pytest.param(HANDLE, MINE, PLAIN, Reason.REQUEST_NOT_IN_SCHEMA, id="where the policy accepts none"),
        pytest.param(HANDLE[:-1], MINE, RIGHTS, Reason.REQUEST_NOT_IN_SCHEMA, id="one cut off"),
        pytest.param(HANDLE + "A", MINE, RIGHTS, Reason.REQUEST_NOT_IN_SCHEMA, id="one with more behind"),
    ],
)
def test_any_other_handle_is_refused(number: str, disguise: Disguise | None, operation: object, reason: Reason) -> None:
    """What looks like a handle tells nothing when it is none."""
    assert ask(number, disguise, operation) is reason


def test_a_handle_that_nobody_accepts_is_a_policy_error() -> None:
    """The operator would give out what nothing takes back."""
    told = problems({"views/pharmacien.yaml": ("/beneficiaire/dateNaissance: echo", "/beneficiaire/nir: handle")})
    assert any("no operation accepts a handle" in line for line in told)
    told = problems(
        {"operations/droits.yaml": ("dateNaissance: birth-date\n", "dateNaissance: {type: birth-date, handle: true}\n")}
    )
    assert any("only a NIR has handles" in line for line in told)

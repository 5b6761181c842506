"""The reference policy, operation by operation and profession by profession: what leaves of an answer, and what not.

`NAME.yaml` holds the claim, who asks what, and the answer: an input beside it (or elsewhere), with what is changed in
it (by pointer in JSON, by text elsewhere) and the upstream's status. `NAME.output.json` holds what leaves; a case that
is withheld or denied has a `withheld` or `denied` reason and no output. After an intended change, rewrite the outputs
and read the diff:

    PARAVENT_REWRITE_GOLDEN=1 pytest tests/golden/reference

`page` names a page of docs/how-to: the policy is then the reference policy with the pieces that the page shows.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import reference
from paravent.model import Deny, Release, Withhold
from paravent.reasons import Reason
from paravent.sandbox.routes import OPERATIONS
from pointers import changed
from reference import PROFESSIONS, Ask, allowed, answer, compiled, settled, verdict

HERE = Path(__file__).parent
REWRITE = bool(os.environ.get("PARAVENT_REWRITE_GOLDEN"))
CASES: Final = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("*.yaml"))}

ASKS: Final[dict[str, Callable[..., Ask]]] = {
    "droits.consultation": reference.consultation,
    "beneficiaires.recherche": reference.search,
    "cartes.beneficiaires": reference.card,
    "prises-en-charge.demande": reference.agreement,
    "compte.lecture": reference.account,
    "soap.adri": reference.soap,
    "fhir.eligibilite": reference.eligibility,
    "portail.droits": reference.page,
    "portail.style": reference.style,
    "portail.logo": reference.logo,
}

REFUSED: Final[dict[str, Callable[..., Ask]]] = {
    "exports.creation": reference.export,
    "fhir.couvertures": reference.coverages,
    "portail.statique": reference.asset,
}
"""Operations of the reference API that the policy does not name, or names in part."""
EXAMPLES: Final[dict[str, Callable[..., Ask]]] = {"droits.lot": reference.batch}
"""Operations that only a page of docs/how-to has."""


def input_of(case: dict[str, Any]) -> bytes:
    """What the upstream answers."""
    path, changes = HERE / case["input"], case.get("change", {})
    if path.suffix == ".json":
        return json.dumps(changed(json.loads(path.read_bytes()), changes)).encode()
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{old!r} is not in the input"
        text = text.replace(old, new)
    return text.encode()


def shown_of(body: bytes) -> Any:
    """What leaves, so that a diff shows one thing a line."""
    if body.startswith(b"{"):
        return json.loads(body)
    return body.decode().replace("><", ">\n<").splitlines()


def outcome_of(case: dict[str, Any]) -> Deny | Withhold | Release:
    ask = (ASKS | REFUSED | EXAMPLES)[case["operation"]](*case.get("ask", ()))
    profession = PROFESSIONS[case["profession"]]
    page = case.get("page", "")
    if "denied" in case:
        decided = verdict(ask, profession, page)
        assert isinstance(decided, Deny), case["claim"]
        return decided
    plan = allowed(ask, profession, page)
    content_type = case.get("type", plan.view.dress.accept.decode()).encode()
    return settled(plan, answer(input_of(case), case.get("status", 200), content_type))


@pytest.mark.parametrize("name", CASES)
def test_what_leaves_under_the_reference_policy(name: str) -> None:
    """Each case's claim is the first line of its file."""
    case, golden = CASES[name], HERE / f"{name}.output.json"
    outcome = outcome_of(case)
    if not isinstance(outcome, Release):
        assert outcome.reason == case.get("withheld", case.get("denied")), case["claim"]
        assert not golden.exists()
        return
    shown = {
        "leaves": shown_of(outcome.body),
        "persons": len(outcome.persons),
        "released": dict(outcome.released),
        "dropped": outcome.dropped,
    }
    text = json.dumps(shown, ensure_ascii=False, indent=1) + "\n"
    if REWRITE:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), case["claim"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not {"withheld", "denied"} & case.keys()])
def test_what_left_leaves_again_or_less_does(name: str) -> None:
    """Filtered a second time it is the same, or part of it: who somebody is may have stayed behind the first time, and
    of whom that is not known nothing leaves. Views that show who somebody is: tests/property."""
    case = CASES[name]
    first = outcome_of(case)
    assert isinstance(first, Release)
    ask = (ASKS | REFUSED | EXAMPLES)[case["operation"]](*case.get("ask", ()))
    plan = allowed(ask, PROFESSIONS[case["profession"]], case.get("page", ""))
    again = plan.view.apply(first.body, plan.asked)
    if isinstance(again, Reason):
        assert again in {Reason.ANSWER_SHAPE, Reason.ANSWER_OTHER_PERSON}
    else:
        assert set(WORDS.findall(again.body)) <= set(WORDS.findall(first.body))
        assert again.body == first.body or case["operation"] not in ANONYMOUS


WORDS: Final = re.compile(rb"[^\s\"<>{}\[\],:]+")
ANONYMOUS: Final = {"cartes.beneficiaires", "compte.lecture", "portail.style", "portail.logo", "fhir.eligibilite"}
"""Answers that name nobody, or say who the one is whom they are about."""


def test_every_output_belongs_to_an_accepted_case() -> None:
    """No golden file is left behind by a case that was renamed."""
    outputs = {path.name.removesuffix(".output.json") for path in HERE.glob("*.output.json")}
    assert outputs == {name for name, case in CASES.items() if not {"withheld", "denied"} & case.keys()}


@pytest.mark.parametrize("profession", PROFESSIONS)
@pytest.mark.parametrize("operation", ASKS)
def test_every_operation_has_cases_for_every_profession(operation: str, profession: str) -> None:
    """One that is accepted and one that is withheld; or, where the policy gives no view, one that is denied."""
    mine = [case for case in CASES.values() if (case["operation"], case["profession"]) == (operation, profession)]
    kinds = {kind for case in mine for kind in ("withheld", "denied") if kind in case}
    if any("withheld" not in case and "denied" not in case for case in mine):
        kinds.add("accepted")
    policy, views = compiled()
    assert set(ASKS) == set(policy.operations)
    open_to_them = any(key[:2] == (operation, PROFESSIONS[profession]) for key in views)
    assert kinds == ({"accepted", "withheld"} if open_to_them else {"denied"})


def test_every_operation_of_the_reference_api_has_cases() -> None:
    """What the policy does not name is refused, for every profession."""
    assert set(OPERATIONS) <= ASKS.keys() | REFUSED.keys()
    for operation in REFUSED:
        mine = [case for case in CASES.values() if case["operation"] == operation and "page" not in case]
        assert {case["profession"] for case in mine} == set(PROFESSIONS)
        assert {case.get("denied") for case in mine} == {"operation_unknown"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_the_reference_api_is_shown_to_leave_and_to_stay(operation: str) -> None:
    """One answer that leaves and one that is withheld; of what the policy keeps closed, by the page that opens it."""
    names = {"portail.style", "portail.logo"} if operation == "portail.statique" else {operation}
    mine = [case for case in CASES.values() if case["operation"] in names]
    assert any("withheld" not in case and "denied" not in case for case in mine)
    assert any("withheld" in case for case in mine)

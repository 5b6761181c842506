"""What somebody learns who asks only to learn whether a guess is right: with the reference policy and real budgets.

Each attacker counts what the answers confirmed, from what the caller sees: status and body. Nothing may be confirmed
without end, and what looks alike must look alike to the byte.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import pytest
from msgspec.structs import replace

from asking import ISSUER_KEY
from conversation import run
from paravent.decide import Allow, Outcome, decide, settle
from paravent.effects import Charge, Effect, FindKey, FindRevocations, ProofSeen, Settle
from paravent.handles import EPOCH_S, make_handle
from paravent.model import Answer, Deny, Disguise, Release, Secret
from paravent.reasons import Problem
from paravent.stores.memory import MemoryLedger
from paravent_mitmproxy import reply
from reference import (
    Ask,
    account,
    allowed,
    answer,
    consultation,
    facts,
    logo,
    page,
    rulebook,
    search,
    settled,
    style,
)
from tokens import NOW_MS, NOW_S, RPPS

MISSES, PERSONS = 30, 60
"""A pharmacist's misses in an hour, and persons in ten minutes."""
GUESSES: Final = 120


def person(number: int, **changes: object) -> dict[str, object]:
    return {
        "nomUsuel": f"ESSAI {'ABCDEFGHIJ'[number // 10 % 10]}{'ABCDEFGHIJ'[number % 10]}",
        "prenom": "CLAIRE",
        "dateNaissance": "19840599",
        "rangGemellaire": 1,
        "noNIRCertifie": nir(number),
        **changes,
    }


def nir(number: int) -> str:
    return f"2840599990{number % 1000:03}"


def immediately[Result](coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine that never waits, as the ledger in memory does not."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    raise AssertionError("it waited")


class Attacker:
    """One pharmacist's stolen session, asking every second: within the requests, until the budgets are spent."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.count = 0
        self.reached = 0
        """Questions that the upstream was asked."""

    def ask(self, ask: Ask, said: Answer) -> Problem | Outcome:
        """What the caller sees when the upstream, if it is asked, says this."""
        self.count += 1
        now_ms = NOW_MS + self.count * 1000
        request = facts(ask, now_ms=now_ms, request_id=f"{self.count:032x}")
        verdict = run(decide(request, rulebook()), self.world).result
        if isinstance(verdict, Deny):
            return verdict.reason.problem
        assert isinstance(verdict, Allow)
        self.reached += 1
        outcome = run(settle(verdict.plan, said, now_ms), self.world).result
        return outcome if isinstance(outcome, Release) else outcome.reason.problem

    def world(self, effect: Effect) -> object:
        """What the store and the issuer answer."""
        match effect:
            case FindKey():
                return ISSUER_KEY.public
            case FindRevocations():
                return ()
            case ProofSeen():
                return False
            case Charge():
                # Every question is sent with the same proof here: replays are another playbook's.
                return immediately(self.ledger.charge(replace(effect, proof=None)))
            case Settle():
                return immediately(self.ledger.settle(effect))


def seen(attacker: Attacker, asked: Iterable[tuple[Ask, Answer]]) -> Counter[str]:
    """How often the caller saw what."""
    told = [attacker.ask(*each) for each in asked]
    return Counter(each.name if isinstance(each, Problem) else "RELEASED" for each in told)


UNKNOWN: Final = answer({"code": "INCONNU", "message": "Aucun droit"}, 404)


def lenient(number: int) -> tuple[Ask, Answer]:
    """The holder of a NIR, asked for with a wrong birth date, at an upstream that overlooks it."""
    return consultation(nir(number), "19990101", 1), answer({"beneficiaireDeSoins": person(number)})


def caught(number: int) -> tuple[Ask, Answer]:
    """Somebody whose answer cannot leave."""
    found = person(number, nomUsuel=nir(number + 1))
    return consultation(nir(number), "19840599", 1), answer({"beneficiaireDeSoins": found})


def breaking(number: int) -> tuple[Ask, Answer]:
    """Somebody at whose data the upstream fails."""
    return consultation(nir(number), "19840599", 1), answer({"trace": nir(number)}, 500)


def breaking_as_a_page(number: int) -> tuple[Ask, Answer]:
    """The same at one that says so with a page and status 200."""
    return consultation(nir(number), "19840599", 1), answer({}, 200, b"text/html")


def no_content(number: int) -> tuple[Ask, Answer]:
    """An upstream that says 204 where others say 404."""
    return search("ESSAI", "CLAIRE", f"{19000101 + number}"), answer({}, 204)


def date_by_date(number: int) -> tuple[Ask, Answer]:
    """One name and one date after another, at a search that overlooks the date."""
    return search("ESSAI", "CLAIRE", f"{19000101 + number}"), answer({"resultats": [person(7)]})


def nameless(number: int) -> tuple[Ask, Answer]:
    """An upstream that says 200 and nobody."""
    return consultation(nir(number), "19840599", 1), answer({"beneficiaireDeSoins": None})


@pytest.mark.parametrize(
    ("guess", "sees", "at_most"),
    [
        pytest.param(lenient, "ANSWER_WITHHELD", MISSES, id="whether a NIR exists, with any birth date"),
        pytest.param(caught, "ANSWER_WITHHELD", PERSONS, id="whether a person exists whose answer is withheld"),
        pytest.param(breaking, "ANSWER_WITHHELD", PERSONS, id="whether a person exists at whom the upstream fails"),
        pytest.param(breaking_as_a_page, "ANSWER_WITHHELD", PERSONS, id="the same, as a page of status 200"),
        pytest.param(no_content, "ANSWER_WITHHELD", MISSES, id="whether nobody is found, said by 204"),
        pytest.param(date_by_date, "BENEFICIARY_UNKNOWN", MISSES, id="when somebody was born, whose name is known"),
        pytest.param(nameless, "BENEFICIARY_UNKNOWN", MISSES, id="whether an empty answer is another than none"),
    ],
)
def test_no_guess_is_free(guess: Callable[[int], tuple[Ask, Answer]], sees: str, at_most: int) -> None:
    """Every confirmation is paid for, and after that the upstream is not asked any more."""
    told = seen(Attacker(), map(guess, range(GUESSES)))
    assert told == {sees: at_most, "BUDGET_SPENT": GUESSES - at_most}


def test_a_spent_budget_is_no_oracle() -> None:
    """Once sixty persons are disclosed, a search whose refusal would tell that somebody exists costs a miss."""
    attacker = Attacker()
    sixty = ((consultation(nir(n), "19840599", 1), answer({"beneficiaireDeSoins": person(n)})) for n in range(PERSONS))
    assert seen(attacker, sixty) == {"RELEASED": PERSONS}
    before = attacker.reached

    def searched(number: int) -> tuple[Ask, Answer]:
        return search("ESSAI", "CLAIRE", "19840599"), answer({"resultats": [person(500 + number)]})

    assert seen(attacker, map(searched, range(GUESSES))) == {"BUDGET_SPENT": GUESSES}
    assert attacker.reached - before == MISSES


def test_asking_again_about_a_patient_whose_answer_is_withheld_stays_free() -> None:
    """A fault in one patient's data does not use up the pharmacist's day."""
    attacker = Attacker()
    assert seen(attacker, [caught(1)] * GUESSES) == {"ANSWER_WITHHELD": GUESSES}
    fine = (consultation(nir(2), "19840599", 1), answer({"beneficiaireDeSoins": person(2)}))
    assert seen(attacker, [fine]) == {"RELEASED": 1}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_outage_leaves_the_day_to_whoever_worked_through_it(status: int) -> None:
    """Who was asked about meanwhile is free afterwards, and all misses are left."""
    attacker = Attacker()

    def asked_about(number: int, status: int) -> tuple[Ask, Answer]:
        return consultation(nir(number), "19840599", 1), answer({"beneficiaireDeSoins": person(number)}, status)

    down = (asked_about(number, status) for number in range(PERSONS))
    assert seen(attacker, down) == {"ANSWER_WITHHELD": PERSONS}
    again = (asked_about(number, 200) for number in range(PERSONS))
    assert seen(attacker, again) == {"RELEASED": PERSONS}
    assert seen(attacker, map(date_by_date, range(GUESSES)))["BENEFICIARY_UNKNOWN"] == MISSES


@pytest.mark.parametrize("status", [500, 503])
def test_searches_during_an_outage_leave_all_misses(status: int) -> None:
    """Else the first half hour of one would keep a pharmacist from consulting for the rest of the hour."""
    attacker = Attacker()
    seen(attacker, ((search("ESSAI", "CLAIRE", "19840599"), answer({}, status)) for _ in range(GUESSES)))
    assert seen(attacker, map(date_by_date, range(GUESSES)))["BENEFICIARY_UNKNOWN"] == MISSES


DAYS: Final = ("2020-01-01", "2023-09-01", "2027-02-01", "0001-01-01", "9999-12-31")
"""More than 27 months before the day of the tests, and more than a year after it; two at which software may stumble."""


@pytest.mark.parametrize("day", DAYS)
def test_nobody_s_life_is_asked_through_day_by_day(day: str) -> None:
    """Who has paid for a person may ask again for free: what they were entitled to long ago is no part of it, and a day
    at which the API fails tells nothing of who exists."""
    attacker, who = Attacker(), consultation(nir(1), "19840599", 1)
    assert isinstance(who.body, dict)
    asked = Ask(who.method, who.path, {**who.body, "dateSoins": day})
    assert seen(attacker, [(asked, answer({"beneficiaireDeSoins": person(1)}))]) == {"MALFORMED_REQUEST": 1}
    assert attacker.reached == 0


WITHOUT_A_GUESS: Final = {
    "a logo that was changed": (logo(), answer(b"<svg/>", 200, b"image/svg+xml")),
    "a style sheet that is gone": (style(), answer(b"", 404, b"text/html")),
    "an account that the API knows nothing of": (account(), answer({}, 403)),
    "an account that is a list": (account(), answer([])),
}


@pytest.mark.parametrize("each", WITHOUT_A_GUESS.values(), ids=WITHOUT_A_GUESS)
def test_a_question_that_everybody_asks_alike_is_no_guess(each: tuple[Ask, Answer]) -> None:
    """A portal's new logo, refused with every page, leaves the pharmacist all their misses."""
    attacker = Attacker()
    seen(attacker, [each] * GUESSES)
    assert seen(attacker, map(date_by_date, range(GUESSES)))["BENEFICIARY_UNKNOWN"] == MISSES


ALIKE: Final = (
    ("unknown", consultation(nir(1), "19840599", 1), UNKNOWN),
    ("malformed", consultation(nir(1), "19840599", 1), answer({"message": nir(1)}, 422)),
    ("refused", consultation(nir(1), "19840599", 1), answer({"message": nir(1)}, 403)),
    ("nobody", consultation(nir(1), "19840599", 1), answer({"beneficiaireDeSoins": None})),
    ("nothing found", search("ESSAI", "CLAIRE", "19840599"), answer({"total": 0, "resultats": []})),
    (
        "others found",
        search("ESSAI", "CLAIRE", "19840599"),
        answer({"resultats": [person(1, dateNaissance="19840598")]}),
    ),
    ("found, and nobody to count", search("ESSAI", "CLAIRE", "19840599"), answer({"resultats": [{"nomUsuel": "A"}]})),
)


def test_unknown_malformed_refused_and_nobody_are_one_answer() -> None:
    """Status, headers and body, to the byte: no length, no rate limit and no wording tells them apart."""
    answers = set()
    for _, ask, said in ALIKE:
        outcome = settled(allowed(ask, "21"), said)
        assert not isinstance(outcome, Release)
        sealed = reply.withhold(outcome, "0" * 32, "fr")
        answers.add(sealed.wire(close=False, body=True))
    assert len(answers) == 1
    assert b"ratelimit" not in answers.pop().lower()


def handle(key: bytes = b"d" * 32, *, rpps: str = RPPS, ago_s: int = 0) -> str:
    return make_handle(Disguise(Secret(key), rpps, NOW_S - ago_s), nir(1))


REFUSED_HANDLES: Final = {
    "another practitioner's": handle(rpps="10009999999"),
    "an expired one": handle(ago_s=2 * EPOCH_S),
    "one that is not made yet": handle(ago_s=-2 * EPOCH_S),
    "one of another key file": handle(b"e" * 32),
    "a forged one": handle()[:-4] + "AAAA",
    "one that nobody made": "h1." + "A" * 44,
}


def test_a_handle_that_does_not_open_is_one_answer_whatever_is_wrong_with_it() -> None:
    """That of somebody whom the API does not know, to the byte; and of all of them nobody is asked and nothing charged:
    to look for one costs guesses of 128 bits, and a page left open overnight costs its practitioner no patient."""
    wires, asked = set(), []
    for each in REFUSED_HANDLES.values():
        world = Attacker()
        conversation = run(decide(facts(page(each, "19840599", 1)), rulebook()), world.world)
        assert isinstance(conversation.result, Deny)
        wires.add(reply.deny(conversation.result, "0" * 32, "fr").wire(close=False, body=True))
        asked.append([type(effect) for effect in conversation.asked])
    outcome = settled(allowed(page(handle(), "19840599", 1), "21"), UNKNOWN)
    assert not isinstance(outcome, Release)
    assert wires == {reply.withhold(outcome, "0" * 32, "fr").wire(close=False, body=True)}
    assert not any(effect in {Charge, Settle} for effects in asked for effect in effects)
    assert all(effects == asked[0] for effects in asked)


def test_a_handle_tells_of_the_person_what_their_number_would() -> None:
    """Whoever may open it asked with the number before: the same person is charged, or a miss."""
    plans = [allowed(page(each, "19840599", 1), "21") for each in (handle(), nir(1))]
    assert plans[0].charge.persons == plans[1].charge.persons
    assert plans[0].upstream.body == plans[1].upstream.body

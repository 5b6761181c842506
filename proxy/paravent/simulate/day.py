"""One pharmacy's honest day: 200 patients in ten hours, some of them twice, some mistyped first.

The whole day goes through one pharmacist's account. In reality two or three share it, so this is the harder case. The
rhythm is ours; what is published is the total (four million patients a day, some 20 000 pharmacies).

An answer serves when what a dispensation needs (`needs`) is in it, as it is in the API's own answer to the same
question. A patient is hindered when one question about them, rightly typed, was not served.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from paravent.simulate.answers import PersonKey, Question, count_fields
from paravent.simulate.client import Caller, Login, Reply
from paravent.simulate.clock import ReplayClock
from paravent.simulate.needs import Need, needs

HOURS: Final = 10
RHYTHM: Final = (6, 10, 12, 10, 6, 7, 9, 12, 16, 12)
"""How the patients spread over the hours, in per cent: most come before noon and after work."""
AGAIN_SHARE: Final = 0.15
"""Patients who are looked up a second time: an item forgotten, an invoice rejected."""
SLIP_SHARE: Final = 0.025
"""First questions with a slip of the keyboard in the birth date."""
TOKEN_S: Final = 3600
LOGIN_S: Final = 4 * 3600 - 600
"""The pharmacist logs in anew, with both factors, ten minutes before the session would end by itself."""


class Kind(Enum):
    """Why a question is asked."""

    FIRST = "first"
    AGAIN = "again"
    SLIP = "slip"


@dataclass(frozen=True, slots=True)
class Event:
    """One question of the day."""

    at_ms: int
    """After opening."""
    kind: Kind
    question: Question


@dataclass(slots=True)
class DayFigures:
    """How the day went, as the pharmacy saw it."""

    patients: int
    requests: int = 0
    refused: int = 0
    """Requests answered 401, 403 or 429, or with a failure of the server's."""
    corrected: int = 0
    """Slips that were answered "not found", as they should be."""
    hindered: set[PersonKey] = field(default_factory=set, repr=False)
    fields_raw: int = 0
    """In the API's own answer to the first patient's question."""
    fields_reduced: int = 0
    """In what the pharmacist received instead."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the API itself answers, asked without the proxy: the measure for every answer of the day."""

    needed: frozenset[Need]
    fields: int


def plan_day(patients: Sequence[Question], seed: int) -> list[Event]:
    """The questions of a day in order of time. The same for the same patients and seed."""
    dice = random.Random(seed)  # noqa: S311 (a rhythm, not a secret)
    again = set(dice.sample(range(len(patients)), round(len(patients) * AGAIN_SHARE)))
    slips = set(dice.sample(range(len(patients)), round(len(patients) * SLIP_SHARE)))
    events: list[Event] = []
    for number, question in enumerate(patients):
        (hour,) = dice.choices(range(HOURS), RHYTHM)
        at_ms = (hour * 3600 + dice.randrange(3600)) * 1000
        if number in slips:
            events.append(Event(at_ms, Kind.SLIP, mistyped(question)))
            at_ms += dice.randrange(8_000, 30_000)
        events.append(Event(at_ms, Kind.FIRST, question))
        if number in again:
            events.append(Event(at_ms + dice.randrange(60_000, 3_600_000), Kind.AGAIN, question))
    return sorted(events, key=lambda event: event.at_ms)


def mistyped(question: Question) -> Question:
    """The same question with the birth year off by ten: nobody's."""
    year = int(question.birth_date[:4])
    return replace(question, birth_date=f"{year - 10:04}{question.birth_date[4:]}")


def truths(api: Caller, patients: Sequence[Question], today: str) -> dict[PersonKey, Truth]:
    """Ask the API itself about every patient. Raises LookupError for one it does not know."""
    found: dict[PersonKey, Truth] = {}
    for question in patients:
        reply = api.ask(question, today, None, 0)
        if reply.status != 200:
            raise LookupError(f"the reference API answered {reply.status} about one of its own people")
        document = reply.document()
        found[question.person] = Truth(needs(document), count_fields(document))
    return found


class Till:
    """The pharmacist's software: keeps the login fresh, asks, and judges what comes back."""

    def __init__(
        self, proxy: Caller, clock: ReplayClock, log_in: Callable[[int, int], Login], truth: Mapping[PersonKey, Truth]
    ) -> None:
        """`log_in(now_s, login_s)` gets a token at `now_s` in a session begun at `login_s`; seconds since 1970."""
        self._proxy = proxy
        self._clock = clock
        self._log_in = log_in
        self._truth = truth
        self._login_s = self._token_s = 0
        self._login: Login | None = None
        self.figures = DayFigures(len(truth))

    def handle(self, event: Event, opening_ms: int) -> None:
        """Live one event: move time to it, ask, judge."""
        self._clock.set(max(self._clock.now_ms(), opening_ms + event.at_ms))
        now_s = self._clock.now_ms() // 1000
        reply = self._proxy.ask(event.question, care_date(now_s), self._fresh(now_s), now_s)
        self.figures.requests += 1
        if reply.status in {401, 403, 429} or reply.status >= 500:
            self.figures.refused += 1
        if event.kind is Kind.SLIP:
            self.figures.corrected += reply.status == 404
        else:
            self._judge(event.question, reply)

    def _judge(self, question: Question, reply: Reply) -> None:
        document = reply.document()
        truth = self._truth[question.person]
        if reply.status != 200 or needs(document) != truth.needed:
            self.figures.hindered.add(question.person)
        elif not self.figures.fields_raw:
            self.figures.fields_raw, self.figures.fields_reduced = truth.fields, count_fields(document)

    def _fresh(self, now_s: int) -> Login:
        if self._login is None or now_s - self._login_s >= LOGIN_S:
            self._login_s = now_s
            self._login = None
        if self._login is None or now_s - self._token_s >= TOKEN_S - 60:
            self._token_s = now_s
            self._login = self._log_in(now_s, self._login_s)
        return self._login


def care_date(now_s: int) -> str:
    """The date of care, as the API writes it."""
    return datetime.fromtimestamp(now_s, UTC).date().isoformat()

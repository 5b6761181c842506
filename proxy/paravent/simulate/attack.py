"""The attack of March 2022 on amelipro, as traffic: nineteen stolen accounts, a bot on each, as fast as it is served.

What is known of it: nineteen accounts, pharmacists' for the most part, stolen passwords, bots, at least 510 000 insured
people, 26 842 an account (Assurance Maladie, 17 March 2022). Its pace and its hours were never published, so a bot here
takes all that it is given until it is stopped, or until it is told to come back after the replay is over.

All figures are counted by the bots from the answers they received.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from paravent.simulate.answers import PersonKey, Question, expose
from paravent.simulate.client import Caller, Login, Reply

ACCOUNTS: Final = 19
NAME: Final = "amelipro-2022"
BARREN_S: Final = 2.0
"""How long every account must have been turned away for good before a row ends."""
FOR_GOOD_S: Final = 60
"""A refusal for longer than this outlasts the replay. A shorter one is waited for, by asking again and again."""
_POLL_S: Final = 0.05


@dataclass(slots=True)
class Haul:
    """What one bot has taken so far."""

    requests: int = 0
    fields: dict[PersonKey, int] = field(default_factory=dict, repr=False)
    """Person → the most fields received about them in one answer."""
    nirs: set[str] = field(default_factory=set, repr=False)
    sent: set[str] = field(default_factory=set, repr=False)
    last_new_s: float | None = None
    """Since the attack began: when an answer last held a person that this bot had not seen."""
    barren_since_s: float | None = None
    """When the unbroken run of refusals for good began; None while there is something to wait for."""
    retry_after_s: int | None = None
    """Of the last refusal."""
    failures: int = 0
    """Requests that got no answer at all."""

    def take(self, question: Question, reply: Reply, now_s: float) -> None:
        """Read one answer."""
        self.requests += 1
        self.sent.add(question.nir)
        if reply.status == 200:
            exposed = expose(question, reply.document())
            if not exposed.fields.keys() <= self.fields.keys():
                self.last_new_s = now_s
            for person, count in exposed.fields.items():
                self.fields[person] = max(self.fields.get(person, 0), count)
            self.nirs |= exposed.nirs
        self.retry_after_s = reply.retry_after_s
        turned_away = reply.status in {401, 403} or (reply.status == 429 and (reply.retry_after_s or 0) > FOR_GOOD_S)
        if not turned_away:
            self.barren_since_s = None
        elif self.barren_since_s is None:
            self.barren_since_s = now_s


@dataclass(frozen=True, slots=True)
class Row:
    """One attack, in figures."""

    path: str
    """"api" or "paravent"."""
    stolen: str
    """"password" or "session"."""
    accounts: int
    requests: int
    persons_exposed: int
    nirs_gained: int
    """Distinct NIRs received that no bot had sent."""
    fields_per_person: float
    seconds_until_dry: float
    """Until the last new person, or the length of the run when it never ran dry."""
    seconds: float
    """The length of the run."""
    dry: bool
    """Every account was turned away for good before the run was stopped."""
    retry_after_s: int | None
    """The shortest wait that an account was last told."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is attacked, and with what."""

    path: str
    stolen: str
    connect: Callable[[], Caller]
    logins: tuple[Login | None, ...]
    """One an account. None where the target asks for none."""


def attack(
    target: Target,
    lists: list[Iterator[Question]],
    care_date: str,
    limit_s: float,
    progress: Callable[[float, int], None] = lambda _elapsed_s, _requests: None,
) -> Row:
    """Let the bots loose for `limit_s` seconds, or until every account has run dry. Raises RuntimeError when the
    target did not answer: a server that is down exposes nobody, and proves nothing."""
    stop = threading.Event()
    hauls = [Haul() for _ in target.logins]
    began_s = time.monotonic()
    bots = [
        threading.Thread(target=_bot, args=(target, login, known, care_date, haul, began_s, stop), daemon=True)
        for login, known, haul in zip(target.logins, lists, hauls, strict=True)
    ]
    for bot in bots:
        bot.start()
    try:
        while (elapsed_s := time.monotonic() - began_s) < limit_s and not _barren(hauls, elapsed_s):
            progress(elapsed_s, sum(haul.requests for haul in hauls))
            stop.wait(_POLL_S)
    finally:
        stop.set()
        for bot in bots:
            bot.join()
    return summed(target, hauls, elapsed_s)


def _barren(hauls: list[Haul], now_s: float) -> bool:
    return all(haul.barren_since_s is not None and now_s - haul.barren_since_s >= BARREN_S for haul in hauls)


def _dry(haul: Haul, now_s: float) -> bool:
    """Turned away for good, for long enough to believe it; or from the first answer to the last."""
    if haul.barren_since_s is None:
        return False
    return haul.last_new_s is None or now_s - haul.barren_since_s >= BARREN_S


def _bot(
    target: Target,
    login: Login | None,
    known: Iterator[Question],
    care_date: str,
    haul: Haul,
    began_s: float,
    stop: threading.Event,
) -> None:
    question: Question | None = None
    with target.connect() as caller:
        while not stop.is_set():
            question = question or next(known)
            try:
                reply = caller.ask(question, care_date, login, int(time.time()))
            except OSError:
                haul.failures += 1
                stop.wait(_POLL_S)
                continue
            haul.take(question, reply, time.monotonic() - began_s)
            if reply.status not in {401, 403, 429}:
                question = None
            # A refusal is answered by the same question again: there is nothing to be had from the next one either.


def summed(target: Target, hauls: list[Haul], seconds: float) -> Row:
    """All accounts together."""
    if any(not haul.requests for haul in hauls):
        raise RuntimeError(f"{sum(not haul.requests for haul in hauls)} of the attacker's connections got no answer")
    dry = all(_dry(haul, seconds) for haul in hauls)
    fields: dict[PersonKey, int] = {}
    for haul in hauls:
        for person, count in haul.fields.items():
            fields[person] = max(fields.get(person, 0), count)
    gained = set[str]().union(*(haul.nirs for haul in hauls)) - set[str]().union(*(haul.sent for haul in hauls))
    last_new_s = max((haul.last_new_s for haul in hauls if haul.last_new_s is not None), default=0.0)
    return Row(
        path=target.path,
        stolen=target.stolen,
        accounts=len(hauls),
        requests=sum(haul.requests for haul in hauls),
        persons_exposed=len(fields),
        nirs_gained=len(gained),
        fields_per_person=sum(fields.values()) / len(fields) if fields else 0.0,
        seconds_until_dry=last_new_s if dry else seconds,
        seconds=seconds,
        dry=dry,
        retry_after_s=min((haul.retry_after_s for haul in hauls if haul.retry_after_s is not None), default=None),
    )

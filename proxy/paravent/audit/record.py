"""One decision as one record of the ledger.

Everything disclosed is on record before it leaves: who asked, with what proof, about whom, which fields left, how
many did not. The practitioner is named (CNIL, délibération 2021-122: the log says who did what); the persons are keyed
hashes, which whoever holds the key file can compare with a list of patients and nobody else can turn back.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, assert_never

from paravent.audit import grammar
from paravent.model import About, Deny, Facts, Practitioner, Release, Subject, Withhold

VERSION = 1
"""Of the record's members. Goes up when one of them changes its meaning."""

SUBJECT_BYTES = 16


def record(
    facts: Facts, result: Deny | Withhold | Release, *, status: int, revision: str, elapsed_ms: int
) -> dict[str, object]:
    """The record of one decision. A new dict of JSON values, all of them checked against `audit.grammar`.

    `status`: what the caller is answered. `revision`: of the policy that decided. `elapsed_ms`: from `facts.now_ms`
    to the decision.
    """
    return {
        "v": VERSION,
        "id": grammar.request_id(facts.request_id),
        "at": rfc3339(facts.now_ms),
        "status": status if 100 <= status <= 599 else 0,
        "policy": grammar.digest(revision),
        "elapsed_ms": grammar.number(elapsed_ms),
        **_who(result.about),
        **_what(result),
    }


def _who(about: About) -> dict[str, object]:
    """Who asked, how they proved it, and about whom. Null: the decision did not get that far."""
    evidence = about.evidence
    return {
        "operation": None if about.operation is None else grammar.name(about.operation),
        "purpose": None if about.purpose is None else grammar.name(about.purpose),
        **(_NOBODY if about.practitioner is None else _named(about.practitioner)),
        "level": None if evidence is None else grammar.name(evidence.level),
        "auth_age_s": None if evidence is None else grammar.number(evidence.auth_age_s),
        "binding": None if evidence is None else grammar.binding(evidence.binding),
        "token": None if evidence is None else grammar.digest(evidence.token_id),
        "asked": None if about.subject is None else _subject(about.subject),
        "measures": [grammar.digest(each) for each in about.measures],
        "emergency": about.emergency,
        "justification": None if about.justification is None else grammar.words(about.justification),
    }


_NOBODY: Final = dict.fromkeys(("practitioner", "profession", "finess", "client", "issuer"))


@lru_cache(maxsize=1024)
def _named(who: Practitioner) -> Mapping[str, str | None]:
    return {
        "practitioner": grammar.rpps(who.rpps),
        "profession": grammar.profession(who.profession),
        "finess": None if who.finess is None else grammar.finess(who.finess),
        "client": grammar.name(who.client),
        "issuer": grammar.name(who.issuer),
    }


def _what(result: Deny | Withhold | Release) -> dict[str, object]:
    """What came of it. A person is listed only when an answer about them left."""
    match result:
        case Release():
            return {
                "decision": "release",
                "reason": None,
                "persons": [_subject(person) for person in result.persons],
                "released": _released(result),
                "dropped": grammar.number(result.dropped),
            }
        case Deny():
            return _nothing("deny", result.reason.value)
        case Withhold():
            return _nothing("withhold", result.reason.value)
        case _:
            assert_never(result)


def _nothing(decision: str, reason: str) -> dict[str, object]:
    return {"decision": decision, "reason": reason, "persons": [], "released": {}, "dropped": 0}


def _released(release: Release) -> dict[str, int]:
    """Policy path → how many values left. Paths that do not fit are counted together."""
    released = release.released
    numbers = released.values()
    if released.keys() <= _FITTING and 0 <= min(numbers, default=0) <= max(numbers, default=0) <= grammar.NUMBER_MAX:
        return dict(released)
    counts: dict[str, int] = {}
    for path, count in released.items():
        fitting = grammar.path(path)
        if fitting == path and len(_FITTING) < PATHS_REMEMBERED:
            _FITTING.add(path)
        counts[fitting] = grammar.number(counts.get(fitting, 0) + count)
    return counts


PATHS_REMEMBERED: Final = 4096
_FITTING: Final[set[str]] = set()
"""Paths that were found to fit: a policy has some hundred, and each record names twenty of them."""


def _subject(subject: Subject) -> str:
    """32 hexadecimal characters."""
    return subject.key.hex() if len(subject.key) == SUBJECT_BYTES else grammar.OTHER


def rfc3339(moment_ms: int) -> str:
    """RFC 3339 section 5.6, UTC, milliseconds: 2026-03-02T08:15:00.250Z."""
    return f"{_second(moment_ms // 1000)}.{moment_ms % 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(moment_s: int) -> str:
    # Remembered: the requests of one second share it, and formatting it costs as much as the rest of the record.
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")

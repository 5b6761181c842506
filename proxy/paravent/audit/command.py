"""What somebody did by command, about one practitioner or to revoke something, as one record of the ledger.

The members are those of a decision, so that a reader finds every one of them in every record; what a command has none
of is null. `command` says the rest, and only these records have it.
"""

from collections.abc import Mapping

from paravent.audit import grammar
from paravent.audit.record import VERSION, rfc3339
from paravent.effects import Measure, Revocation

DECISION = "command"
"""Of all of them: nobody was answered."""


def command_record(
    id: str, at_ms: int, verb: str, measure: Measure, rpps: str | None, author: str, because: str
) -> dict[str, object]:
    """`id`: 32 hexadecimal characters. `verb`: "grant", "withdraw", "suspend", "release". `rpps`: None where a measure
    is named and not a practitioner. `author`, `because`: of the command, not of the measure that it ends."""
    command = {
        "author": grammar.said(author),
        "because": grammar.said(because),
        "mark": None,
        "persons": grammar.number(measure.persons),
        "from": rfc3339(measure.from_s * 1000),
        "until": rfc3339(measure.until_s * 1000),
        "issued_before": None,
    }
    return _record(id, at_ms, verb, rpps, [grammar.digest(measure.id)], command)


def revocation_record(
    id: str, at_ms: int, verb: str, revocation: Revocation, author: str, because: str
) -> dict[str, object]:
    """`verb`: "revoke", "lift". A revocation stands from the moment of its record."""
    kind, _, which = revocation.mark.partition(":")
    command = {
        "author": grammar.said(author),
        "because": grammar.said(because),
        "mark": grammar.mark(revocation.mark),
        "persons": 0,
        "from": rfc3339(at_ms),
        "until": _moment(revocation.until_s),
        "issued_before": _moment(revocation.issued_before_s),
    }
    return _record(id, at_ms, verb, which.partition("@")[0] if kind == "practitioner" else None, [], command)


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else rfc3339(seconds * 1000)


def _record(
    id: str, at_ms: int, verb: str, rpps: str | None, measures: list[str], command: Mapping[str, object]
) -> dict[str, object]:
    return {
        "v": VERSION,
        "id": grammar.request_id(id),
        "at": rfc3339(at_ms),
        "status": 0,
        "policy": None,
        "elapsed_ms": 0,
        "operation": None,
        "purpose": None,
        "practitioner": None if rpps is None else grammar.rpps(rpps),
        "profession": None,
        "finess": None,
        "client": None,
        "issuer": None,
        "level": None,
        "auth_age_s": None,
        "binding": None,
        "token": None,
        "asked": None,
        "measures": measures,
        "emergency": False,
        "justification": None,
        "decision": DECISION,
        "reason": grammar.name(verb),
        "persons": [],
        "released": {},
        "dropped": 0,
        "command": command,
    }

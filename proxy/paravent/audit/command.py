"""What somebody did about one practitioner by command, as one record of the ledger.

The members are those of a decision, so that a reader finds every one of them in every record; what a command has none
of is null. `command` says the rest, and only these records have it.
"""

from paravent.audit import grammar
from paravent.audit.record import VERSION, rfc3339
from paravent.effects import Measure

DECISION = "command"
"""Of all of them: nobody was answered."""


def command_record(
    id: str, at_ms: int, verb: str, measure: Measure, rpps: str | None, author: str, because: str
) -> dict[str, object]:
    """`id`: 32 hexadecimal characters. `verb`: "grant", "withdraw", "suspend", "release". `rpps`: None where a measure
    is named and not a practitioner. `author`, `because`: of the command, not of the measure that it ends."""
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
        "measures": [grammar.digest(measure.id)],
        "emergency": False,
        "justification": None,
        "decision": DECISION,
        "reason": grammar.name(verb),
        "persons": [],
        "released": {},
        "dropped": 0,
        "command": {
            "author": grammar.said(author),
            "because": grammar.said(because),
            "persons": grammar.number(measure.persons),
            "from": rfc3339(measure.from_s * 1000),
            "until": rfc3339(measure.until_s * 1000),
        },
    }

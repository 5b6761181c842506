"""How one practitioner stands: what `paravent practitioner show` says."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from paravent.audit.command import DECISION
from paravent.cli.moments import shown
from paravent.effects import Budget, BudgetKind, Measure, Revocation, Scope, Usage
from paravent.quota.charges import PRACTITIONER
from paravent.quota.measures import added
from paravent.quota.windows import name_of
from paravent.rules import Budgets, Policy, Quotas, Window

if TYPE_CHECKING:
    from paravent.model import Json

SINCE_DAYS: Final = 30
"""How far back the ledger is read: as far as the longest window."""

_REFUSED: Final = frozenset({"deny", "withhold"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ledger of this machine holds of somebody."""

    records: int = 0
    profession: str | None = None
    """TRE_G15 code, in the last record that names one."""
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    """Reason → how often."""
    last_refused: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about one practitioner."""

    profession: str | None
    """The policy's word. None: nobody says, and limits cannot be named."""
    usage: tuple[Usage, ...]
    more: int
    """Persons that grants in force add to each limit of persons."""
    seen: Seen | None
    """None: the ledger could not be read."""
    measures: tuple[Measure, ...]
    revocations: tuple[Revocation, ...]


def seen(records: Iterable[Mapping[str, object]]) -> Seen:
    """Added up. Records of several writers come one writer after the other."""
    number, professions, refused, last = 0, [("", "")], Counter[str](), ""
    for record in records:
        if record["decision"] == DECISION:
            continue  # somebody's command, and nothing that they asked
        number += 1
        at = str(record["at"])
        if record.get("profession"):
            professions = [max(professions[0], (at, str(record["profession"])))]
        if record["decision"] in _REFUSED:
            refused[str(record["reason"])] += 1
            last = max(last, at)
    return Seen(number, professions[0][1] or None, refused, last or None)


def budgets(quotas: Quotas, rpps: str, code: str | None) -> tuple[Budget, ...]:
    """The practitioner's own, of one profession; of an unknown one, every window that any profession has."""
    own = quotas.professions.get(code or "") or _every(quotas.professions.values())
    kinds = (
        (BudgetKind.PERSONS, own.persons),
        (BudgetKind.MISSES, own.misses),
        (BudgetKind.REQUESTS, own.requests),
        (BudgetKind.UNITS, own.units),
    )
    payer = PRACTITIONER + rpps
    return tuple(Budget(Scope.PRACTITIONER, payer, kind, windows) for kind, windows in kinds if windows)


def _every(professions: Iterable[Budgets]) -> Budgets:
    every = tuple(professions)

    def of(kind: str) -> tuple[Window, ...]:
        windows = {Window.over(0, window.span) for each in every for window in getattr(each, kind)}
        return tuple(sorted(windows, key=lambda window: (window.per_s, window.span)))

    return Budgets(of("persons"), of("misses"), of("requests"), of("units"))


def more(policy: Policy, measures: Sequence[Measure], now_s: int) -> int:
    """Persons that grants in force add."""
    return added(measures, policy.quotas, now_s)[0]


def as_json(rpps: str, it: Standing) -> "dict[str, Json]":
    """For machines. `limit` is null where the profession is not known."""
    refusals: Json = None
    if it.seen is not None:
        refusals = {
            "from": "ledger of this machine",
            "days": SINCE_DAYS,
            "records": it.seen.records,
            "by_reason": dict(sorted(it.seen.refused.items())),
            "last": it.seen.last_refused,
        }
    return {
        "practitioner": rpps,
        "profession": it.profession,
        "usage": [
            {"kind": use.kind.value, "window": name_of(use.window.span), "used": use.used, "limit": _limit(use, it)}
            for use in it.usage
        ],
        "refusals": refusals,
        "measures": [
            {
                "id": each.id,
                "kind": each.kind.value,
                "persons": each.persons,
                "from": shown(each.from_s),
                "until": shown(each.until_s),
                "author": each.author,
                "because": each.because,
            }
            for each in it.measures
        ],
        "revocations": [
            {
                "until": None if each.until_s is None else shown(each.until_s),
                "issued_before": None if each.issued_before_s is None else shown(each.issued_before_s),
                "because": each.because,
            }
            for each in it.revocations
        ],
    }


def as_text(rpps: str, it: Standing) -> str:
    """For people."""
    lines = [f"practitioner {rpps}, {it.profession or 'of a profession that nobody says (--profession)'}", ""]
    width = max((16, *(len(_name(use)) for use in it.usage)))
    lines += [f"  {_name(use):{width}}{use.used:>8}  {_of(use, it)}" for use in it.usage]
    lines += ["", *_refusals(it.seen), ""]
    lines += [_measure(each) for each in it.measures] or ["no grant, not suspended"]
    lines += [_revoked(each) for each in it.revocations] or ["not revoked"]
    return "\n".join(lines)


def _name(use: Usage) -> str:
    return f"{use.kind.value} {name_of(use.window.span)}"


def _of(use: Usage, it: Standing) -> str:
    limit = _limit(use, it)
    if limit is None:
        return "used"
    with_grants = f", {it.more} of them by grant" if it.more and use.kind is BudgetKind.PERSONS else ""
    return f"of {limit}{with_grants}"


def _limit(use: Usage, it: Standing) -> int | None:
    if it.profession is None:
        return None
    return use.window.limit + (it.more if use.kind is BudgetKind.PERSONS else 0)


def _refusals(seen: Seen | None) -> list[str]:
    where = f"in the ledger of this machine, last {SINCE_DAYS} days"
    if seen is None:
        return ["refusals: the ledger of this machine could not be read"]
    lines = [f"{sum(seen.refused.values())} refused of {seen.records} records {where}"]
    lines += [f"  {reason:32}{number:>8}" for reason, number in sorted(seen.refused.items())]
    return lines + ([f"  the last at {seen.last_refused}"] if seen.last_refused else [])


def _measure(each: Measure) -> str:
    when = f"{shown(each.from_s)} to {shown(each.until_s)}"
    persons = (f"+{each.persons}",) if each.persons else ()
    return "  ".join((each.kind.value, each.id, *persons, when, each.author, each.because))


def _revoked(each: Revocation) -> str:
    until = "until it is lifted" if each.until_s is None else f"until {shown(each.until_s)}"
    issued = "" if each.issued_before_s is None else f"what was issued before {shown(each.issued_before_s)}"
    return "  ".join(text for text in ("revoked", until, issued, each.because) if text)

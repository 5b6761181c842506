"""Who uses most of their budget of persons: the table of `paravent status --top`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from paravent.audit.keys import practitioner_hash
from paravent.effects import Measure
from paravent.model import Secret
from paravent.quota.charges import PRACTITIONER
from paravent.quota.measures import added
from paravent.quota.windows import name_of
from paravent.rules import Policy, Quotas


class Row(TypedDict):
    """One practitioner, in the window that is fullest."""

    practitioner: str
    """A keyed hash, as in `paravent grants`; the RPPS number where it was asked for."""
    profession: str | None
    window: str
    used: int
    limit: int
    """With what is granted. Of an unknown profession: the widest of all professions."""
    share: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """What rows are made of."""

    policy: Policy
    professions: Mapping[str, str]
    """RPPS number → TRE_G15 code, as far as anybody knows."""
    measures: Mapping[str, tuple[Measure, ...]]
    """By keyed hash."""
    key: Secret[bytes]
    now_s: int


def by_practitioner(measures: Iterable[Measure]) -> Mapping[str, tuple[Measure, ...]]:
    """By keyed hash, each in the order of the book. Walked through once: a campaign grants to thousands."""
    found: defaultdict[str, list[Measure]] = defaultdict(list)
    for each in measures:
        found[each.practitioner].append(each)
    return {practitioner: tuple(theirs) for practitioner, theirs in found.items()}


def spans(quotas: Quotas) -> tuple[int, ...]:
    """Every window of persons that any profession has, the shortest first."""
    windows = {window.span: window.per_s for own in quotas.professions.values() for window in own.persons}
    return tuple(sorted(windows, key=lambda span: (windows[span], span)))


def rows_of(used: Mapping[str, tuple[int, ...]], sheet: Sheet, most: int, *, named: bool) -> list[Row]:
    """The fullest first. `used`: payer → persons in each of `spans`."""
    rows = [row for payer, persons in used.items() if (row := _row(payer, persons, sheet, named)) is not None]
    return sorted(rows, key=lambda row: (-row["share"], -row["used"], row["practitioner"]))[:most]


def _row(payer: str, persons: tuple[int, ...], sheet: Sheet, named: bool) -> Row | None:
    rpps = payer.removeprefix(PRACTITIONER)
    quotas = sheet.policy.quotas
    hashed = practitioner_hash(sheet.key, rpps)
    more = added(sheet.measures.get(hashed, ()), quotas, sheet.now_s)[0]
    code = sheet.professions.get(rpps, "")
    limits = _limits(quotas, code if code in quotas.professions else None)
    shares = [
        (used / (limits[span] + more), used, span)
        for span, used in zip(spans(quotas), persons, strict=True)
        if span in limits
    ]
    if not shares:
        return None
    share, used, span = max(shares)
    return Row(
        practitioner=rpps if named else hashed,
        profession=sheet.policy.professions.get(code),
        window=name_of(span),
        used=used,
        limit=limits[span] + more,
        share=round(share, 3),
    )


def _limits(quotas: Quotas, code: str | None) -> dict[int, int]:
    """Window → limit."""
    professions = quotas.professions.values() if code is None else (quotas.professions[code],)
    limits: dict[int, int] = {}
    for own in professions:
        for window in own.persons:
            limits[window.span] = max(window.limit, limits.get(window.span, 0))
    return limits


def table(rows: Sequence[Row]) -> list[str]:
    """One line each."""
    width = max((5, *(len(row["window"]) for row in rows)))
    return [
        f"  {row['practitioner']:32}  {row['profession'] or '?':14}{row['window']:>{width}}"
        f"{row['used']:>8} of {row['limit']:<8}{row['share']:>5.0%}"
        for row in rows
    ]

"""The table of `paravent policy blast-radius`."""

from collections.abc import Sequence
from typing import Final, TypedDict

from paravent.quota.blast_radius import PERIODS_S, blast_radius
from paravent.quota.windows import name_of
from paravent.rules import Policy


class Row(TypedDict):
    """One theft, and the most persons that it can expose in each period; None where no budget bounds it."""

    stolen: str
    """"account of pharmacien", "raised account of pharmacien" (with all that may be added to its limits),
    "establishment", "client", "certificate", "network", "fleet"."""
    persons: dict[str, int | None]
    """"1h", "1d", "30d" → persons."""


PERIODS: Final = tuple(name_of(period_s) for period_s in PERIODS_S)


def rows_of(policy: Policy) -> list[Row]:
    """One row a theft, accounts first."""
    rows: dict[str, Row] = {}
    for radius in blast_radius(policy):
        word = policy.professions.get(radius.profession or "", radius.profession)
        stolen = radius.scope.value if word is None else f"{'raised ' if radius.raised else ''}account of {word}"
        row = rows.setdefault(stolen, Row(stolen=stolen, persons={}))
        row["persons"][name_of(radius.period_s)] = radius.persons
    return list(rows.values())


def grown(before: Sequence[Row], now: Sequence[Row]) -> list[str]:
    """What can be stolen now and could not before: "account of pharmacien in 1d"."""
    old = {row["stolen"]: row["persons"] for row in before}
    return [
        f"{row['stolen']} in {period}"
        for row in now
        for period, persons in row["persons"].items()
        if _more(persons, old.get(row["stolen"], {}).get(period, 0))
    ]


def table(rows: Sequence[Row], before: Sequence[Row] | None) -> str:
    """For people. With `before`: a figure that grew is followed by what it was."""
    old = {row["stolen"]: row["persons"] for row in before or ()}
    lines = [f"{'stolen':28}" + "".join(f"{'in ' + period:>24}" for period in PERIODS)]
    for row in rows:
        was = old.get(row["stolen"], {})
        cells = [_cell(row["persons"][period], was.get(period, 0), before is not None) for period in PERIODS]
        lines.append(f"{row['stolen']:28}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def _cell(persons: int | None, was: int | None, compared: bool) -> str:
    return _text(persons) + (f" (was {_text(was)})" if compared and _more(persons, was) else "")


def _text(persons: int | None) -> str:
    return "no bound" if persons is None else f"{persons:,}"


def _more(persons: int | None, was: int | None) -> bool:
    return was is not None and (persons is None or persons > was)

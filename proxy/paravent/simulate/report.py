"""The figures of one demo: as JSON for machines, as a table for a reader who has never seen an API."""

import textwrap
from dataclasses import dataclass
from typing import Final

from paravent.simulate.attack import NAME, Row
from paravent.simulate.day import HOURS, DayFigures

WIDTH: Final = 96
_LABEL: Final = WIDTH - 2 * 26

STOLEN: Final = {
    "password": "stolen passwords (no second factor)",
    "session": "stolen sessions (second factor already given)",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured."""

    day: DayFigures
    day_seconds: float
    """How long the replay of the day took."""
    rows: tuple[Row, ...]
    seconds: float
    """The whole demo."""


def as_json(figures: Figures) -> dict[str, object]:
    """The shape that the contract fixes; nothing more."""
    day = figures.day
    return {
        "honest": {
            "patients": day.patients,
            "requests": day.requests,
            "hindered": len(day.hindered),
            "refused": day.refused,
        },
        "attack": [
            {
                "name": NAME,
                "path": row.path,
                "stolen": row.stolen,
                "accounts": row.accounts,
                "requests": row.requests,
                "persons_exposed": row.persons_exposed,
                "nirs_gained": row.nirs_gained,
                "fields_per_person": round(row.fields_per_person, 2),
                "seconds_until_dry": round(row.seconds_until_dry, 2),
            }
            for row in figures.rows
        ],
        "seconds": round(figures.seconds, 2),
    }


def as_table(figures: Figures) -> str:
    """At most `WIDTH` columns."""
    lines = [_line("The attack of March 2022, replayed", "straight at the API", "through Paravent"), "=" * WIDTH]
    for stolen, words in STOLEN.items():
        pair = {row.path: row for row in figures.rows if row.stolen == stolen}
        if {"api", "paravent"} <= pair.keys():
            lines += [*_pair(words, pair["api"], pair["paravent"]), "-" * WIDTH]
    lines += _day(figures)
    lines += ["", *_notes(figures)]
    return "\n".join(line.rstrip() for line in lines)


def _pair(words: str, api: Row, paravent: Row) -> list[str]:
    rows = (api, paravent)
    return [
        f"{api.accounts} {words}",
        _line("  requests sent", *(f"{row.requests:,}" for row in rows)),
        _line("  persons exposed", *(f"{row.persons_exposed:,}" for row in rows)),
        _line("  NIRs the attacker did not have", *(f"{row.nirs_gained:,}" for row in rows)),
        _line("  fields exposed per person", *(f"{row.fields_per_person:.1f}" for row in rows)),
        _line("  the accounts stopped yielding", *(_dry(row) for row in rows)),
    ]


def _dry(row: Row) -> str:
    if not row.dry:
        return f"never (stopped at {row.seconds:.0f} s)"
    return f"after {row.seconds_until_dry:.1f} s" if row.persons_exposed else "before the first answer"


def _day(figures: Figures) -> list[str]:
    day = figures.day
    return [
        _line("One pharmacy's honest day", "", "through Paravent"),
        _line("  patients", "", f"{day.patients:,}"),
        _line("  requests sent", "", f"{day.requests:,}"),
        _line("  patients hindered", "", f"{len(day.hindered):,}"),
        _line("  requests refused", "", f"{day.refused:,}"),
        "=" * WIDTH,
    ]


def _notes(figures: Figures) -> list[str]:
    """What the figures do not say of themselves."""
    day = figures.day
    notes = [
        f"One honest question: the API's answer holds {day.fields_raw} fields, about a whole family. Of these "
        f"{day.fields_reduced} reach the pharmacist: what the dispensation needs.",
        f"The day: {HOURS} hours replayed in {figures.day_seconds:.1f} s, moving the clock of a proxy "
        "of its own. The attacks ran in real time.",
        "In March 2022 the nineteen accounts gave away at least 510,000 persons, 26,842 each.",
        "The bots start from numbers and birth dates that are all right, one adult a family: guessing is slower.",
    ]
    session = next((row for row in figures.rows if (row.path, row.stolen) == ("paravent", "session")), None)
    if session is not None and session.dry and session.retry_after_s is not None:
        minutes, seconds = divmod(session.retry_after_s, 60)
        notes.append(
            f"The stolen sessions that had spent their budgets were told to come back in {minutes} min {seconds:02} s "
            "or more."
        )
    notes.append(f"Everything was measured in this run, which took {figures.seconds:.0f} s.")
    return [line for note in notes for line in textwrap.wrap(note, WIDTH)]


def _line(label: str, left: str, right: str) -> str:
    return f"{label:<{_LABEL}}{left:>26}{right:>26}"

"""What the commands about single practitioners share: a measure from words, and in and out of the book."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import click

from paravent.audit.command import command_record
from paravent.audit.keys import derive_keys
from paravent.audit.words import explained
from paravent.books import measure_book
from paravent.cli.moments import shown
from paravent.effects import Measure, MeasureKind, StoreDown
from paravent.identity.claims import PRACTITIONER_IS, rpps_of
from paravent.measures.entries import measure
from paravent.policy.paths import parse_duration
from paravent.revocations.entries import moment
from paravent.sinks.commands import put_on_record

if TYPE_CHECKING:
    from paravent.model import Secret
    from paravent.settings import Settings


def period(begins: str | None, until: str | None, lasts: str | None, now_s: int) -> tuple[int, int]:
    """From when to when, in seconds since 1970. Raises ValueError with a sentence."""
    if (until is None) == (lasts is None):
        raise ValueError("give either --until or --for")
    from_s = now_s if begins is None else _moment("--from", begins)
    if lasts is not None:
        return from_s, from_s + parse_duration(lasts)
    return from_s, _moment("--until", until or "")


def canonical(rpps: str | None) -> str:
    """The number of a practitioner, in any form that tokens write it in. Raises ValueError with a sentence."""
    if not rpps:
        raise ValueError("RPPS is missing")
    number = rpps_of(rpps)
    if number is None:
        raise ValueError(f"a practitioner is {PRACTITIONER_IS}")
    return number


def spoken(author: str | None, reason: str | None, *, needed: bool) -> tuple[str, str]:
    """Who does something and why; where it is not needed, each may be empty. Raises ValueError with a sentence."""
    said = (("--author", author or ""), ("--reason", reason or ""))
    missing = [name for name, text in said if not text]
    if needed and missing:
        raise ValueError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    by, because = (explained(name, text) if text else "" for name, text in said)
    return by, because


def new(
    key: "Secret[bytes]",
    kind: MeasureKind,
    rpps: str,
    persons: int,
    in_force_s: tuple[int, int],
    author: str | None,
    reason: str | None,
) -> Measure:
    """With an id of its own. Raises ValueError with a sentence."""
    said = spoken(author, reason, needed=True)
    return measure(key, secrets.token_hex(8), kind, rpps, persons, in_force_s, *said)


def write(settings: "Settings", entry: Measure, verb: str, rpps: str) -> None:
    """Put it on record and in the book, and say so. Exits 1 when it did not get there."""
    read(settings)  # so that what cannot be done is not on record
    put_down(settings, verb, entry, rpps, entry.author, entry.because)
    if isinstance(measure_book(settings).write(entry, int(time.time())), StoreDown):
        in_doubt()
    what = f": {entry.persons} more persons in each window" if entry.persons else ""
    click.echo(f"{entry.kind.value} {entry.id}{what}, from {shown(entry.from_s)} until {shown(entry.until_s)}.")


@dataclass(frozen=True, slots=True)
class Lifting:
    """Who ends a measure, and why."""

    verb: str
    rpps: str | None
    author: str
    because: str


def lift(settings: "Settings", id: str, kind: MeasureKind, how: Lifting) -> None:
    """Take it out of the book and say so. Exits 1 when there is none of this kind under the id."""
    found = [each for each in read(settings) if each.id == id and each.kind is kind]
    lift_all(settings, found, f"{kind.value} {id}", how)


def lift_all(settings: "Settings", found: Sequence[Measure], what: str, how: Lifting) -> None:
    """Put it on record, take them out of the book and say so. Exits 1 when there are none; `what` names what was looked
    for."""
    book = measure_book(settings)
    for each in found:
        put_down(settings, how.verb, each, how.rpps, how.author, how.because)
    done = 0
    for each in found:
        lifted = book.lift(each.id)
        if isinstance(lifted, StoreDown):
            in_doubt()
        if lifted:
            done += 1
            click.echo(f"{each.kind.value} {each.id} is over.")
    if not done:
        click.echo(f"There is no {what}; nothing was changed.", err=True)
        raise SystemExit(1)


def put_down(settings: "Settings", verb: str, entry: Measure, rpps: str | None, author: str, because: str) -> None:
    """In the ledger of this machine, before anything is done. Exits 1 when it cannot be."""
    made = command_record(secrets.token_hex(16), time.time_ns() // 1_000_000, verb, entry, rpps, author, because)
    if not on_record(settings, made):
        not_on_record()


def on_record(settings: "Settings", made: dict[str, object]) -> bool:
    """In the ledger of this machine, durable."""
    return put_on_record(settings.audit.path, derive_keys(settings.audit.key).chain, made)


def not_on_record() -> NoReturn:
    click.echo("It could not be put on record in the ledger of this machine; nothing was changed.", err=True)
    raise SystemExit(1)


def read(settings: "Settings") -> tuple[Measure, ...]:
    """The whole book. Exits 1 when the state store does not answer."""
    return answered(measure_book(settings).read())


def answered[Held](held: Held | StoreDown) -> Held:
    """What the state store said. Exits 1 when it did not."""
    if isinstance(held, StoreDown):
        _not_there()
    return held


def _moment(name: str, text: str) -> int:
    try:
        return moment(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def in_doubt(recorded: bool = True) -> NoReturn:
    is_or_not = "is" if recorded else "could not be put"
    click.echo(
        "The state store stopped answering: it may have been told. "
        f"The command {is_or_not} on record; look, then repeat it.",
        err=True,
    )
    raise SystemExit(1)


def _not_there() -> NoReturn:
    click.echo("The state store did not answer; nothing was changed.", err=True)
    raise SystemExit(1)

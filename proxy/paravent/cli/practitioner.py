"""`paravent practitioner`: how one practitioner stands, and suspending them for a time."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up

if TYPE_CHECKING:
    from paravent.cli.standing import Seen, Standing
    from paravent.settings import Settings


@click.group()
def practitioner() -> None:
    """Look at one practitioner, suspend them for a time, let them in again."""


_CONFIG = click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)


@practitioner.command()
@click.argument("rpps")
@_CONFIG
@click.option("--profession", help="The policy's word. Without it, that of their last record in the ledger.")
@click.option("--json", "as_machine", is_flag=True, help="One JSON object on standard output, for machines.")
def show(rpps: str, config: Path, profession: str | None, as_machine: bool) -> None:
    """Show how a practitioner, by RPPS number, stands: usage against each limit, refusals, grants, revocations.

    Usage, grants and revocations are those of all nodes, from the state store and the file of [revocation]. Refusals
    are counted in the ledger of this machine, which holds what its own nodes decided. Nothing is changed. May run
    beside `serve`.

    Exits 0 when it is shown, 1 when the state store did not answer, 2 when something is not written as it should.
    """
    from paravent.cli.measures import canonical
    from paravent.cli.standing import as_json, as_text
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        standing = _standing(settings, canonical(rpps), profession)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_machine)
    except ValueError as error:
        click.echo(f"{error}.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    click.echo(json.dumps(as_json(rpps, standing)) if as_machine else as_text(rpps, standing))


@practitioner.command()
@click.argument("rpps")
@_CONFIG
@click.option("--until", help="When it ends, as 2026-11-30T20:00:00Z.")
@click.option("--for", "lasts", help="In place of its end, how long it lasts, as 4h or 2d.")
@click.option("--author", help="Who suspends them.")
@click.option("--reason", help="Why.")
def suspend(
    rpps: str, config: Path, until: str | None, lasts: str | None, author: str | None, reason: str | None
) -> None:
    """Refuse every question of one practitioner, by RPPS number, for a time.

    Every node of the deployment that --config describes hears of it within a second. It ends by itself: who is not to
    come back by themselves is to be revoked. It is on record in the ledger of this machine before it is done. May run
    beside `serve`.

    Exits 0 when they are suspended, 1 when the state store did not answer or the ledger could not be written, 2 when
    something is not written as it should.
    """
    from paravent.audit.keys import derive_keys
    from paravent.cli.measures import canonical, new, period, write
    from paravent.effects import MeasureKind
    from paravent.measures.entries import check_suspension
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        in_force_s = period(None, until, lasts, int(time.time()))
        key = derive_keys(settings.audit.key).practitioner
        number = canonical(rpps)
        entry = new(key, MeasureKind.SUSPENSION, number, 0, in_force_s, author, reason)
        check_suspension(entry)
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except ValueError as error:
        click.echo(f"{error}; nobody was suspended.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    write(settings, entry, "suspend", number)


@practitioner.command()
@click.argument("rpps")
@_CONFIG
@click.option("--author", help="Who lets them in.")
@click.option("--reason", help="Why.")
def release(rpps: str, config: Path, author: str | None, reason: str | None) -> None:
    """End every suspension of one practitioner, by RPPS number, whoever or whatever suspended them.

    Refusals that were counted stay counted until their window ends. It is on record in the ledger of this machine
    before it is done. May run beside `serve`.

    Exits 0 when they are let in again, 1 when they were not suspended, the state store did not answer or the ledger
    could not be written, 2 when something is not written as it should.
    """
    from paravent.audit.keys import derive_keys, practitioner_hash
    from paravent.cli.measures import Lifting, canonical, lift_all, read, spoken
    from paravent.effects import MeasureKind
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        number = canonical(rpps)
        hashed = practitioner_hash(derive_keys(settings.audit.key).practitioner, number)
        how = Lifting("release", number, *spoken(author, reason, needed=True))
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except ValueError as error:
        click.echo(f"{error}; nobody was released.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    now_s, kind = int(time.time()), MeasureKind.SUSPENSION
    found = [each for each in read(settings) if (each.practitioner, each.kind) == (hashed, kind)]
    lift_all(settings, [each for each in found if each.until_s > now_s], "suspension of theirs", how)


def _standing(settings: "Settings", rpps: str, word: str | None) -> "Standing":
    """Exits 1 when the state store does not answer; raises ValueError with a sentence, and InvalidFiles."""
    from paravent.audit.keys import derive_keys, practitioner_hash
    from paravent.books import measure_book, revocations_of, usage_book
    from paravent.cli.measures import answered
    from paravent.cli.standing import Standing, budgets, more
    from paravent.wiring import load_rulebook

    policy = load_rulebook(settings).policy
    codes = {name: code for code, name in policy.professions.items()}
    if word is not None and word not in codes:
        raise ValueError(f"the policy has no profession {word!r}")
    now_s = int(time.time())
    seen = _seen(settings, rpps, now_s)
    code = codes[word] if word is not None else None if seen is None else seen.profession
    code = code if code in policy.quotas.professions else None
    usage = answered(usage_book(settings).used(budgets(policy.quotas, rpps, code), now_s * 1000))
    hashed = practitioner_hash(derive_keys(settings.audit.key).practitioner, rpps)
    measures = tuple(each for each in answered(measure_book(settings).read()) if each.practitioner == hashed)
    current = tuple(each for each in measures if each.until_s > now_s)
    revocations = answered(revocations_of(settings, rpps))
    return Standing(
        None if code is None else policy.professions[code],
        usage,
        more(policy, current, now_s),
        seen,
        current,
        tuple(each for each in revocations if each.until_s is None or each.until_s > now_s),
    )


def _seen(settings: "Settings", rpps: str, now_s: int) -> "Seen | None":
    from paravent.cli.standing import SINCE_DAYS, seen
    from paravent.sinks.history import records_of

    since = datetime.fromtimestamp(now_s, UTC) - timedelta(days=SINCE_DAYS)
    try:
        return seen(records_of(settings.audit.path, rpps, since.strftime("%Y-%m-%dT%H:%M:%S")))
    except FileNotFoundError:
        return seen(())
    except (OSError, ValueError):
        return None

"""`paravent grant`: more persons for one practitioner, for a time, with an author and a reason."""

import os
import time
from pathlib import Path

import click

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up


@click.command()
@click.argument("rpps", required=False)
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--persons", type=int, help="How many more persons each of their windows has room for.")
@click.option("--from", "begins", help="When it begins, as 2026-11-28T07:00:00Z. Without it, now.")
@click.option("--until", help="When it ends, as 2026-11-30T20:00:00Z.")
@click.option("--for", "lasts", help="In place of its end, how long it lasts, as 4h or 2d.")
@click.option("--author", help="Who grants it, or withdraws it.")
@click.option("--reason", help="Why.")
@click.option("--withdraw", metavar="ID", help="End the grant of this id instead.")
def grant(  # noqa: PLR0913, PLR0917 (one option each)
    rpps: str | None,
    config: Path,
    persons: int | None,
    begins: str | None,
    until: str | None,
    lasts: str | None,
    author: str | None,
    reason: str | None,
    withdraw: str | None,
) -> None:
    """Let one practitioner, by RPPS number, look up more persons than the limits of their profession, for a time.

    Every node of the deployment that --config describes hears of it within a second. It ends by itself, and what was
    used by then stays used. How much and for how long is bounded by the policy (`grants` in quotas.yaml). A grant and
    the end of one need an author and a reason, and are on record in the ledger of this machine before they are done.
    May run beside `serve`.

    Exits 0 when it is granted or withdrawn, 1 when the state store did not answer or has no such grant, or the ledger
    could not be written, 2 when something is not written as it should or the policy does not allow it.
    """
    from paravent.audit.keys import derive_keys
    from paravent.cli.measures import Lifting, canonical, lift, new, period, spoken, write
    from paravent.effects import MeasureKind
    from paravent.measures.entries import check_grant
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings
    from paravent.wiring import load_rulebook

    try:
        settings = load_settings(config, os.environ)
        if withdraw is not None:
            how = Lifting("withdraw", None, *spoken(author, reason, needed=True))
            lift(settings, withdraw, MeasureKind.GRANT, how)
            return
        number = canonical(rpps)
        from_s, until_s = period(begins, until, lasts, int(time.time()))
        key = derive_keys(settings.audit.key).practitioner
        entry = new(key, MeasureKind.GRANT, number, persons or 0, (from_s, until_s), author, reason)
        check_grant(entry, load_rulebook(settings).policy.quotas)
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except ValueError as error:
        click.echo(f"{error}; nothing was {'granted' if withdraw is None else 'withdrawn'}.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    write(settings, entry, "grant", number)

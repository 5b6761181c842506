"""`paravent revoke`: a token, a login, a practitioner, software, a certificate, a key. On every node at once."""

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up

if TYPE_CHECKING:
    from paravent.effects import Revocation
    from paravent.settings import Settings


@click.command()
@click.argument("kind", metavar="WHAT")
@click.argument("value", metavar="WHICH")
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--issuer", help="Its name in the configuration: for a session, a key, a token by its jti.")
@click.option("--until", help="From then on it is void, as 2026-12-01T08:00:00Z. Without it, until it is lifted.")
@click.option("--issued-before", help="Only tokens issued up to then: whoever logs in anew is let in.")
@click.option("--author", help="Who revokes it, or lifts it.")
@click.option("--reason", "--because", "reason", help="Why: a ticket's number. Whoever reads the list sees it, too.")
@click.option("--lift", is_flag=True, help="Take it out of the list instead.")
def revoke(  # noqa: PLR0913, PLR0917 (one option each)
    kind: str,
    value: str,
    config: Path,
    issuer: str | None,
    until: str | None,
    issued_before: str | None,
    author: str | None,
    reason: str | None,
    lift: bool,
) -> None:
    """Accept WHICH no more. WHAT is token, session, practitioner, client, certificate or key.

    Every node of the deployment that --config describes refuses it within a second. It is on record in the ledger of
    this machine, with who did it and why as far as that is said. What cannot be put on record is revoked all the same,
    and not lifted. May run beside `serve`.

    Exits 0 when it is in the list, or out of it. Exits 1 when the state store did not answer or the ledger could not be
    written, 2 when something is not written as it should.
    """
    from paravent.books import names_of_issuers
    from paravent.cli.measures import spoken
    from paravent.identity.revocation import Kind
    from paravent.policy.hints import did_you_mean
    from paravent.problems import InvalidFiles
    from paravent.revocations.entries import kind_of, mark, revocation
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        which = kind_of(kind)
        what = mark(which, value, issuer, names_of_issuers(settings))
        by, because = spoken(author, reason, needed=False)
        entry = revocation(what, until, issued_before, because or None)
        if not lift and entry.until_s is not None and entry.until_s <= time.time():
            raise ValueError("until is over: it would keep nobody out")
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except ValueError as error:
        click.echo(f"{error}; nothing was {'lifted' if lift else 'revoked'}.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    if not (by and because):
        click.echo("note: the record says who and why with --author and --reason alone", err=True)
    known = {client for each in settings.issuers.values() for client in each.clients}
    if which is Kind.CLIENT and value not in known:
        click.echo(f"note: no issuer has the client {value!r}; {did_you_mean(value, known)}".rstrip("; "), err=True)
    if lift:
        _lift(settings, what, by, because)
    else:
        _revoke(settings, entry, by)


def _revoke(settings: "Settings", entry: "Revocation", author: str) -> None:
    """Whoever is to be kept out is kept out, whatever the ledger says to it."""
    from paravent.books import revocation_book
    from paravent.cli.measures import answered, in_doubt
    from paravent.effects import StoreDown

    book = revocation_book(settings)
    answered(book.read())  # so that what cannot be done is not on record
    recorded = _recorded(settings, "revoke", entry, author, entry.because)
    if isinstance(book.write(entry, int(time.time())), StoreDown):
        in_doubt(recorded)
    click.echo(f"{entry.mark} is revoked.")
    if not recorded:
        click.echo("It could not be put on record in the ledger of this machine.", err=True)
        raise SystemExit(1)


def _lift(settings: "Settings", mark: str, author: str, because: str) -> None:
    from paravent.books import revocation_book
    from paravent.cli.measures import answered, in_doubt, not_on_record
    from paravent.effects import StoreDown

    book = revocation_book(settings)
    found = [each for each in answered(book.read()) if each.mark == mark]
    for each in found:
        if not _recorded(settings, "lift", each, author, because):
            not_on_record()
    done = book.lift(mark) if found else False
    if isinstance(done, StoreDown):
        in_doubt()
    click.echo(f"{mark} is lifted." if done else f"{mark} was not revoked by command; nothing was changed.")


def _recorded(settings: "Settings", verb: str, entry: "Revocation", author: str, because: str) -> bool:
    from paravent.audit.command import revocation_record
    from paravent.cli.measures import on_record

    now_ms = time.time_ns() // 1_000_000
    return on_record(settings, revocation_record(secrets.token_hex(16), now_ms, verb, entry, author, because))

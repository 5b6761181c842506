"""`paravent revoke`: a token, a login, a practitioner, software, a certificate, a key. On every node at once."""

import os
import time
from pathlib import Path

import click

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up


@click.command()
@click.argument("kind", metavar="WHAT")
@click.argument("value", metavar="WHICH")
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--issuer", help="Its name in the configuration: for a session, a key, a token by its jti.")
@click.option("--until", help="From then on it is void, as 2026-12-01T08:00:00Z. Without it, until it is lifted.")
@click.option("--issued-before", help="Only tokens issued up to then: whoever logs in anew is let in.")
@click.option("--because", help="A ticket's number, for whoever reads the list.")
@click.option("--lift", is_flag=True, help="Take it out of the list instead.")
def revoke(  # noqa: PLR0913, PLR0917 (one option each)
    kind: str,
    value: str,
    config: Path,
    issuer: str | None,
    until: str | None,
    issued_before: str | None,
    because: str | None,
    lift: bool,
) -> None:
    """Accept WHICH no more. WHAT is token, session, practitioner, client, certificate or key.

    Every node of the deployment that --config describes refuses it within a second. May run beside `serve`.
    Exits 0 when it is in the list, 1 when the state store did not answer, 2 when something is not written as it should.
    """
    from paravent.books import names_of_issuers, revocation_book
    from paravent.effects import StoreDown
    from paravent.problems import InvalidFiles
    from paravent.revocations.entries import kind_of, mark, revocation
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        what = mark(kind_of(kind), value, issuer, names_of_issuers(settings))
        entry = revocation(what, until, issued_before, because)
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except ValueError as error:
        click.echo(f"{error}; nothing was revoked.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    book = revocation_book(settings)
    done = book.lift(what) if lift else book.write(entry, int(time.time()))
    if isinstance(done, StoreDown):
        click.echo("The state store did not answer; nothing was changed.", err=True)
        raise SystemExit(1)
    if lift:
        click.echo(f"{what} is lifted." if done else f"{what} was not revoked by command; nothing was changed.")
    else:
        click.echo(f"{what} is revoked.")

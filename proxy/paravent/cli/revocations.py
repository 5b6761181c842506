"""`paravent revocations`: what is revoked by command or by a logout, and until when."""

import json
import os
from pathlib import Path

import click

from paravent.cli.moments import shown
from paravent.cli.problems import give_up


@click.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array on standard output, for machines.")
def revocations(config: Path, as_json: bool) -> None:
    """List what stands in the state store. What stands in the file of `[revocation]` is there for everybody to read.

    Exits 0 when the list could be read, 1 when the state store did not answer, 2 when the configuration is wrong.
    """
    from paravent.books import revocation_book
    from paravent.effects import StoreDown
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    entries = revocation_book(settings).read()
    if isinstance(entries, StoreDown):
        click.echo("The state store did not answer.", err=True)
        raise SystemExit(1)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "mark": each.mark,
                        "until": _moment(each.until_s),
                        "issued_before": _moment(each.issued_before_s),
                        "because": each.because,
                    }
                    for each in entries
                ]
            )
        )
        return
    for each in entries:
        until = _moment(each.until_s) or "until it is lifted"
        before = _moment(each.issued_before_s)
        issued = f"issued before {before}" if before else ""
        click.echo("  ".join(text for text in (each.mark, until, issued, each.because) if text))
    click.echo(f"{len(entries)} revoked.")


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else shown(seconds)

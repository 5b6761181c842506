"""`paravent grants`: what was granted by command, by whom, why, and until when."""

import json
import os
import time
from pathlib import Path

import click

from paravent.cli.problems import give_up


@click.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array on standard output, for machines.")
def grants(config: Path, as_json: bool) -> None:
    """List the grants that stand or are yet to begin. A practitioner is a keyed hash here: the book names nobody.

    Exits 0 when the list could be read, 1 when the state store did not answer, 2 when the configuration is wrong.
    """
    from paravent.cli.measures import read
    from paravent.cli.moments import shown
    from paravent.effects import MeasureKind
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    now_s = time.time()
    entries = [each for each in read(settings) if each.kind is MeasureKind.GRANT and each.until_s > now_s]
    if as_json:
        members = ("id", "practitioner", "persons", "author", "because")
        times = ("from_s", "until_s")
        click.echo(
            json.dumps(
                [
                    {name: getattr(each, name) for name in members}
                    | {name.removesuffix("_s"): shown(getattr(each, name)) for name in times}
                    for each in entries
                ]
            )
        )
        return
    for each in entries:
        when = f"{shown(each.from_s)} to {shown(each.until_s)}"
        click.echo("  ".join((each.id, each.practitioner, f"+{each.persons}", when, each.author, each.because)))
    click.echo(f"{len(entries)} granted.")

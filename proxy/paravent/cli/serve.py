"""`paravent serve`: run the proxy until a signal stops it."""

import os
from pathlib import Path

import click

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up


@click.command()
@click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The TOML file."
)
def serve(config: Path) -> None:
    """Run the proxy. Prints one line when it answers requests; SIGTERM drains, a second signal stops at once."""
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings
    from paravent_mitmproxy.master import AddressTaken, run
    from paravent_mitmproxy.node import NotServing

    try:
        settings = load_settings(config, os.environ)
        run(settings)
    except InvalidFiles as invalid:
        give_up(invalid.problems)
    except AddressTaken as taken:
        click.echo(f"{taken}; nothing was started.", err=True)
        raise SystemExit(EXIT_WRONG_INPUT) from None
    except NotServing as refusal:
        click.echo(f"paravent: {refusal}. Nothing was served.", err=True)
        raise SystemExit(1) from None

"""`paravent check`: everything `serve` would refuse to start with, without starting."""

import os
from pathlib import Path

import click

from paravent.cli.problems import give_up, remark


@click.command()
@click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The TOML file."
)
@click.option("--json", "as_json", is_flag=True, help="Problems as JSON on standard output.")
def check(config: Path, as_json: bool) -> None:
    """Check the configuration, the files it names and the policy."""
    from paravent.policy.notes import notes
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings
    from paravent.wiring import load_rulebook

    try:
        settings = load_settings(config, os.environ)
        remark(settings.notes)
        rules = load_rulebook(settings)
        remark(notes(rules.policy))
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    policy = rules.policy
    if as_json:
        import json

        click.echo(json.dumps({"problems": [], "revision": policy.revision}))
        return
    click.echo(
        f"{config}: good. Policy {policy.revision}: {len(policy.operations)} operations, {len(policy.views)} views, "
        f"{len(policy.professions)} professions."
    )

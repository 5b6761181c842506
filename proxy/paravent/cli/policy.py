"""`paravent policy`: work on a policy folder without a deployment around it."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paravent.cli.problems import give_up, remark

if TYPE_CHECKING:
    from paravent.rules import Policy

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.group()
def policy() -> None:
    """Work on a policy: check it, say what a theft could expose under it, list what it does not name, print schemas."""


@policy.command()
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="Problems, or the revision, as JSON on standard output.")
def check(folder: Path, as_json: bool) -> None:
    """Check every file of FOLDER. Exit code 0: it can be used; 2: all its problems are listed, with their places."""
    from paravent.policy.notes import notes

    compiled = _compiled(folder, as_json)
    remark(notes(compiled))
    if as_json:
        click.echo(json.dumps({"problems": [], "revision": compiled.revision}))
        return
    click.echo(
        f"{folder}: good. Revision {compiled.revision}: {len(compiled.operations)} operations, "
        f"{len(compiled.views)} views, {len(compiled.professions)} professions."
    )


@policy.command("blast-radius")
@_FOLDER
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A policy folder to compare with: exit code 1 when a theft could expose more persons than under it.",
)
@click.option("--json", "as_json", is_flag=True, help="The table as JSON on standard output.")
def blast_radius(folder: Path, against: Path | None, as_json: bool) -> None:
    """The most persons that one stolen account, establishment, software, certificate or network could expose under
    FOLDER, in an hour, a day and thirty days, by a bot that spends every budget at once. Exit code 1: more than under
    --against."""
    from paravent.cli.blast_radius import grown, rows_of, table

    rows = rows_of(_compiled(folder, as_json))
    before = None if against is None else rows_of(_compiled(against, as_json))
    more = [] if before is None else grown(before, rows)
    if as_json:
        click.echo(json.dumps({"radius": rows, "grown": more}))
    else:
        click.echo(table(rows, before))
    if more:
        raise SystemExit(1)


@policy.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="The list as JSON on standard output.")
def drift(config: Path, as_json: bool) -> None:
    """List the fields that the API behind sends and no view names, as the running node of --config has seen them.

    One answer in 256 is looked through. A key of an answer may be somebody's name, so that each is listed by its name
    once the answers about ten people have had it, and counted among the others until then. Exits 1 when the node's
    management listener does not answer.
    """
    from paravent.cli.drift import rows_of, table
    from paravent.cli.listener import addresses
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    try:
        rows = rows_of(addresses(settings))
    except OSError:
        click.echo("The management listener did not answer: is the node running?", err=True)
        raise SystemExit(1) from None
    if as_json:
        found = [
            {"operation": operation, "path": path, "seen": seen} for (operation, path), seen in sorted(rows.items())
        ]
        click.echo(json.dumps({"unnamed": found}))
        return
    click.echo(table(rows))


@policy.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema of one kind of file, or the names of all."""
    from paravent.policy.editor import editor_schemas

    schemas = editor_schemas()
    if name is None:
        click.echo("\n".join(sorted(schemas)))
        return
    if name not in schemas:
        raise click.BadParameter(f"one of {', '.join(sorted(schemas))}", param_hint="NAME")
    click.echo(json.dumps(schemas[name], indent=2, ensure_ascii=False))


def _compiled(folder: Path, as_json: bool) -> "Policy":
    """The policy of a folder; ends the command with every problem when it has any."""
    from paravent.problems import InvalidFiles
    from paravent.settings import read_policy_folder
    from paravent.wiring import compile_views

    try:
        compiled, _views = compile_views(read_policy_folder(folder))
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    return compiled

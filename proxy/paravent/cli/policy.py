"""`paravent policy`: work on a policy folder without a deployment around it."""

import json
from pathlib import Path

import click

from paravent.cli.problems import give_up

_FOLDER = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.group()
def policy() -> None:
    """Work on a policy: check it, print the schemas that editors complete from."""


@policy.command()
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="Problems, or the revision, as JSON on standard output.")
def check(folder: Path, as_json: bool) -> None:
    """Check every file of FOLDER. Exit code 0: it can be used; 2: all its problems are listed, with their places."""
    from paravent.problems import InvalidFiles
    from paravent.settings import read_policy_folder
    from paravent.wiring import compile_views

    try:
        compiled, _views = compile_views(read_policy_folder(folder))
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    if as_json:
        click.echo(json.dumps({"problems": [], "revision": compiled.revision}))
        return
    click.echo(
        f"{folder}: good. Revision {compiled.revision}: {len(compiled.operations)} operations, "
        f"{len(compiled.views)} views, {len(compiled.professions)} professions."
    )


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

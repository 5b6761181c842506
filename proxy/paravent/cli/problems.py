"""How every verb shows what is wrong with a file."""

import json
from collections.abc import Sequence
from typing import NoReturn

import click

from paravent.problems import Problem

EXIT_WRONG_INPUT = 2


def show(problems: Sequence[Problem], as_json: bool = False) -> None:
    """All of them, sorted by place: on standard error for people, on standard output for machines."""
    if as_json:
        members = ("file", "line", "column", "message", "hint")
        click.echo(json.dumps({"problems": [{name: getattr(each, name) for name in members} for each in problems]}))
        return
    for each in problems:
        click.echo(str(each), err=True)
    click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}; nothing was started.", err=True)


def give_up(problems: Sequence[Problem], as_json: bool = False) -> NoReturn:
    """Show them and end with exit code 2."""
    show(problems, as_json)
    raise SystemExit(EXIT_WRONG_INPUT)


def remark(notes: Sequence[Problem]) -> None:
    """What is worth knowing and stops nothing, on standard error."""
    for each in notes:
        click.echo(f"note: {each}", err=True)

"""Progress on standard error: bars on a terminal, one plain line a step elsewhere. Standard output is the result's."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


def say(sentence: str) -> None:
    """One line."""
    click.echo(sentence, err=True)


@contextmanager
def bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Within it, call what it gives with how far the work has come, out of `length`."""
    if not sys.stderr.isatty():
        say(label)
        yield lambda _done: None
        return
    with click.progressbar(length=length, label=f"{label:<52}", file=sys.stderr, show_eta=False) as shown:
        yield lambda done: shown.update(max(0, min(done, length) - shown.pos))
        shown.update(length - shown.pos)

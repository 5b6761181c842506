"""Several nodes with one state store: copies of one folder, each with a process of its own."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from paravent.simulate.processes import Parts
from stack import Stack


def edited(stack: Stack, changes: dict[str, str]) -> None:
    """The configuration, before it is copied; each text must be there."""
    text = stack.config.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    stack.config.write_text(text)


def running_nodes(stack: Stack, number: int, parts: ExitStack) -> tuple[Stack, ...]:
    """Of a stack that was not started. They end with `parts`."""
    places = [stack.folder / f"node{each}" for each in range(number)]
    for place in places:
        shutil.copytree(stack.folder, place, ignore=shutil.ignore_patterns("redis", "node*", "*.log"))
    nodes = tuple(replace(stack, folder=place, parts=parts.enter_context(Parts(place))) for place in places)
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(Stack.start, nodes))
    return nodes

"""What the upstream sends and no view of the operation names: how a new field of the API is noticed the day it appears.

Only the topmost name counts: of an address that nobody names, `/adresse`, not its lines. Names come from the upstream,
so they are only passed on when they look like names: a map that is keyed by people's numbers shows as `?`. One that is
keyed by their names does not; `telemetry.names` waits for what many people's answers have before it tells of it.

A page has no names of fields. What stands in it is told by its element and class, `/personnes[]/td:11`, `/p.avis`, and
never by an id, which in a row is whose the row is.
"""

import re
from collections.abc import Iterable
from typing import Final

from paravent.masking.json import Tree
from paravent.masking.person import Members
from paravent.rules import Path

MAX_PATHS: Final = 64
"""Of one answer: the reference API has some forty fields that no view names."""
MAX_NODES: Final = 5_000
"""Values looked at, at 0.3 µs each."""

_NAME: Final = re.compile(r"@?[A-Za-z_][A-Za-z_.:-]{0,39}[0-9]{0,3}")

type Names = dict[str, "Names"]
"""What lines name below an object; nothing below a name: a value."""


def names_of(paths: Iterable[Path]) -> Names:
    """All paths of an operation as one tree, lists and conditions aside."""
    root: Names = {}
    for path in paths:
        at = root
        for step in path:
            # An attribute of a child, as XML paths write it, is a name below the child.
            child, at_sign, attribute = step.name.partition("@")
            for name in (child, at_sign + attribute) if child and at_sign else (step.name,):
                at = at.setdefault(name, {})
    return root


def unnamed(root: Members, names: Names) -> tuple[str, ...]:
    """The paths of an answer that no line names, sorted, at most `MAX_PATHS` of them."""
    found: set[str] = set()
    waiting: list[tuple[str, Tree, Names]] = [("", root, names)]
    nodes = 0
    while waiting and nodes < MAX_NODES and len(found) < MAX_PATHS:
        at, value, known = waiting.pop()
        nodes += 1
        if isinstance(value, list):
            waiting += [(f"{at}[]", each, known) for each in value[:MAX_PATHS] if isinstance(each, dict | list)]
        elif isinstance(value, dict):
            for name, below in value.items():
                if len(found) == MAX_PATHS:
                    break
                path = f"{at}/{name if _NAME.fullmatch(name) else '?'}"
                if name not in known:
                    found.add(path)
                elif known[name] and isinstance(below, dict | list):
                    waiting.append((path, below, known[name]))
    return tuple(sorted(found)[:MAX_PATHS])

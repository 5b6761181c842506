"""A JSON document with other values in some places (RFC 6901), for golden cases."""

from typing import Any


def changed(document: Any, changes: dict[str, Any]) -> Any:
    """The document with other values at these pointers; of a list, `-` is the place behind its end."""
    for pointer, value in changes.items():
        *way, last = pointer.split("/")[1:]
        holder = document
        for step in way:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        if isinstance(holder, list):
            at = len(holder) if last == "-" else int(last)
            holder[at : at + 1] = [value]
        else:
            holder[last] = value
    return document

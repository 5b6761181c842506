"""When a name that the upstream sends is told: once ten people's answers have had it.

A field's name stands in everybody's answers. A key that is somebody's name stands in theirs, in those of their family
and of who is called alike; nothing in how it is written tells the two apart (`adresse`, `dupont`). So a name waits
until as many different persons were asked about as no family has, and counts without being told meanwhile:
docs/decisions/0032-names-that-the-api-sends.md.
"""

from typing import Final

TOLD_AFTER: Final = 10
"""Persons; one of each answer. The largest family that the reference API answers about has nine."""
MAX_WAITING: Final = 512
"""Names. Of more, those go that have not been seen for longest: a name that is in every answer stays."""


class Names:
    """The names that wait, in one process. Persons are numbers that mean nothing in another."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], set[int]] = {}

    def may_be_told(self, operation: str, path: str, person: int) -> bool:
        """Whether this person's answer is the one that makes them enough. Then it waits no longer."""
        persons = self._waiting.pop((operation, path), set())
        persons.add(person)
        if len(persons) >= TOLD_AFTER:
            return True
        self._waiting[operation, path] = persons
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return False

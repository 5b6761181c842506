"""The walk: a tree of a view over a parsed answer. Builds a new document; the old one is never edited.

The view is followed, not the answer: what the view does not name is not visited, and the walk is never deeper than
the view's longest path, however deep the answer is.
"""

from dataclasses import dataclass, field
from typing import Final

import orjson
from jiter import LosslessFloat

from paravent.masking.json import MAX_NUMBER_CHARACTERS, Outgoing, Scalar, Tree, sealed_number
from paravent.masking.operators import DROP
from paravent.masking.operators.base import Drop
from paravent.masking.operators.free_text import effort
from paravent.masking.person import Members
from paravent.masking.scope import Scoped
from paravent.masking.sweep import MAX_EFFORT
from paravent.masking.trie import Branch, Elements, Leaf
from paravent.model import Asked
from paravent.nir import SHORTEST, mentions

MAX_ELEMENTS: Final = 2000
"""Of all lists that the view looks into. Nine relatives with three contracts make a hundred. Each costs 3 µs."""
MAX_TEXT_CHARACTERS: Final = 8 * 1024
"""Of one value that an operator works on. The longest comment of the reference API has 500."""
MAX_LOOKED: Final = 32 * 1024
"""Characters of numbers of contracts and members that operators look through, at 0.2 µs each: of a thousand rows with a
number of thirty characters each. The longest number that any of them looks through has 59."""
_LONGEST_NUMBER: Final = 64
MAX_WORK: Final = 96 * 1024
"""Of everything together that an answer asks for between its reading and its writing, in tenths of a microsecond: each
bound by itself is far from what holds everybody up, and three of them at once are not. Elements count at the price of
their view's lines, and texts and numbers that are looked through as `MAX_EFFORT` and `MAX_LOOKED` have it. A family of
nine with three contracts each takes some 2 000, a table of a thousand persons in six columns 95 000."""
_CHARACTER: Final = 2
_FRACTION: Final = 20
PERSON: Final = 60
"""What it costs to count one person of a list."""
LOOK: Final = 150
"""What the last look costs at one place."""

_ABSENT: Final = object()
_NUMBERS: Final = (int, LosslessFloat)
SHORTEST_NUMBER: Final = 10 ** (SHORTEST - 1)


@dataclass(slots=True, repr=False)
class Run:
    """What one walk carries along. Mutable, and never outlives it."""

    asked: Asked
    scoped: Scoped
    counts: list[int]
    """Values released by each line of the view."""
    dropped: int = 0
    """Members and elements cut off, each counted once however much was below it."""
    texts: list[str] = field(default_factory=list)
    """Values that leave as they came and are long enough to hold a NIR."""
    vouched: list[str] = field(default_factory=list)
    """Values that leave because an operator has looked into them, and are as long."""
    effort: int = 0
    """Spent on texts that an operator has looked through, as `sweep` counts it."""
    looked: int = 0
    """Characters of numbers that an operator has looked through."""
    unwritable: bool = False
    """A number that would have left is longer than any real one."""
    elements: int = 0
    """Of all lists that were looked into."""
    work: int = 0
    """Of `MAX_WORK`."""
    too_large: bool = False
    """More elements, or a longer text, than any real answer has: it would hold everybody up."""

    def charge(self, price: int) -> bool:
        """Whether there is as much left of `MAX_WORK`."""
        self.work += price
        self.too_large = self.too_large or self.work > MAX_WORK
        return not self.too_large

    @property
    def swept(self) -> int:
        """So much of the effort of `sweep` is spent: on texts that were looked through, or on whatever else."""
        return max(self.effort, self.work - (MAX_WORK - MAX_EFFORT))

    @property
    def looks(self) -> int:
        """At so many places there is time for the last look."""
        return (MAX_WORK - self.work) // LOOK


def reduce_object(branch: Branch, members: Members, run: Run) -> dict[str, Outgoing]:
    """What may leave of one object."""
    reduced: dict[str, Outgoing] = {}
    counts = run.counts
    for name, index, as_is, leaf in branch.leaves:
        if name not in members:
            continue
        value = members[name]
        if type(value) is as_is:  # What `leave` would do, without three calls: most values of most views.
            if len(value) >= SHORTEST:
                run.texts.append(value)
            reduced[name] = value
        elif value is None:
            if not leaf.null:
                continue
            reduced[name] = value
        elif leaf.sweep and (type(value) is bool or (type(value) is int and abs(value) < SHORTEST_NUMBER)):
            reduced[name] = value
        else:
            left = leave(value, leaf, run)
            if left is DROP:
                continue
            reduced[name] = left
        counts[index] += 1
    if branch.deeper:
        _reduce_containers(branch, members, reduced, run)
    run.dropped += len(members) - len(reduced)
    return reduced


def _reduce_containers(branch: Branch, members: Members, reduced: dict[str, Outgoing], run: Run) -> None:
    """Objects and lists keep their shape, even when nothing is left in them. null, where one is expected, is null."""
    for name, below, person in branch.objects:
        value = members.get(name, _ABSENT)
        if value is None:
            reduced[name] = None
        elif isinstance(value, dict) and not (person and id(value) not in run.scoped.kept):
            reduced[name] = reduce_object(below, value, run)
    for name, elements in branch.arrays:
        value = members.get(name, _ABSENT)
        if value is None:
            reduced[name] = None
        elif isinstance(value, list):
            reduced[name] = _reduce_elements(elements, value, run)
    for name, leaf in branch.lists:
        value = members.get(name, _ABSENT)
        if value is None:
            reduced[name] = None
        elif isinstance(value, list):
            reduced[name] = reduce_values(leaf, value, run)


def _reduce_elements(elements: Elements, items: list[Tree], run: Run) -> list[Outgoing]:
    run.elements += len(items)
    if run.elements > MAX_ELEMENTS:
        run.too_large = True
        return []
    kept, foreign = run.scoped.kept, run.scoped.foreign
    member, values, selected, always = elements.member, elements.values, elements.selected, elements.always
    if always is None:  # Most of them go.
        objects = [item for item in items if isinstance(item, dict) and item.get(member) in values]
    else:
        objects = [item for item in items if isinstance(item, dict)]
    if elements.person:
        objects = [each for each in objects if id(each) in kept]
    if foreign:
        objects = [each for each in objects if id(each) not in foreign]
    if not run.charge(len(objects) * elements.price):
        return []
    reduced: list[Outgoing] = []
    for each in objects:
        branch = always
        if selected and isinstance(value := each.get(member), str):
            branch = selected.get(value, always)
        if branch is not None:
            reduced.append(reduce_object(branch, each, run))
    run.dropped += len(items) - len(reduced)
    return reduced


def reduce_values(leaf: Leaf, items: list[Tree], run: Run) -> list[Outgoing]:
    """What may leave of a list of values."""
    run.elements += len(items)
    if run.elements > MAX_ELEMENTS:
        run.too_large = True
        return []
    if not run.charge(len(items) * leaf.price):
        return []
    left = [None if item is None and leaf.null else leave(item, leaf, run) for item in items]
    reduced: list[Outgoing] = [item for item in left if not isinstance(item, Drop)]
    run.counts[leaf.index] += len(reduced)
    run.dropped += len(items) - len(reduced)
    return reduced


def leave(value: object, leaf: Leaf, run: Run) -> Scalar | orjson.Fragment | Drop:
    """One value at a listed leaf, through its operator. A container is never a value, and null was looked at before."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT_CHARACTERS:
            run.too_large = True
            return DROP
    elif not isinstance(value, _NUMBERS):
        return DROP
    if (leaf.searched and not _affordable(value, run)) or (leaf.looks and not _few(value, run)):
        return DROP
    left = leaf.release(value, run.asked)
    return left if isinstance(left, str) and len(left) < SHORTEST else finish(left, leaf, run)


def finish(left: Scalar | orjson.Fragment | Drop, leaf: Leaf, run: Run) -> Scalar | orjson.Fragment | Drop:
    """What an operator has let go, but for short texts, once it is looked into or somebody answers for it."""
    if isinstance(left, str):
        return _leave_text(left, leaf, run)
    if isinstance(left, _NUMBERS):
        return _leave_number(left, leaf.sweep, run)
    return left


def _affordable(value: Scalar, run: Run) -> bool:
    # Nothing of an answer that does not leave is looked through: what has been spent on it is enough.
    if isinstance(value, str) and not run.too_large:
        spent = effort(value, MAX_EFFORT - run.effort)
        run.effort += spent
        run.too_large = run.effort > MAX_EFFORT
        run.charge(spent)
    return not run.too_large


def _few(number: Scalar, run: Run) -> bool:
    characters = len(number) if isinstance(number, str) else MAX_NUMBER_CHARACTERS
    if SHORTEST <= characters <= _LONGEST_NUMBER:
        run.looked += characters
        run.work += characters * _CHARACTER
        if run.looked > MAX_LOOKED or run.work > MAX_WORK:
            run.too_large = True
    return not run.too_large


def _leave_text(text: str, leaf: Leaf, run: Run) -> str | Drop:
    """One that is long enough to hold a NIR."""
    if leaf.sweep:
        run.texts.append(text)
        return text
    # What an operator vouches for is not swept; the NIRs that this very answer gives to others are known, though.
    if mentions(text, run.scoped.nirs):
        return DROP
    if not leaf.searched:
        run.vouched.append(text)
    return text


def _leave_number(number: int | LosslessFloat, sweep: bool, run: Run) -> Scalar | orjson.Fragment | Drop:
    sealed = sealed_number(number)
    if sealed is None:
        run.unwritable = True
        return DROP
    if not isinstance(number, int) and not run.charge(_FRACTION):
        return DROP
    texts = _as_texts(number)
    if sweep:
        run.texts.extend(texts)
    elif any(mentions(text, run.scoped.nirs) for text in texts):
        return DROP
    else:
        run.vouched.extend(texts)
    return sealed


def _as_texts(number: int | LosslessFloat) -> list[str]:
    """How a number could spell a NIR: in plain digits, also when it is written 2.840575990003e12."""
    if isinstance(number, int):
        return [str(abs(number))] if abs(number) >= SHORTEST_NUMBER else []
    value = abs(float(number))
    # A double holds every integer of fifteen digits.
    spelled = [str(int(value))] if SHORTEST_NUMBER <= value < 10**15 else []
    return [*spelled, bytes(number).decode()]

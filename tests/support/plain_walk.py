"""The walk as one would write it who has all the time there is: each value by itself, each rule in its own sentence.

Shares the view's tree with the product, and the functions for one number and one operator; none of its walk.
"""

from dataclasses import dataclass, field
from typing import Any

from jiter import LosslessFloat

from paravent.masking.json import Outgoing, Tree, sealed_number
from paravent.masking.operators import DROP
from paravent.masking.operators.free_text import effort
from paravent.masking.scope import Scoped
from paravent.masking.sweep import MAX_EFFORT, NUMERIC
from paravent.masking.trie import Branch, Elements, Leaf
from paravent.masking.walk import MAX_ELEMENTS, MAX_LOOKED, MAX_TEXT_CHARACTERS, MAX_WORK
from paravent.model import Asked
from paravent.nir import SHORTEST, contains_identifier, mentions, seems_numeric
from paravent.reasons import Reason


@dataclass
class Walked:
    """What a walk found out, beside what may leave."""

    asked: Asked
    scoped: Scoped
    released: dict[int, int] = field(default_factory=dict)
    """By line of the view."""
    dropped: int = 0
    texts: list[str] = field(default_factory=list)
    vouched: list[str] = field(default_factory=list)
    effort: int = 0
    looked: int = 0
    unwritable: bool = False
    elements: int = 0
    work: int = 0
    too_large: bool = False

    def object(self, branch: Branch, members: dict[str, Tree]) -> dict[str, Outgoing]:
        """The members that the view names, in its order: values, objects, lists of objects, lists of values."""
        left: dict[str, Outgoing] = {}
        for name, leaf in _leaves(branch):
            if name in members and (value := self.value(leaf, members[name])) is not DROP:
                left[name] = value
        for name, below, person in branch.objects:
            value = members.get(name, DROP)
            if value is None:
                left[name] = None
            elif isinstance(value, dict) and (not person or id(value) in self.scoped.kept):
                left[name] = self.object(below, value)
        for name, elements in branch.arrays:
            value = members.get(name, DROP)
            if value is None:
                left[name] = None
            elif isinstance(value, list):
                left[name] = self.list_of_objects(elements, value)
        for name, leaf in branch.lists:
            value = members.get(name, DROP)
            if value is None:
                left[name] = None
            elif isinstance(value, list):
                left[name] = self.list_of_values(leaf, value)
        self.dropped += len(members) - len(left)
        return left

    def list_of_objects(self, elements: Elements, items: list[Tree]) -> list[Outgoing]:
        """Every element is an object, is nobody else's, and is selected, or it goes."""
        left: list[Outgoing] = []
        chosen: list[tuple[Branch, dict[str, Tree]]] = []
        if not self.room_for(items):
            return left
        for item in items:
            if not isinstance(item, dict) or id(item) in self.scoped.foreign:
                continue
            if elements.person and id(item) not in self.scoped.kept:
                continue
            branch = elements.always
            for value, selected in elements.selected.items():
                if item.get(elements.member) == value:
                    branch = selected
            if branch is not None:
                chosen.append((branch, item))
        if not self.charge(elements.price * len(chosen)):
            return left
        left = [self.object(branch, item) for branch, item in chosen]
        self.dropped += len(items) - len(left)
        return left

    def list_of_values(self, leaf: Leaf, items: list[Tree]) -> list[Outgoing]:
        """Each by itself."""
        if not self.room_for(items) or not self.charge(leaf.price * len(items)):
            return []
        left = [value for item in items if (value := self.value(leaf, item, bounded=True)) is not DROP]
        self.dropped += len(items) - len(left)
        return left

    def room_for(self, items: list[Tree]) -> bool:
        """Whether all lists together are not longer than any answer's."""
        self.elements += len(items)
        self.too_large = self.too_large or self.elements > MAX_ELEMENTS
        return self.elements <= MAX_ELEMENTS

    def charge(self, price: int) -> bool:
        """Whether everything together takes no longer than there is time for."""
        self.work += price
        self.too_large = self.too_large or self.work > MAX_WORK
        return not self.too_large

    def value(self, leaf: Leaf, value: Tree, *, bounded: bool = False) -> Any:
        """What leaves in place of one value, or DROP; counted, when something does.

        `bounded`: however the value leaves. The member of an object that leaves as it came is as long as the sweep
        has the time to look through.
        """
        left = self.null(leaf) if value is None else self.scalar(leaf, value, bounded or not leaf.sweep)
        if left is not DROP:
            self.released[leaf.index] = self.released.get(leaf.index, 0) + 1
        return left

    def null(self, leaf: Leaf) -> Any:
        """null, or nothing."""
        return None if leaf.null else DROP

    def scalar(self, leaf: Leaf, value: Tree, bounded: bool) -> Any:
        """An object or a list is no value; a text has its bounds; then the operator has its say."""
        if value is None or isinstance(value, dict | list):
            return DROP
        if bounded and isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
            self.too_large = True
            return DROP
        if leaf.searched and isinstance(value, str) and not self.too_large:
            spent = effort(value, MAX_EFFORT - self.effort)
            self.effort += spent
            self.too_large = self.effort > MAX_EFFORT
            self.charge(spent)
        if leaf.searched and self.too_large:
            return DROP
        if leaf.looks and not self.in_time(value):
            return DROP
        left = leaf.release(value, self.asked)
        if isinstance(left, str):
            return self.text(leaf, left)
        if isinstance(left, int | LosslessFloat):
            return self.number(leaf, left)
        return left

    def in_time(self, number: Tree) -> bool:
        """Whether all numbers looked through are few: each as long as it is, or as one can be that is no text."""
        length = len(number) if isinstance(number, str) else 30
        if 13 <= length <= 64:
            self.looked += length
            self.charge(2 * length)
        self.too_large = self.too_large or self.looked > MAX_LOOKED
        return not self.too_large

    def text(self, leaf: Leaf, text: str) -> Any:
        """What may hold a NIR is swept, or vouched for by its operator, and then names nobody else of the answer."""
        if len(text) < SHORTEST:
            return text
        if leaf.sweep:
            self.texts.append(text)
        elif mentions(text, self.scoped.nirs):
            return DROP
        elif not leaf.searched:
            self.vouched.append(text)
        return text

    def number(self, leaf: Leaf, number: int | LosslessFloat) -> Any:
        """As a text, where it is as long as a NIR; and only if any reader reads it as the same number."""
        sealed = sealed_number(number)
        if sealed is None:
            self.unwritable = True
            return DROP
        if isinstance(number, LosslessFloat) and not self.charge(20):
            return DROP
        spelled = [bytes(number).decode()] if isinstance(number, LosslessFloat) else []
        whole = abs(int(float(number))) if isinstance(number, LosslessFloat) else abs(number)
        if len(str(whole)) >= SHORTEST and (isinstance(number, int) or whole < 10**15):
            spelled.insert(0, str(whole))
        if leaf.sweep:
            self.texts += spelled
        elif any(mentions(text, self.scoped.nirs) for text in spelled):
            return DROP
        else:
            self.vouched += spelled
        return sealed


def swept(texts: list[str], nirs: frozenset[str], effort: int) -> Reason | None:
    """What the last look says of texts, each looked at by itself."""
    for text in texts:
        effort += len(text) * (1 + NUMERIC * (seems_numeric(text) and effort + len(text) <= MAX_EFFORT))
        if effort > MAX_EFFORT:
            return Reason.ANSWER_TOO_LARGE
        if contains_identifier(text) or mentions(text, nirs):
            return Reason.ANSWER_IDENTIFIER_LEFT
    return None


def _leaves(branch: Branch) -> list[tuple[str, Leaf]]:
    return [(name, leaf) for name, _, _, leaf in branch.leaves]

# cython: language_level=3, boundscheck=True, wraparound=False, nonecheck=True, embedsignature=False
"""The walk of `walk.py`, compiled: the same lines, in the same order, over the same tree of a view.

Only what most values of most views need is here: texts, true, false and small numbers that leave as they came, short
texts that an operator lets go, objects and their lists. Everything else goes through the functions of `walk.py`. No
pointer and no count of references is handled by hand, each access to a list is checked, and whatever goes wrong raises.

`tests/property/test_walk_is_plain.py` holds both walks to a third, which was written to be read.
"""

from paravent.masking.operators import DROP as _DROP
from paravent.masking.walk import MAX_ELEMENTS as _MAX_ELEMENTS
from paravent.masking.walk import MAX_WORK as _MAX_WORK
from paravent.masking.walk import SHORTEST_NUMBER as _SHORTEST_NUMBER
from paravent.masking.walk import finish, leave, reduce_values
from paravent.nir import SHORTEST as _SHORTEST

cdef extern from *:
    """
    #ifndef PARAVENT_SOURCE
    #define PARAVENT_SOURCE ""
    #endif
    """
    const char* PARAVENT_SOURCE

SOURCE = PARAVENT_SOURCE.decode("ascii")

cdef object ABSENT = object()
cdef object DROP = _DROP
cdef Py_ssize_t MAX_ELEMENTS = _MAX_ELEMENTS
cdef Py_ssize_t MAX_WORK = _MAX_WORK
cdef Py_ssize_t SHORTEST = _SHORTEST
cdef object SHORTEST_NUMBER = _SHORTEST_NUMBER
cdef object LEAST_NUMBER = -_SHORTEST_NUMBER


cdef class Leaf:
    """`trie.Leaf`, with its name."""

    cdef str name
    cdef Py_ssize_t index
    cdef bint as_is, null, searched, looks
    cdef object line, release

    def __init__(self, name, index, as_is, line):
        self.name, self.index, self.as_is, self.line = name, index, as_is is not None, line
        self.null, self.searched, self.looks, self.release = line.null, line.searched, line.looks, line.release


cdef class Branch:
    """`trie.Branch`."""

    cdef list leaves, objects, arrays, lists

    def __init__(self, branch):
        self.leaves = [Leaf(name, index, as_is, line) for name, index, as_is, line in branch.leaves]
        self.objects = [Member(name, Branch(below), None, person) for name, below, person in branch.objects]
        self.arrays = [Member(name, None, Elements(elements), False) for name, elements in branch.arrays]
        self.lists = list(branch.lists)


cdef class Elements:
    """`trie.Elements`."""

    cdef bint person
    cdef Branch always
    cdef str member
    cdef dict selected
    cdef Py_ssize_t price

    def __init__(self, elements):
        self.person, self.member, self.price = elements.person, elements.member, elements.price
        self.always = None if elements.always is None else Branch(elements.always)
        self.selected = {value: Branch(below) for value, below in elements.selected.items()}

    cdef Branch shows(self, dict item):
        """What an element may show; None: it goes."""
        if self.selected:
            value = item.get(self.member)
            if isinstance(value, str):
                return self.selected.get(value, self.always)
        return self.always


cdef class Member:
    """An object or a list of objects below a branch, and where."""

    cdef str name
    cdef Branch below
    cdef Elements elements
    cdef bint person

    def __init__(self, name, below, elements, person):
        self.name, self.below, self.elements, self.person = name, below, elements, person


cdef class Walk:
    """One walk, and what it carries along beside the `Run`."""

    cdef object run, asked
    cdef list counts, texts
    cdef frozenset kept, foreign
    cdef Py_ssize_t dropped, elements, work

    cdef dict reduce_object(self, Branch branch, dict members):
        cdef dict reduced = {}
        cdef Leaf leaf
        for leaf in branch.leaves:
            value = members.get(leaf.name, ABSENT)
            if leaf.as_is and type(value) is str:
                if len(<str>value) >= SHORTEST:
                    self.texts.append(value)
            elif value is None:
                if not leaf.null:
                    continue
            elif value is ABSENT:
                continue
            elif not (leaf.as_is and is_small(value)):
                value = self.leave(leaf, value)
                if value is DROP:
                    continue
            reduced[leaf.name] = value
            self.counts[leaf.index] = self.counts[leaf.index] + 1
        self.reduce_containers(branch, members, reduced)
        self.dropped += len(members) - len(reduced)
        return reduced

    cdef object leave(self, Leaf leaf, object value):
        if not leaf.searched and type(value) is str and len(<str>value) < SHORTEST:
            if leaf.looks and self.run.too_large:
                return DROP
            left = leaf.release(value, self.asked)
            if left is DROP or (type(left) is str and len(<str>left) < SHORTEST):
                return left
            self.hand_over()
            left = finish(left, leaf.line, self.run)
        else:
            self.hand_over()
            left = leave(value, leaf.line, self.run)
        self.take_back()
        return left

    cdef object hand_over(self):
        self.run.elements, self.run.work = self.elements, self.work

    cdef object take_back(self):
        self.elements, self.work = self.run.elements, self.run.work

    cdef object reduce_containers(self, Branch branch, dict members, dict reduced):
        cdef Member member
        for member in branch.objects:
            value = members.get(member.name, ABSENT)
            if value is None:
                reduced[member.name] = None
            elif isinstance(value, dict) and not (member.person and id(value) not in self.kept):
                reduced[member.name] = self.reduce_object(member.below, <dict?>value)
        for member in branch.arrays:
            value = members.get(member.name, ABSENT)
            if value is None:
                reduced[member.name] = None
            elif isinstance(value, list):
                reduced[member.name] = self.reduce_elements(member.elements, <list?>value)
        for name, line in branch.lists:
            value = members.get(name, ABSENT)
            if value is None:
                reduced[name] = None
            elif isinstance(value, list):
                reduced[name] = self.reduce_values(line, value)

    cdef list reduce_elements(self, Elements elements, list items):
        cdef list reduced = [], objects = []
        self.elements += len(items)
        if self.elements > MAX_ELEMENTS:
            self.run.too_large = True
            return reduced
        for item in items:
            if isinstance(item, dict) and self.stays(elements, <dict?>item):
                objects.append(item)
        self.work += len(objects) * elements.price
        if self.work > MAX_WORK:
            self.run.too_large = True
        if self.run.too_large:
            return reduced
        for item in objects:
            reduced.append(self.reduce_object(elements.shows(<dict?>item), <dict?>item))
        self.dropped += len(items) - len(reduced)
        return reduced

    cdef bint stays(self, Elements elements, dict item):
        if elements.shows(item) is None or (elements.person and id(item) not in self.kept):
            return False
        return not self.foreign or id(item) not in self.foreign

    cdef list reduce_values(self, object line, object items):
        self.hand_over()
        reduced = reduce_values(line, items, self.run)
        self.take_back()
        return reduced


cdef bint is_small(object value):
    """Whether it is true, false, or a number that is too short for a NIR."""
    return type(value) is bool or (type(value) is int and LEAST_NUMBER < value < SHORTEST_NUMBER)


cdef class Walker:
    """`walk.reduce_object` of one view's tree."""

    cdef Branch tree

    def __init__(self, tree):
        self.tree = Branch(tree)

    def __call__(self, dict members, run):
        """What may leave of one document."""
        cdef Walk walk = Walk()
        walk.run, walk.asked, walk.counts, walk.texts = run, run.asked, run.counts, run.texts
        walk.kept, walk.foreign = run.scoped.kept, run.scoped.foreign
        walk.take_back()
        reduced = walk.reduce_object(self.tree, members)
        walk.hand_over()
        run.dropped += walk.dropped
        return reduced

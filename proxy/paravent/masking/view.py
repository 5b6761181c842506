"""A view at work: an answer's bytes in, the bytes that one profession may see out.

    parse ─► who is it about ─► walk the view ─► last look for identifiers ─► serialise anew

Every way out but the last is a `Reason`. There is no branch that returns the upstream's bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from paravent.masking.drift import Names, unnamed
from paravent.masking.formats import UNWRITTEN, Dress, arrangement, dress_of
from paravent.masking.periods import PeriodAt, periods_of, uncovered
from paravent.masking.person import PersonIdentity
from paravent.masking.rules import skeleton
from paravent.masking.scanner import leaks
from paravent.masking.scope import Scope, compile_scope
from paravent.masking.sweep import sweep
from paravent.masking.trie import Branch, ViewProblem, build, check_view
from paravent.masking.walk import PERSON, Run
from paravent.masking.walkers import Walker, walker
from paravent.model import Asked
from paravent.reasons import Reason
from paravent.rules import ResponseShape, ViewSpec, path_text
from paravent.values import Value

MAX_BODY_BYTES: Final = 2**20
"""1 MiB, nginx's `client_max_body_size`. A family with five contracts is about 30 KB."""


class Reduced(Value, frozen=True):
    """What may leave of one answer, and what must be put on record about it."""

    HIDDEN = frozenset({"body"})

    body: bytes
    """In the format of the operation, UTF-8."""
    persons: tuple[PersonIdentity, ...]
    """Distinct persons that it is about. Empty when the answer names none."""
    released: Mapping[str, int]
    """Policy path of a field → how many values of it leave, null included."""
    dropped: int
    """Members and elements cut off, each counted once however much was below it."""


@lru_cache(maxsize=512)
def _released(paths: tuple[str, ...], counts: tuple[int, ...]) -> Mapping[str, int]:
    """Counts by line, as they are told. Kept, for most answers of an operation release as many values of each line."""
    released = dict(compress(zip(paths, counts, strict=True), counts))
    released.pop("", None)  # what a format adds of its own is on no line of the view
    return MappingProxyType(released)


class ViewError(ValueError):
    """A view that `check_view` finds fault with reached the compiler: a loader did not check its policy."""

    def __init__(self, problems: tuple[ViewProblem, ...]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} problem(s) in a view")


@dataclass(frozen=True, slots=True)
class View:
    """One compiled view. Immutable, shared by all requests."""

    tree: Branch = field(repr=False)
    walk: Walker = field(repr=False)
    scope: Scope
    paths: tuple[str, ...]
    """The view's lines, by index."""
    dress: Dress
    """The format of the answers."""
    periods: tuple[PeriodAt, ...] = ()
    """Lists of which only what covers the care date leaves."""
    names: Names = field(default_factory=dict, repr=False)
    """What any view of the operation names, for `unnamed`."""

    def apply(self, body: bytes, asked: Asked, *, limit_bytes: int = MAX_BODY_BYTES) -> Reduced | Reason:
        """Reduce one answer, or say why nothing of it leaves. Never raises for what the bytes hold."""
        root = self.dress.read(body, limit_bytes)
        if isinstance(root, Reason):
            return root
        scoped = self.scope.judge(root, asked)
        if isinstance(scoped, Reason):
            return scoped
        if self.periods:
            scoped = replace(scoped, foreign=scoped.foreign | uncovered(root, self.periods, asked.care_date))
        run = Run(asked, scoped, [0] * len(self.paths), work=PERSON * len(scoped.kept))
        reduced = self.walk(root, run)
        if run.too_large:
            return Reason.ANSWER_TOO_LARGE
        if run.unwritable:
            return Reason.ANSWER_MALFORMED
        swept = sweep(run.texts, scoped.nirs, run.swept) if not self.dress.known else None
        if swept is not None:
            return swept
        written = self.dress.write(reduced)
        if not self.dress.known and leaks(written, self._vouched(run.vouched, asked), run.looks):
            return Reason.ANSWER_IDENTIFIER_LEFT
        return Reduced(written, scoped.persons, _released(self.paths, tuple(run.counts)), run.dropped)

    def _vouched(self, texts: list[str], asked: Asked) -> list[str]:
        said, once = self.dress.said, dict.fromkeys(texts)
        if asked.sent_nir is not None:
            once[asked.sent_nir] = None
        return [form for text in once for form in said(text)]

    def unnamed(self, body: bytes) -> tuple[str, ...]:
        """Which fields of an answer no view of its operation names. Costs another reading: not for every answer."""
        root = self.dress.whole(body) if self.dress.whole is not None else None
        return unnamed(root, self.names) if root is not None else ()


def compile_view(spec: ViewSpec, shape: ResponseShape) -> View:
    """Bind every operator and build the tree. Raises ViewError when `check_view` would have found a problem."""
    problems = check_view(spec, shape)
    if problems:
        raise ViewError(problems)
    dress = dress_of(spec, shape)
    spec, arranged = arrangement(spec, shape)
    # What a format adds to the lines is no field that anybody let leave.
    paths = tuple(path_text(rule.path) if rule.place is not UNWRITTEN else "" for rule in spec.fields)
    named = {skeleton(rule.path[:length]) for rule in spec.fields for length in range(1, len(rule.path))}
    tree = build(spec, shape, arranged.persons)
    return View(tree, walker(tree), compile_scope(arranged, named), paths, dress, periods_of(spec.fields))

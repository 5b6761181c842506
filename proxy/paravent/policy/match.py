r"""Which operation a request asks for, from its raw method and target.

    good: GET  /v1/cartes/99990001/0012345678/beneficiaires
    bad:  GET  /v1/cartes/99990001/0012345678/beneficiaires/   //v1/…   /v1/../…   /v1/%63artes/…   …#x   http://…
    bad:  GET  /v1/cartes/99990001/0012345678/beneficiaires?page=2   where the operation has no query

A path is matched as it was sent or not at all. Nothing is decoded, folded, resolved or trimmed: two programs that
normalise differently see two different paths, and one of them is not the one that was judged.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from paravent.policy.fields import accepts_text
from paravent.policy.paths import DOTS, UNRESERVED, parameter_name
from paravent.rules import Operation, RequestField

MAX_TARGET_BYTES: Final = 2048
"""The longest target of the reference policy has under 100 bytes. RFC 9110 section 4.1 asks servers for 8000; this is
not a general one."""

# RFC 9112 section 3.2.1 (origin-form), narrowed to unreserved characters, no empty segment.
_PATH: Final = re.compile(rf"(?:/{UNRESERVED}+)+".encode("ascii"))


@dataclass(frozen=True, slots=True)
class Matched:
    """A request that asks a known question; of its body nothing is known yet."""

    operation: Operation
    parameters: Mapping[str, str] = field(repr=False)
    """Path parameters by name, each a value of its type."""
    query: bytes | None = field(default=None, repr=False)
    """What stands behind the first `?`, for `query.read_query`; None where there is none."""


@dataclass(frozen=True, slots=True)
class _Template:
    """One operation's path, in the order in which a request is compared with it."""

    operation: Operation
    literals: tuple[tuple[int, str], ...]
    """Position and text of each segment that must be equal."""
    parameters: tuple[tuple[int, RequestField], ...]

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        if any(segments[position] != text for position, text in self.literals):
            return None
        if not all(accepts_text(parameter, segments[position]) for position, parameter in self.parameters):
            return None
        return {parameter.name: segments[position] for position, parameter in self.parameters}


class RouteTable:
    """Every operation of a policy, by method and number of segments. Built once, only read afterwards."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Operations of a compiled policy: no two of them match the same request (`lint`)."""
        templates: dict[tuple[bytes, int], list[_Template]] = {}
        for operation in operations:
            templates.setdefault((operation.method, len(operation.path)), []).append(_template(operation))
        self._templates = {key: tuple(some) for key, some in templates.items()}
        self._plain: dict[tuple[bytes, bytes], Matched] = {}
        """Most operations have one spelling: the whole target is compared at once."""
        for some in self._templates.values():
            for one in some:
                self._keep_plain(one)

    def _keep_plain(self, one: _Template) -> None:
        method, target = one.operation.method, "".join(f"/{text}" for _, text in one.literals).encode("ascii")
        matched = None if one.parameters else self._match(method, target)
        if matched is not None:
            self._plain[method, target] = matched

    def match(self, method: bytes, target: bytes) -> Matched | None:
        """The operation that this request asks for, or None: whatever is not known is refused.

        Methods are case-sensitive (RFC 9110 section 9.1) and compared as bytes.
        """
        return self._plain.get((method, target)) or self._match(method, target)

    def _match(self, method: bytes, target: bytes) -> Matched | None:
        path, mark, query = target.partition(b"?")
        if len(target) > MAX_TARGET_BYTES or _PATH.fullmatch(path) is None:
            return None
        segments = path.decode("ascii")[1:].split("/")
        if not DOTS.isdisjoint(segments):
            return None
        for template in self._templates.get((method, len(segments)), ()):
            parameters = template.match(segments)
            if parameters is not None and (not mark or template.operation.query):
                return Matched(template.operation, parameters, query if mark else None)
        return None


def _template(operation: Operation) -> _Template:
    types = {parameter.name: parameter for parameter in operation.parameters}
    named = [(position, parameter_name(segment), segment) for position, segment in enumerate(operation.path)]
    return _Template(
        operation,
        tuple((position, segment) for position, name, segment in named if name is None),
        tuple((position, types[name]) for position, name, _ in named if name is not None),
    )

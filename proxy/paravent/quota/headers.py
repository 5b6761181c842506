"""The fields of an answer that say how much of the practitioner's budgets of persons and units is left.

draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4:

    RateLimit-Policy: "persons-10m";q=60;w=600;paravent-unit="distinct-persons", "units-1h";q=900;w=3600;…
    RateLimit: "persons-10m";r=12, "units-1h";r=340

Every window stands in the policy field, which "SHOULD remain consistent over a sequence of HTTP responses" (section
3); only the tightest of each kind in the other. `qu` is left out: its values are a registry that knows no persons
(section 10.3), and its default, requests, misleads on the safe side since one question asks about one person. Our unit
is the prefixed parameter that section 3.1 allows. `t` is left out: a trailing window has no moment at which it is full
again. `w` is left out of a calendar's, whose length is not the same each time.

    Paravent-Warning: "persons-10m"

is ours, a List of RFC 9651: the windows that the policy calls nearly spent. A client that reads nothing else of this
can tell its user while there is still room.

Only the practitioner's own: wider scopes would tell one caller about the others (section 8.2). Requests, over seconds,
and misses are not shown: who meets them is told when to come again.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from paravent.effects import BudgetKind, Scope, Usage
from paravent.quota.windows import name_of
from paravent.rules import Span, Window

_UNITS: Final[Mapping[BudgetKind, str]] = {
    BudgetKind.PERSONS: "distinct-persons",
    BudgetKind.UNITS: "weighted-requests",
}
"""Of the kinds that are shown, in this order."""

_MOST: Final = 999_999_999_999_999
"""The greatest Integer of RFC 9651 section 3.3.1."""


def rate_limit_headers(usage: Iterable[Usage]) -> tuple[tuple[bytes, bytes], ...]:
    """(name, value) pairs to add to an answer; none when the practitioner has neither of the two budgets."""
    shown = [use for use in usage if use.scope is Scope.PRACTITIONER and use.kind in _UNITS]
    if not shown:
        return ()
    windows = tuple([(use.kind, use.window.limit, use.window.span) for use in shown])
    return (
        (b"RateLimit", ", ".join(_tightest(shown)).encode("ascii")),
        (b"RateLimit-Policy", _policy(windows)),
    )


def warning_headers(nearly_spent: Iterable[Window]) -> tuple[tuple[bytes, bytes], ...]:
    """None while no window is nearly spent."""
    names = ", ".join([f'"persons-{name_of(window.span)}"' for window in nearly_spent])
    return ((b"Paravent-Warning", names.encode("ascii")),) if names else ()


def _tightest(shown: list[Usage]) -> list[str]:
    tightest: dict[BudgetKind, tuple[int, int, Span]] = {}
    for use in shown:
        kind, window = use.kind, use.window
        # Of two windows with as much left, the longer one holds for longer.
        rank = _left(use), -window.per_s, window.span
        if kind not in tightest or rank < tightest[kind]:
            tightest[kind] = rank
    return [f"{_name(kind, tightest[kind][2])};r={tightest[kind][0]}" for kind in _UNITS if kind in tightest]


def _left(use: Usage) -> int:
    # Below zero after a policy lowered the limit; section 4.1.1 asks for a non-negative integer.
    left = use.window.limit - use.used
    return left if 0 <= left <= _MOST else min(max(0, left), _MOST)


@lru_cache(maxsize=64)
def _name(kind: BudgetKind, span: Span) -> str:
    return f'"{kind}-{name_of(span)}"'


@lru_cache(maxsize=64)
def _policy(windows: tuple[tuple[BudgetKind, int, Span], ...]) -> bytes:
    """The same for everybody of one profession."""
    return ", ".join([_policy_item(*each) for each in windows]).encode("ascii")


def _policy_item(kind: BudgetKind, limit: int, span: Span) -> str:
    length = f";w={span}" if span > 0 else ""
    return f'{_name(kind, span)};q={min(limit, _MOST)}{length};paravent-unit="{_UNITS[kind]}"'

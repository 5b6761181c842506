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
from paravent.rules import Window

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
    return (
        (b"RateLimit", ", ".join(_tightest(shown)).encode("ascii")),
        (b"RateLimit-Policy", _policy(tuple([(use.kind, use.window) for use in shown]))),
    )


def warning_headers(nearly_spent: Iterable[Window]) -> tuple[tuple[bytes, bytes], ...]:
    """None while no window is nearly spent."""
    names = ", ".join(f'"persons-{name_of(window.span)}"' for window in nearly_spent)
    return ((b"Paravent-Warning", names.encode("ascii")),) if names else ()


def _tightest(shown: list[Usage]) -> Iterable[str]:
    for kind in _UNITS:
        windows = [use for use in shown if use.kind is kind]
        if windows:
            # Of two windows with as much left, the longer one holds for longer.
            tightest = min(windows, key=lambda use: (_left(use), -use.window.per_s))
            yield f"{_name(kind, tightest.window)};r={_left(tightest)}"


def _left(use: Usage) -> int:
    # Below zero after a policy lowered the limit; section 4.1.1 asks for a non-negative integer.
    return min(max(0, use.window.limit - use.used), _MOST)


def _name(kind: BudgetKind, window: Window) -> str:
    return f'"{kind.value}-{name_of(window.span)}"'


@lru_cache(maxsize=64)
def _policy(windows: tuple[tuple[BudgetKind, Window], ...]) -> bytes:
    """The same for everybody of one profession."""
    return ", ".join([_policy_item(*each) for each in windows]).encode("ascii")


def _policy_item(kind: BudgetKind, window: Window) -> str:
    limit = min(window.limit, _MOST)
    length = "" if window.calendar else f";w={window.per_s}"
    return f'{_name(kind, window)};q={limit}{length};paravent-unit="{_UNITS[kind]}"'

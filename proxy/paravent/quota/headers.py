"""The fields of an answer that say how much of the practitioner's budget of persons is left.

draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4:

    RateLimit-Policy: "persons-10m";q=60;w=600;paravent-unit="distinct-persons", "persons-1d";q=600;w=86400;…
    RateLimit: "persons-10m";r=12

Every window stands in the policy field, which "SHOULD remain consistent over a sequence of HTTP responses" (section
3); only the tightest in the other. `qu` is left out: its values are a registry that knows no persons (section 10.3),
and its default, requests, misleads on the safe side since one question asks about one person. Our unit is the prefixed
parameter that section 3.1 allows. `t` is left out: a trailing window has no moment at which it is full again.

    Paravent-Warning: "persons-10m"

is ours, a List of RFC 9651: the windows that the policy calls nearly spent. A client that reads nothing else of this
can tell its user while there is still room.

Only the practitioner's own persons: wider scopes would tell one caller about the others (section 8.2).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from paravent.effects import BudgetKind, Scope, Usage
from paravent.quota.windows import name_of
from paravent.rules import Window

_MOST: Final = 999_999_999_999_999
"""The greatest Integer of RFC 9651 section 3.3.1."""


def rate_limit_headers(usage: Iterable[Usage]) -> tuple[tuple[bytes, bytes], ...]:
    """(name, value) pairs to add to an answer; none when the practitioner has no person budget."""
    windows = [use for use in usage if use.scope is Scope.PRACTITIONER and use.kind is BudgetKind.PERSONS]
    if not windows:
        return ()
    # Of two windows with as much left, the longer one holds for longer.
    tightest = min(windows, key=lambda use: (_left(use), -use.window.per_s))
    return (
        (b"RateLimit", f'"persons-{name_of(tightest.window.per_s)}";r={_left(tightest)}'.encode("ascii")),
        (b"RateLimit-Policy", _policy(tuple([use.window for use in windows]))),
    )


def warning_headers(nearly_spent: Iterable[Window]) -> tuple[tuple[bytes, bytes], ...]:
    """None while no window is nearly spent."""
    names = ", ".join(f'"persons-{name_of(window.per_s)}"' for window in nearly_spent)
    return ((b"Paravent-Warning", names.encode("ascii")),) if names else ()


def _left(use: Usage) -> int:
    # Below zero after a policy lowered the limit; section 4.1.1 asks for a non-negative integer.
    return min(max(0, use.window.limit - use.used), _MOST)


@lru_cache(maxsize=64)
def _policy(windows: tuple[Window, ...]) -> bytes:
    """The same for everybody of one profession."""
    return ", ".join(map(_policy_item, windows)).encode("ascii")


def _policy_item(window: Window) -> str:
    limit = min(window.limit, _MOST)
    return f'"persons-{name_of(window.per_s)}";q={limit};w={window.per_s};paravent-unit="distinct-persons"'
